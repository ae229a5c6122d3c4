import PostgresFormat
import System

/// Carries out the decision about each member of a backup, all but the reading of pages.
///
/// An import and an inspection go the same way through a backup, so that both refuse the same for
/// the same reasons.
package struct MemberIntake {
  /// A member that holds pages, for the caller to read or to pass over.
  package struct Pages {
    /// The file that the pages belong to.
    package var file: PageFile
    /// The number of the file's first page.
    package var firstBlock: UInt32
    /// The pages, if they were read already.
    package var contents: [UInt8]?
    /// Whether the file may be one of `pg_attribute`.
    package var mayHoldColumns = false
  }

  /// Leading directories to drop from every member's name.
  package let stripComponents: Int
  /// The error of a backup that has to be recovered first.
  package let recoveryRefusal: RecoveryRefusal
  /// From how many bytes on a relation segment becomes image layers.
  package let smallRelationSize: UInt64
  /// Gets the contents of every file, if there is someone to compare them with a manifest.
  package let manifestCheck: ManifestCheck?

  /// What the members taken so far hold besides pages.
  package private(set) var contents = ClusterContents()
  /// The control file that was read last, also if it was refused.
  package private(set) var controlFileBytes: [UInt8]?
  /// The same of the `PG_VERSION` at the top.
  package private(set) var versionFileBytes: [UInt8]?
  /// Reads members that are kept in memory.
  package var reader: MemberReader

  /// Statistics longer than this are left out: a server collects them again.
  private static let statisticsLimit: UInt64 = 16 << 20

  /// Whether Postgres is to recover the backup, so that a relation's file may end within a page.
  package var isToBeRecovered = false
  /// Whether the source gives the contents of the backup's settings, which then are looked at.
  package var readsSettings = false
  /// Settings longer than this are not.
  private static let settingsLimit: UInt64 = 1 << 20

  /// An intake that reads the contents of members from `source`.
  package init(
    source: any BackupSource, stripComponents: Int,
    recoveryRefusal: @escaping RecoveryRefusal, smallRelationSize: UInt64,
    manifestCheck: ManifestCheck? = nil
  ) {
    self.recoveryRefusal = recoveryRefusal
    reader = MemberReader(source: source, manifestCheck: manifestCheck)
    self.stripComponents = stripComponents
    self.smallRelationSize = smallRelationSize
    self.manifestCheck = manifestCheck
  }

  /// Takes the current member of the source; returns its pages.
  ///
  /// Who reads the pages gives them to `manifestCheck`, and ends the file there.
  ///
  /// Throws what keeps the backup from being imported. Unless the source itself failed,
  /// the members after it can still be taken.
  package mutating func take(_ member: BackupMember) throws(Failure) -> Pages? {
    if member.name.hasPrefix("/") { contents.absoluteNameCount += 1 }
    guard let path = try member.path(strippingComponents: stripComponents) else {
      contents.clues.note(member.name)
      if member.kind != .directory {
        contents.leftOut.add(
          escaped(member.name.utf8), byteCount: member.byteCount, reason: .userFiles)
      }
      return nil
    }
    guard let manifestCheck, member.kind == .file else { return try take(member, path) }
    try manifestCheck.begin(path)
    if let pages = try take(member, path) { return pages }
    if manifestCheck.wantsContents { try reader.readRest(of: member) { manifestCheck.update($0) } }
    try manifestCheck.end()
    return nil
  }

  /// Notes that a database has a file that is not among the members.
  package mutating func addDatabase(_ databaseID: UInt32) { contents.addDatabase(databaseID) }

  /// Passes over a member that was refused: the manifest is still compared with it, and what is
  /// checked at the end does not find it missing.
  mutating func passOver(_ member: BackupMember) throws(Failure) {
    if let path = try? member.path(strippingComponents: stripComponents) {
      contents.noteRefused(MemberDecision(path, kind: member.kind))
    }
    guard let manifestCheck, member.kind == .file, manifestCheck.wantsContents else { return }
    try reader.readRest(of: member) { manifestCheck.update($0) }
    try manifestCheck.end()
  }

  private mutating func take(
    _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> Pages? {
    let decision = MemberDecision(path, kind: member.kind)
    switch decision {
    case .relationSegment(let segment):
      return try takeRelationSegment(segment, member, path)
    case .slruSegment(let kind, let segmentNumber):
      return try takeSLRUSegment(kind, segmentNumber, member, path)
    case .relationMap(let databaseID):
      try requireOnce(!contents.hasRelationMap(databaseID), path)
      contents.addRelationMap(try reader.readSmallFile(member, path), ofDatabase: databaseID)
    case .versionFile(let databaseID):
      if databaseID == nil {
        try contents.clues.requireOneCluster(
          member.name, strippingComponents: stripComponents)
      }
      try requireOnce(contents.versions[databaseID] == nil, path)
      if let databaseID { contents.addDatabase(databaseID) }
      let bytes = try reader.readSmallFile(member, path)
      if databaseID == nil { versionFileBytes = bytes }
      contents.versions[databaseID] = try reader.decode(
        bytes, path, damage: .versionFileDamaged, PostgresVersion.init(versionFile:))
    case .twoPhase(let xid, let digitCount):
      try takeTwoPhaseFile(xid, digitCount, member, path)
    case .statistics:
      try takeStatistics(member, path)
    case .replicationOrigins:
      try requireOnce(contents.replicationOrigins == nil, path)
      contents.replicationOrigins = try reader.decode(
        member, path, damage: .replicationOriginsDamaged, ReplicationOrigins.decode)
    case .controlFile:
      try takeControlFile(member, path)
    case .neonSignal:
      let signal = try reader.decode(
        member, path, damage: .signalFileDamaged, NeonSignal.decode)
      guard contents.signal == nil || contents.signal == signal else {
        throw Failure(.signalFileDamaged, "'neon.signal' and 'zenith.signal' contradict each other")
      }
      contents.signal = signal
    case .directory: break
    case .leftOut(let reason, let slot):
      contents.clues.note(member.name)
      leaveOut(member, path, reason, slot: slot)
      if reason == .backupManifest { try takeManifest(member, path) }
      if readsSettings, member.kind == .file, path.components.count == 1 {
        try takeSettings(member, path)
      }
    case .unexpected:
      contents.clues.note(member.name)
      contents.unexpectedFiles.add(path)
    case .backupLabel, .tablespaceMap, .tablespace, .incremental, .refused:
      try refuse(decision, member, path)
    }
    return nil
  }

  // MARK: Files of pages

  /// What a relation's segment is to its reader; refuses a file that is none by its size.
  ///
  /// - Parameter isToBeRecovered: whether the file may end within a page. (`ScratchIntake`)
  package static func pages(
    of segment: RelationSegment, _ member: BackupMember, _ path: MemberPath,
    smallRelationSize: UInt64, isToBeRecovered: Bool
  ) throws(Failure) -> Pages {
    let limit = UInt64(RelationSegment.blockCount) * UInt64(PageHeader.pageByteCount)
    try requirePages(
      member, path, limit: limit, "1 GiB, the limit of a relation segment",
      isToBeRecovered: isToBeRecovered)
    let isInImageLayer = member.byteCount > 0 && member.byteCount >= smallRelationSize
    var pages = Pages(
      file: .relation(segment, isInImageLayer: isInImageLayer),
      firstBlock: segment.segmentNumber * RelationSegment.blockCount)
    pages.mayHoldColumns = ClusterContents.mayHoldColumns(segment, catalog: nil)
    return pages
  }

  private mutating func takeRelationSegment(
    _ segment: RelationSegment, _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> Pages {
    var pages = try Self.pages(
      of: segment, member, path, smallRelationSize: smallRelationSize,
      isToBeRecovered: isToBeRecovered)
    contents.addDatabase(segment.databaseID)
    pages.mayHoldColumns = contents.mayHoldColumns(segment)
    if SharedCatalogs.mayInclude(segment, byteCount: member.byteCount) {
      let bytes = try reader.readWhole(member)
      contents.sharedCatalogs.add(segment.relationNumber, bytes)
      pages.contents = bytes
    }
    return pages
  }

  private mutating func takeSLRUSegment(
    _ kind: SLRUKind, _ number: UInt32, _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> Pages {
    let limit = UInt64(SLRUKind.pagesPerSegment * PageHeader.pageByteCount)
    try Self.requirePages(
      member, path, limit: limit, "\(SLRUKind.pagesPerSegment) pages, the limit of an SLRU segment")
    try requireOnce(contents.slruSegments[kind]?[number] == nil, path)
    contents.slruSegments[kind, default: [:]][number] = UInt32(
      member.byteCount / UInt64(PageHeader.pageByteCount))
    return Pages(file: .slru(kind, segment: number), firstBlock: 0)
  }

  /// Refuses a file of pages by its size, before its first byte is read.
  private static func requirePages(
    _ member: BackupMember, _ path: MemberPath, limit: UInt64, _ limitInWords: String,
    isToBeRecovered: Bool = false
  ) throws(Failure) {
    guard member.byteCount <= limit else {
      throw Failure(
        .fileTooLarge, "file '\(path)' has \(member.byteCount) bytes, more than \(limitInWords)")
    }
    guard member.endsAtPage || isToBeRecovered else {
      throw endsWithinPage("\(path)", byteCount: member.byteCount)
    }
  }

  // MARK: Small files

  private mutating func takeControlFile(_ member: BackupMember, _ path: MemberPath) throws(Failure)
  {
    try contents.clues.requireOneCluster(
      member.name, strippingComponents: stripComponents)
    try requireOnce(contents.controlFile == nil, path)
    let bytes = try reader.readSmallFile(member, path)
    controlFileBytes = bytes
    let controlFile = try reader.decode(
      bytes, path, damage: .controlFileDamaged, ControlFile.init(decoding:))
    do throws(FormatError) {
      try controlFile.requireCleanShutdown()
    } catch {
      throw recoveryRefusal(
        error.code ?? .uncleanShutdown, "member '\(path)': \(error.message)", controlFile.version)
    }
    contents.controlFile = try reader.decode(bytes, path, damage: .controlFileDamaged) {
      _ throws(FormatError) in
      try controlFile.validateLayout()
      return controlFile
    }
  }

  private mutating func takeTwoPhaseFile(
    _ xid: UInt64, _ digitCount: Int, _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) {
    try requireOnce(contents.twoPhaseFiles[xid] == nil, path)
    var bytes = try reader.readSmallFile(member, path)
    let file = try reader.decode(
      bytes, path, damage: .twoPhaseFileDamaged, TwoPhaseFile.decode)
    bytes.removeSubrange(file.storedByteCount...)
    if file.wasDoubled { contents.mendedTwoPhaseFileCount += 1 }
    contents.twoPhaseFiles[xid] = ClusterContents.PreparedTransaction(
      nameDigitCount: digitCount, file: file, stored: bytes)
  }

  private mutating func takeStatistics(_ member: BackupMember, _ path: MemberPath) throws(Failure) {
    try requireOnce(contents.statistics == nil, path)
    guard member.byteCount <= Self.statisticsLimit else {
      contents.leftOut.add(
        path.description, byteCount: member.byteCount, reason: .largeStatistics)
      return
    }
    contents.statistics = try reader.readSmallFile(member, path)
  }

  /// Reads the backup's settings, if they are of a usual length.
  private mutating func takeSettings(_ member: BackupMember, _ path: MemberPath) throws(Failure) {
    let name = path.description
    contents.recoverySettings.note(name)
    guard OwnRecoverySettings.fileNames.contains(name), member.byteCount <= Self.settingsLimit
    else { return }
    let bytes = try reader.readWhole(member)
    manifestCheck?.update(bytes.bytes)
    contents.recoverySettings.take(name, bytes.bytes)
  }

  /// Reads the backup's own manifest, unless one is known already.
  private mutating func takeManifest(_ member: BackupMember, _ path: MemberPath) throws(Failure) {
    guard let manifestCheck, member.kind == .file, !manifestCheck.hasManifest,
      path.bytes.elementsEqual(BackupManifest.fileName.utf8)
    else { return }
    manifestCheck.beginManifest()
    try reader.readRest(of: member) { manifestCheck.updateManifest($0) }
    manifestCheck.endManifest()
  }

  private mutating func leaveOut(
    _ member: BackupMember, _ path: MemberPath, _ reason: LeftOutReason, slot: String?
  ) {
    // Of most directories only what is in them is counted.
    if member.kind != .directory || reason.countsDirectories {
      contents.leftOut.add(path.description, byteCount: member.byteCount, reason: reason)
    }
    if let slot { contents.leftOut.addSlot(slot) }
  }

  private func requireOnce(_ isFirst: Bool, _ path: MemberPath) throws(Failure) {
    guard isFirst else { throw .duplicate("\(path)") }
  }
}
