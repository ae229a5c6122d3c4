import Backup
import Pipeline
import PostgresFormat
import System

/// What the server does on the copy, and what it leaves.
extension Recovery {
  /// Asks for recovery from an archive, even if there is none.
  ///
  /// The server then insists on the WAL up to the backup's end, whatever way the backup was made,
  /// and recovers one of a standby as well. A cluster without a label has crashed or was stopped.
  /// (Postgres, `xlog.c`, `StartupXLOG`: what it says when it ran off the end of WAL)
  static func askForArchiveRecovery(in scratch: ScratchDirectory) throws(Failure) {
    try OutputFile(creating: scratch.data + "/recovery.signal", mode: 0o600).close()
  }

  /// A database that no cluster has.
  private static let noDatabase = "import-backup-has-no-such-database"

  /// Has the server replay the WAL and stop, and gives the control file that it leaves.
  ///
  /// No session is opened: it would read catalogs, most of which are not in a skeleton, and would change
  /// pages of a full copy (hint bits, dead rows that are pruned), which then would differ from those of a
  /// recovery in one pass. A server that has recovered writes a checkpoint before it ends, however it
  /// ends, and one that has not writes none. (Postgres, `postinit.c`, `InitPostgres`: `ShutdownXLOG` is
  /// registered after `StartupXLOG`) Only of a cluster with tablespaces that was shut down, without a restore
  /// command, a session is opened: one that ends in order keeps the statistics, which are thrown away after
  /// any replay.
  ///
  /// - Parameters:
  ///   - pages: gets the records that a restore command brings; nil if all pages are there.
  func replay(
    _ copy: Copy, _ log: WriteAheadLogCheck.Extent, _ place: Place, pages: SkeletonPages? = nil
  ) throws(Failure) -> Replay {
    let scratch = place.scratch
    let before = copy.control
    try Self.removeFutureTransactions(
      log.firstCheckpoint ?? before.checkpointCopy, copy.version, scratch)
    // Only now: up to here files of the copy are opened by their paths.
    try place.give()
    let position = ReplayPosition(
      in: place.programs.sandbox.directory, from: log.start, before.walSegmentSize
    ) { try? Self.controlFile(scratch) }
    var settings = Dictionary(uniqueKeysWithValues: before.settings.map { ($0.name, $0.value) })
    settings.merge(log.settings) { max($0, $1) }
    let preparedTransactionLimit = RestoreChannel.preparedTransactionLimit(settings)
    let channel = try options.restoreCommand.map { command throws(Failure) in
      try RestoreChannel(
        command: command, check: check(copy, scratch), log,
        preparedTransactionLimit: preparedTransactionLimit, pages: pages,
        requested: position.reach,
        began: { checkpoint throws(Failure) in
          try Self.removeFutureTransactions(checkpoint, copy.version, scratch)
        })
    }
    progress?.begin(.replaying) {
      RunProgress.Amount(
        done: position.current().rawValue - log.start.rawValue,
        total: log.end.map { $0.rawValue - log.start.rawValue },
        isFetching: channel?.isFetching == true)
    }
    progress?.note { "LSN \(position.current())" + (log.end.map { " of \($0)" } ?? "") }
    var others = settings.mapValues { String($0) }
    if channel != nil { others["max_prepared_transactions"] = String(preparedTransactionLimit) }
    others[ReplayEnd.setting.name] = ReplayEnd.setting.value
    if let timeline = log.targetTimeline { others["recovery_target_timeline"] = timeline }
    if let target = options.target {
      others.merge(target.settings) { $1 }
      if options.isTargetExclusive { others["recovery_target_inclusive"] = "off" }
    }
    // Tablespaces are moved by sessions in any case, and nothing is replayed.
    let hasTablespaces = try Self.hasTablespaces(scratch)
    let keepsStatistics =
      hasTablespaces && before.state == .shutDown && copy.label == nil && channel == nil
    let result = try place.server.run(
      in: Array((keepsStatistics ? "template1" : Self.noDatabase).utf8), commands: [],
      control: before, others: others, channel: channel,
      position: position)
    var after = try Self.controlFile(scratch)
    guard after.state == .shutDown, after.checkPoint != before.checkPoint else {
      throw advice(copy, place).advise(
        log.missingSegment.map(WriteAheadLogCheck.isMissing)
          ?? Self.notRecovered(result, log: scratch.log, log.last, missing: channel?.missing))
    }
    if let channel {
      // The server has left its own; the cluster's are those that it had.
      settings.merge(channel.settings) { max($0, $1) }
      after = try Self.replaceSettings(of: after, by: settings, in: scratch)
    }
    let isBranch = after.checkpointCopy.timelineID != before.checkpointCopy.timelineID
    let history = isBranch ? try Self.history(of: after, in: scratch) : nil
    let end = history?.parts.last?.start
    position.finish(at: end ?? log.end)
    if options.target == nil {
      // On a full copy, segments that are the copy's own are not looked at when the server asks.
      if let last = (pages != nil ? channel?.end : nil) ?? log.last {
        try requireEnd(last, end, of: after, in: scratch)
      }
      if let history { try channel?.requireNoLaterSegment(before: history) }
    }
    return Replay(
      control: after, end: end ?? log.end, lastCommit: ServerLog.lastCommit(in: scratch.log),
      snapshotCheck: log.snapshotCheck)
  }

  private static func hasTablespaces(_ scratch: ScratchDirectory) throws(Failure) -> Bool {
    try !ClusterFiles(scratch.data).names(in: "pg_tblspc").isEmpty
  }

  private func advice(_ copy: Copy, _ place: Place) -> RestoreCommandAdvice {
    var directory: String?
    if case .directory(let path) = place.backup { directory = SystemCalls.absolute(path) }
    return RestoreCommandAdvice(
      directory: directory, given: options.restoreCommand,
      own: options.writeAheadLog == nil ? copy.settings.settings?.restoreCommand : nil)
  }

  /// Writes a control file in which these settings are what servers of the cluster must allow for.
  private static func replaceSettings(
    of control: ControlFile, by settings: [String: Int32], in scratch: ScratchDirectory
  ) throws(Failure) -> ControlFile {
    let bytes = control.encoded(settings: settings)
    let directory = try DirectoryHandle(path: scratch.data)
      .openDirectory(DirectoryHandle.name("global"))
    let file = try directory.openFileForChanges("pg_control")
    try file?.write(bytes.bytes, at: 0)
    try file?.close()
    return try controlFile(scratch)
  }

  /// What replay came to.
  struct Replay {
    let control: ControlFile
    /// Where the last record ends that was replayed; nil if a cluster that had crashed got WAL from an
    /// archive.
    let end: LogSequenceNumber?
    /// When the last transaction was committed that was replayed, as the server words it; nil if there
    /// was none.
    let lastCommit: String?
    /// Why a copy without a label was taken for one of one moment; nil if nothing had to say so.
    let snapshotCheck: SnapshotCheck?
  }

  /// The history of the timeline that a recovery began, as one from an archive does: it begins where that
  /// ended.
  private static func history(
    of control: ControlFile, in scratch: ScratchDirectory
  ) throws(Failure) -> TimelineHistory? {
    let timelineID = control.checkpointCopy.timelineID
    guard
      let file = try ClusterFiles(scratch.data)
        .file("pg_wal/" + TimelineHistory.fileName(timelineID))
    else { return nil }
    let bytes = try file.contents(limit: 1 << 20)
    do throws(FormatError) {
      return try TimelineHistory(of: timelineID, decoding: bytes.bytes)
    } catch {
      throw Failure(error, in: "the history of timeline \(timelineID)", damage: .walDamaged)
    }
  }

  /// Checks that the server has replayed just the records that were looked at.
  private func requireEnd(
    _ last: WALEnd, _ branch: LogSequenceNumber?, of control: ControlFile,
    in scratch: ScratchDirectory
  ) throws(Failure) {
    guard let record = last.lastRecord else { return }
    let end = last.position
    let directory = try DirectoryHandle(path: scratch.data)
      .openDirectory(DirectoryHandle.name("pg_wal"))
    guard branch == nil || branch == end,
      try ReplayEnd.isShown(after: (record, end), in: directory, control)
    else {
      throw Failure(
        .recoveryFailed,
        "Postgres did not replay the WAL up to \(end), where its last record ends"
          + (branch.map { ", but up to \($0)" } ?? ""),
        hint: WriteAheadLogCheck.hint)
    }
  }

  /// What a server says that comes to the end of the WAL before its target. (Postgres,
  /// `xlogrecovery.c`, `PerformWalRecovery`)
  private static let targetNotReached =
    "recovery ended before configured recovery target was reached"

  /// What it says of a target before the end of the backup. (the same)
  private static let targetTooEarly =
    "requested recovery stop point is before consistent recovery point"

  /// What it says that needs more WAL than it gets. (`xlogrecovery.c`, `InitWalRecovery`, `ReadRecord`;
  /// `xlog.c`, `StartupXLOG`)
  private static let needingWAL = [
    "could not locate required checkpoint record", "could not find redo location referenced",
    "WAL ends before end of online backup", "WAL ends before consistent recovery point",
  ]

  /// The error of a server that did not recover the backup; `end` is that of the WAL, if it is known.
  ///
  /// - Parameter missing: the last segment that it asked for and did not get.
  private static func notRecovered(
    _ result: ChildProcess.Result, log: String, _ end: WALEnd?, missing: WALSegmentName?
  ) -> Failure {
    let lines = ServerLog.lastLines(of: log)
    let isNotReached = lines.contains { $0.contains(targetNotReached) }
    let needsMore = lines.contains { line in needingWAL.contains { line.contains($0) } }
    if let missing, needsMore {
      return Failure(
        .walMissing,
        "the restore command does not have WAL segment '\(missing)', which the recovery needs",
        hint:
          "Look whether the archive has it, and whether the command fetches it when it runs in the "
          + "working directory of import-backup.")
    }
    let known = end.map(describe)
    let hint =
      if lines.contains(where: { $0.contains(targetTooEarly) }) {
        "The target is before the end of the backup. Give a later one, or an earlier backup."
      } else if isNotReached {
        (known ?? "")
          + "Check the target. If the WAL that leads to it is missing, \(WriteAheadLogCheck.ways)"
      } else {
        (known ?? "") + WriteAheadLogCheck.hint
      }
    return Failure(
      isNotReached ? .recoveryTargetNotReached : .recoveryFailed,
      "Postgres cannot recover the backup: \(ServerLog.describe(result, log: log))", hint: hint)
  }

  /// A sentence about the end of the WAL.
  private static func describe(_ end: WALEnd) -> String {
    let segment = WALSegmentName(
      timelineID: end.segment.timelineID, containing: end.place,
      segmentSize: end.segment.segmentSize)
    return segment == end.segment
      ? "The WAL ends at \(end.place) in segment '\(segment)': \(end.reason). "
      : "The WAL ends before segment '\(segment)'. "
  }

  /// Removes the files of prepared transactions that the checkpoint at the start of the replay does
  /// not know: the WAL brings them again.
  ///
  /// Servers of 14 to 16 do so themselves; 17 looks for them under a wrong name, and then does not
  /// take the transaction up when the WAL brings it. (Postgres 17.10, `twophase.c`)
  static func removeFutureTransactions(
    _ checkpoint: Checkpoint, _ version: PostgresVersion, _ scratch: ScratchDirectory
  ) throws(Failure) {
    let directory = try DirectoryHandle(path: scratch.data).openForWriting("pg_twophase")
    for name in try directory.names() {
      guard let id = UInt64(hexadecimal: Array(DirectoryHandle.text(name).utf8)),
        (try? checkpoint.requireAssigned(preparedTransaction: id, version: version)) == nil
      else { continue }
      try directory.remove(name)
    }
  }

  /// Moves the contents of tablespaces, if there are any, and checks that nothing is left.
  func moveTablespaces(
    _ server: SingleUserServer, _ control: ControlFile, fileCount: Int
  ) throws(Failure) -> [String] {
    let data = try DirectoryHandle(path: server.scratch.data)
    let directory = try data.openDirectory(DirectoryHandle.name("pg_tblspc"))
    let links = try directory.names()
    guard !links.isEmpty else { return [] }
    // One that was made while WAL from a restore command was replayed leads elsewhere.
    for link in links {
      let target = try directory.linkTarget(of: link)
      let id = UInt32(DirectoryHandle.text(link))
      guard target == id.map(ScratchDirectory.tablespaceLink) else {
        throw WriteAheadLogCheck.newTablespace(at: target)
      }
    }
    let move = TablespaceMove(server: server, control: control, progress: progress)
    let moved = try move.run(fileCount: fileCount)
    if let name = try directory.names().first {
      throw Failure(
        .tablespaceMoveFailed,
        "Postgres has not moved all tablespaces: "
          + "'pg_tblspc/\(escaped(DirectoryHandle.text(name).utf8))' still exists")
    }
    let after = try Self.controlFile(server.scratch)
    guard after.state == .shutDown else {
      throw Failure(
        .tablespaceMoveFailed,
        "Postgres has moved the tablespaces but did not stop cleanly (state: \(after.state))")
    }
    return moved
  }
}
