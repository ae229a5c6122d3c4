import Backup
import LayerFormat
import ObjectStore
import Operations
import PostgresFormat
import System

/// The text about a finished import.
enum SummaryText {
  /// The maximum width of a note; names that do not fit are counted.
  static let columns = 100

  /// The line on standard output.
  static func line(_ summary: ImportSummary) -> String {
    let parts = [
      Quantity.count(summary.databaseCount, "database"),
      Quantity.count(summary.relationCount, "relation"),
      Quantity.count(summary.pageCount, "page"),
      "LSN \(summary.importLSN) to \(summary.endLSN)",
      "\(Quantity.bytes(summary.inputByteCount)) in",
      "\(Quantity.bytes(summary.outputByteCount)) out",
      Quantity.count(summary.imageLayerCount, "image layer"),
      Quantity.count(summary.l0LayerCount, "L0 layer"),
      Quantity.duration(summary.seconds),
    ]
    let what = summary.onlyShards.map {
      "\(ShardID.words($0, of: summary.shardCount)) of "
    }
    let title =
      "imported \(what ?? "")Postgres \(summary.postgresVersion) (\(summary.backupKind))"
      + (what == nil ? "" : ", not published")
    return "\(title): \(parts.joined(separator: ", "))"
  }

  /// The memory for relations, in bytes, from which on a note is given.
  private static let segmentTableNoteLimit = 1 << 20

  /// The notes on standard error, one per line: the next step last, unless the program takes it itself.
  /// Where a timeline is has been said at the start; where one will be that is to be published is said here.
  static func notes(
    _ summary: ImportSummary, isServed: Bool = false, store: StoreOptions = StoreOptions()
  ) -> [String] {
    (summary.onlyShards == nil ? [] : [path(summary)]) + changes(summary) + losses(summary)
      + computeNeeds(summary)
      + (isServed ? [] : nextSteps(summary, store))
  }

  /// The warnings on standard error, one per line; most imports have none.
  static func warnings(_ summary: ImportSummary) -> [String] {
    summary.warnings.flatMap { warning in
      guard warning.code == .pagesDamaged else { return ["warning: \(warning.message)"] }
      return ["warning: \(warning.message):"]
        + summary.pageChecksums.lines.map { "warning:   \($0)" }
    }
  }

  /// The note of a run that has no others, and said nothing at the start.
  static func path(_ summary: ImportSummary) -> String {
    summary.onlyShards == nil
      ? "note: the timeline is \(summary.timelinePath.quoted)"
      : "note: once published, the timeline is \(summary.timelinePath.quoted)"
  }

  /// What small relations became, and why: it decides what a pageserver has to compact.
  static func layout(_ summary: ImportSummary) -> String {
    let layers = summary.layout == .sorted ? "sorted image layers" : "L0 layers"
    let reason =
      switch summary.layoutReason {
      case .asked: "as --layout \(summary.layout.rawValue) asks"
      case .directory: "as a directory is read in the order of keys"
      case .fewLevel0Layers: "too few for a pageserver to compact"
      case .manyLevel0Layers: "as a pageserver would compact so many L0 layers"
      }
    return "note: small relations are in \(layers), \(reason)"
  }

  /// What is known of a copy without a label.
  private static func snapshotCheck(_ check: SnapshotCheck) -> String {
    let what =
      check.startLSN.map {
        "only compared with its WAL from LSN \($0) on, which shows no older page"
      }
      ?? "not checked, as --assume-snapshot says that it is of one moment"
    return "note: without a 'backup_label', the copy was \(what)"
  }

  /// What was being made when the cluster was copied, or crashed.
  private static func unfinishedRelations(_ count: Int) -> String {
    "note: \(Quantity.count(count, "relation")) \(count == 1 ? "has" : "have") pages that nothing uses, of an "
      + "index build, a rewrite or a hash index's growth that was under way"
  }

  static func changes(_ summary: ImportSummary) -> [String] {
    var lines = [layout(summary)]
    if let server = summary.recoveredBy {
      let end = summary.recoveryEndLSN.map { ", up to LSN \($0)" } ?? ""
      let time = summary.recoveryEndTime.map { " (last commit \($0))" } ?? ""
      lines.append("note: recovered by Postgres \(server)\(end)\(time)")
    }
    if let check = summary.snapshotCheck { lines.append(snapshotCheck(check)) }
    if summary.unfinishedRelationCount > 0 {
      lines.append(unfinishedRelations(summary.unfinishedRelationCount))
    }
    if !summary.movedTablespaces.isEmpty {
      let count = summary.movedTablespaces.count
      lines.append(
        listing(
          "note: moved \(Quantity.count(count, "tablespace")) to the default tablespace",
          summary.movedTablespaces, of: count))
    }
    let controlFile = summary.changes.filter(\.code.isOfControlFile).map(\.message)
    if !controlFile.isEmpty {
      lines.append("note: changed in pg_control: \(controlFile.joined(separator: ", "))")
    }
    switch summary.manifest.result {
    case .verified:
      let files = Quantity.count(summary.manifest.fileCount, "file")
      lines.append("note: verified \(files) against \((summary.manifest.path ?? "").quoted)")
    case .outdated:
      lines.append(
        "note: skipped \((summary.manifest.path ?? "").quoted): "
          + "the cluster has run since it was written")
    case .different, .none: break
    }
    if summary.pageChecksums.result == .verified {
      let pages = Quantity.count(summary.pageChecksums.pageCount, "page")
      lines.append("note: verified the checksums of \(pages); Neon does not keep them")
    }
    if summary.stampedPageCount > 0 {
      let pages = Quantity.count(summary.stampedPageCount, "page")
      let each = summary.stampedPageCount == 1 ? "it" : "each"
      lines.append(
        "note: \(pages) had no LSN; \(each) was given one "
          + "(normal after bulk loads under wal_level = minimal)")
    }
    if summary.mendedTwoPhaseFileCount > 0 {
      let files = Quantity.count(summary.mendedTwoPhaseFileCount, "two-phase file")
      let verb = summary.mendedTwoPhaseFileCount == 1 ? "contained its" : "contained their"
      lines.append("note: repaired \(files) that \(verb) checksum twice")
    }
    if summary.absoluteNameCount > 0 {
      let names = Quantity.count(summary.absoluteNameCount, "name")
      lines.append("note: dropped the leading '/' of \(names) in the tar")
    }
    if summary.segmentTableByteCount >= segmentTableNoteLimit {
      let bytes = Quantity.bytes(UInt64(summary.segmentTableByteCount))
      lines.append("note: the list of relations used \(bytes) of memory in addition to --memory")
    }
    return lines
  }

  static func losses(_ summary: ImportSummary) -> [String] {
    var lines: [String] = []
    if summary.unloggedRelationCount > 0 {
      let relations = Quantity.count(summary.unloggedRelationCount, "unlogged relation")
      lines.append("note: \(relations) will be empty, as after a crash")
    }
    if !summary.invalidDatabases.isEmpty {
      let count = summary.invalidDatabases.count
      let databases = Quantity.count(count, "database")
      lines.append(
        listing(
          "note: \(databases) \(count == 1 ? "is" : "are") invalid, as DROP DATABASE was "
            + "interrupted; drop \(count == 1 ? "it" : "them") in the compute",
          summary.invalidDatabases, of: count))
    }
    if !summary.lostReplicationSlots.isEmpty {
      let count = summary.lostReplicationSlots.count
      let slots = Quantity.count(count, "replication slot")
      lines.append(
        listing(
          "note: \(slots) \(count == 1 ? "is" : "are") lost", summary.lostReplicationSlots,
          of: count))
    }
    let files = summary.leftOut.reduce(0) { $0 + $1.fileCount }
    guard files > 0 else { return lines }
    let bytes = Quantity.bytes(summary.leftOut.reduce(0) { $0 &+ $1.byteCount })
    lines.append("note: left out \(Quantity.count(files, "file")), \(bytes):")
    return lines
      + summary.leftOut.map { leftOut in
        let amount =
          "\(Quantity.count(leftOut.fileCount, "file")), \(Quantity.bytes(leftOut.byteCount))"
        return listing(
          "note:   \(leftOut.reason) (\(amount))", leftOut.names, of: leftOut.fileCount)
      }
  }

  static func computeNeeds(_ summary: ImportSummary) -> [String] {
    var lines: [String] = []
    if summary.preparedTransactionCount > 0 {
      let transactions = Quantity.count(summary.preparedTransactionCount, "prepared transaction")
      let verb = summary.preparedTransactionCount == 1 ? "waits" : "wait"
      lines.append("note: \(transactions) \(verb) for COMMIT PREPARED or ROLLBACK PREPARED")
    }
    if summary.markedDatabaseCount > 0 {
      let least = PostgresVersion(rawValue: summary.postgresVersion)
        .flatMap(ColumnMark.leastRelease).map { "Postgres \($0) or later" }
      lines.append(
        "note: the compute must be \(least ?? "at least as new as the cluster's last server"): the "
          + "cluster's columns have the option 'pg_attver', which older ones refuse")
    }
    if !summary.requiredSettings.isEmpty {
      lines.append("note: the compute needs at least these settings to start:")
      for (name, value) in summary.requiredSettings.sorted(by: { $0.key < $1.key }) {
        lines.append("note:   \(name) = \(value)")
      }
    }
    return lines
  }

  private static func nextSteps(_ summary: ImportSummary, _ store: StoreOptions) -> [String] {
    let isStored = StoreLocation.isMeant(by: summary.timelinePath)
    let tenant = SystemCalls.parent(of: SystemCalls.parent(of: summary.timelinePath))
    if summary.onlyShards != nil {
      let publish = "\(Program.name) publish \(GivenCommand.quoted(tenant))"
      return [
        "next: when all shards are written: " + (isStored ? store.added(to: publish) : publish)
      ]
    }
    let index = "index_part.json-" + summary.generation.hexadecimal(8, uppercase: false)
    let path = GivenCommand.quoted(summary.timelinePath)
    let attach =
      "next: take it into service, at generation \(summary.generation) or above: "
      + "import-backup attach \(path) --controller URL"
    if isStored { return [store.added(to: attach)] }
    let tenants = GivenCommand.quoted(tenant) + (summary.shardCount == 1 ? "" : "-*")
    return [attach, "next: or copy \(tenants) to a bucket first, below tenants/, \(index) last"]
  }

  /// `title: a, b and 3 more`: as many of `names` as fit, at least one; `count` is the total.
  private static func listing(_ title: String, _ names: [String], of count: Int) -> String {
    guard let first = names.first else { return title }
    var line = "\(title): \(first)"
    var shown = 1
    for name in names.dropFirst() {
      guard line.count + name.count + ", ".count + " and 1,000,000 more".count <= columns else {
        break
      }
      line += ", \(name)"
      shown += 1
    }
    return count > shown ? line + " and \(Quantity.grouped(count - shown)) more" : line
  }
}

/// The text about a finished verification.
enum VerifyText {
  /// The line on standard output; only a timeline that was compared, without findings, is called
  /// verified.
  static func line(_ summary: VerifySummary) -> String {
    guard let version = summary.postgresVersion, let start = summary.importLSN,
      let end = summary.endLSN
    else { return fileLine(summary) }
    let hasReceipt = summary.receiptPath != nil
    let isKnown = summary.isCompared || hasReceipt
    let parts: [String?] = [
      hasReceipt ? "\(files(summary)) compared with the receipt" : nil,
      Quantity.count(summary.layerCount, "layer"),
      Quantity.bytes(summary.layerByteCount),
      Quantity.count(summary.keyCount, "key"),
      Quantity.count(summary.pageCount, "page"),
      summary.isCompared
        ? "\(Quantity.count(summary.comparedPageCount, "page")) compared" : nil,
      Quantity.count(summary.findingCount, "finding"),
      Quantity.duration(summary.seconds),
    ]
    let verb =
      !isKnown ? "checked the structure of a" : summary.findingCount == 0 ? "verified" : "checked"
    let note = isKnown ? "" : "; page contents were not compared; use --against BACKUP"
    return "\(verb) Postgres \(version) timeline, LSN \(start) to \(end): "
      + "\(parts.compactMap(\.self).joined(separator: ", "))\(note)"
  }

  /// The line about a timeline of which no more than its files could be checked.
  private static func fileLine(_ summary: VerifySummary) -> String {
    "checked only the files of a timeline, as its index cannot be read: "
      + "\(files(summary)) compared with the receipt, "
      + "\(Quantity.count(summary.findingCount, "finding")), \(Quantity.duration(summary.seconds))"
  }

  private static func files(_ summary: VerifySummary) -> String {
    Quantity.count(summary.comparedFileCount, "file")
  }

  /// The lines on standard error: what was not checked, and what is wrong.
  static func notes(_ summary: VerifySummary) -> [String] {
    var lines: [String] = []
    if summary.isWrittenOn {
      lines.append(
        "note: a pageserver has written to this timeline: only its structure was checked")
      let keys = Quantity.count(summary.unreplayedKeyCount, "key")
      let verbs = summary.unreplayedKeyCount == 1 ? ("needs", "was") : ("need", "were")
      lines.append("note: \(keys) \(verbs.0) WAL replay and \(verbs.1) not compared")
    }
    if summary.goneKeyCount > 0 {
      let blocks = Quantity.count(summary.goneKeyCount, "block")
      lines.append("note: \(blocks) that the WAL of the backup removed left in the layers")
    }
    lines += summary.findings.map { "finding: \($0.message)" }
    let rest = summary.findingCount - min(UInt64(summary.findings.count), summary.findingCount)
    if rest > 0 { lines.append("note: \(Quantity.count(rest, "more finding")) not shown") }
    return lines
  }

  /// Whether a finding says that the backup, or the WAL given with it, is not that of the import.
  private static func isOfOther(_ code: FindingCode) -> Bool {
    [.otherCluster, .laterBackup].contains(code)
  }

  /// What helps if the backup is another one than that of the import.
  private static func hint(_ summary: VerifySummary) -> String? {
    let codes = Set(summary.findings.map(\.code))
    if codes.contains(where: isOfOther) {
      return "Give the backup that was imported to '--against', with its own WAL."
    }
    if summary.isCompared {
      guard codes.contains(.indexDiffers) else { return nil }
      return
        "Their LSNs differ: this is another backup of the cluster, taken at another time, or the archive has "
        + "got more WAL since, or the index is wrong. Give the backup that was imported to '--against'; its "
        + "recovery must end where that of the import ended (see '--recovery-target')."
    }
    return summary.receiptPath == nil ? nil : receiptHint(codes)
  }

  /// What helps against files that are not those of a receipt.
  private static func receiptHint(_ codes: Set<FindingCode>) -> String? {
    if !codes.isDisjoint(with: [.fileMissing, .fileSize, .fileHash, .fileUnreadable]) {
      return
        "Copy these files again from where the import wrote them. If they are not right there either, "
        + "import the backup again."
    }
    guard codes.contains(.fileUnlisted) else { return nil }
    return
      "Remove what is not listed, unless a pageserver wrote it: one that has the timeline attached adds "
      + "files of its own."
  }

  /// The error that the command ends with if something is wrong.
  static func failure(_ summary: VerifySummary) -> Failure? {
    guard summary.findingCount > 0 else { return nil }
    if let other = summary.findings.first(where: { isOfOther($0.code) }) {
      return Failure(
        .timelineDiffers,
        "timeline \(summary.timelinePath.quoted) cannot be compared: \(other.message)",
        hint: hint(summary))
    }
    let findings = Quantity.count(summary.findingCount, "finding")
    return Failure(
      summary.isCompared ? .timelineDiffers : .timelineDamaged,
      summary.isCompared
        ? "timeline \(summary.timelinePath.quoted) differs from the backup: \(findings)"
        : summary.receiptPath != nil
          ? "timeline \(summary.timelinePath.quoted) differs from its receipt: \(findings)"
          : "timeline \(summary.timelinePath.quoted) is damaged: \(findings)",
      hint: hint(summary))
  }
}
