import Backup
import Pipeline
import PostgresFormat
import System

/// Looks through the WAL of a scratch copy before it is replayed.
///
/// The record of a `CREATE TABLESPACE` names the directory that the cluster had. A server that
/// replays it uses that directory, and what it replays next overwrites files in it: on the machine
/// of the cluster itself they are the cluster's own. (Postgres, `tablespace.c`,
/// `create_tablespace_directories`)
struct WriteAheadLogCheck {
  let scratch: ScratchDirectory
  let control: ControlFile
  /// Nil for a copy that is said to be of one moment.
  let label: BackupLabel?
  /// Whether the server is asked to recover from an archive, be there one or not.
  let isArchiveRecovery: Bool
  /// Whether the server gets WAL from elsewhere as well, which it then prefers to the copy's.
  let hasRestoreCommand: Bool
  /// The timeline to recover along: nil for the newest.
  var targetTimeline: String?
  /// The files that were given besides a copy with a label, all of which are to be replayed.
  var givenFiles: Set<String> = []
  var progress: RunProgress?
  private let input = InputProgress()

  /// What to do if WAL is missing or damaged.
  static let hint = "If WAL is missing, \(ways)"

  static let ways =
    "give it with '--wal', or a command that fetches it with '--restore-command'."

  /// The error of a server that could not recover for want of the segment that it begins with.
  static func isMissing(_ segment: WALSegmentName) -> Failure {
    isMissing(
      "the backup does not contain WAL segment '\(segment)', with which its recovery begins")
  }

  /// The error of a backup without any WAL.
  static let allIsMissing = isMissing("the backup contains no WAL, and none is given besides it")

  private static func isMissing(_ message: String) -> Failure {
    Failure(
      .walMissing, message,
      hint:
        "If its WAL is beside it, as 'pg_wal.tar' is beside 'base.tar', give the directory of both; if not, "
        + ways)
  }

  /// The WAL that is there to be replayed.
  struct Extent {
    /// Where replay begins.
    var start: LogSequenceNumber
    /// Where it ends; nil if a restore command may bring more.
    var last: WALEnd?
    /// Where the last record ends.
    var end: LogSequenceNumber? { last?.position }
    /// The segment that replay begins with, if the copy does not have it, and no command may bring it.
    var missingSegment: WALSegmentName?
    /// The checkpoint that replay begins with; nil if it is not in the copy's WAL.
    var firstCheckpoint: Checkpoint?
    /// The largest values that settings have on the way, by name.
    var settings: [String: Int32] = [:]
    /// Where the server goes on with what the restore command brings.
    var archiveStart: LogSequenceNumber
    /// The value of `recovery_target_timeline` with which a server replays what was looked at; nil if
    /// it may choose.
    var targetTimeline: String?
    /// Why a copy without a label is taken for one of one moment; nil if nothing had to say so.
    var snapshotCheck: SnapshotCheck?
  }

  /// Where replay begins; throws if no record can be there.
  func start() throws(Failure) -> (LogSequenceNumber, WALSegmentName) {
    let start = label?.start ?? control.checkpointCopy.redo
    do throws(FormatError) {
      try WALLayout.requireRecordStart(start, segmentSize: control.walSegmentSize)
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: Self.hint)
    }
    let segment = WALSegmentName(
      timelineID: label?.timelineID ?? control.checkpointCopy.timelineID, containing: start,
      segmentSize: control.walSegmentSize)
    return (start, segment)
  }

  /// Gets a record, and what it does besides changing blocks.
  typealias Observer = (borrowing WALRecord, WALChange?) throws(Failure) -> Void

  /// Reads the WAL that the server will replay, from the start of replay on, and gives every record
  /// to `observe`.
  ///
  /// If a restore command may bring WAL, what is replayed shows only then (`Stream`), and all that is
  /// there is looked through for tablespaces.
  ///
  /// - Throws: `.unsupported` if a record makes a tablespace. `.damaged` if the WAL is known to be
  ///   damaged.
  func run(_ observe: Observer = { _, _ in }) throws(Failure) -> Extent {
    let (start, first) = try start()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let segments = try segments(from: first.number)
    progress?.begin(
      .checkingWAL, reading: input,
      byteCount: UInt64(segments.count) * UInt64(first.segmentSize))
    var extent = Extent(start: start, archiveStart: start, targetTimeline: targetTimeline)
    func take(_ change: WALChange?) {
      switch change {
      case .checkpoint(let found): extent.firstCheckpoint = extent.firstCheckpoint ?? found
      case .parameterChange(let minimum):
        extent.settings.raise(to: minimum)
      default: break
      }
    }
    guard !asksFromStart else {
      for run in Self.runs(segments) {
        let start = run[0] == first ? WALDecoder.Start.record(start) : .firstRecord
        _ = try decode(run, from: start, &buffer) { _, change throws(Failure) in
          if run[0] == first { take(change) }
        }
      }
      return extent
    }
    let (history, target) = try replayHistory()
    let path = Self.path(from: first, along: history, among: segments)
    guard !path.isEmpty else {
      // Said when the server has failed.
      if !hasRestoreCommand { extent.missingSegment = first }
      return extent
    }
    let outcome = try decode(path, from: .record(start), &buffer) {
      record, change throws(Failure) in
      take(change)
      try observe(record, change)
    }
    do throws(FormatError) {
      let end = try outcome.get()
      if !hasRestoreCommand {
        try end.requireNoLaterSegment()
        extent.last = end
      }
      extent.archiveStart = WALLayout.recordStart(
        atOrAfter: end.position, segmentSize: control.walSegmentSize)
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: Self.hint)
    }
    extent.targetTimeline = target
    return extent
  }

  /// Whether the server asks the restore command for all WAL, and not only for what comes after the
  /// copy's: it does not if the cluster looks as after a crash. (Postgres, `xlogrecovery.c`,
  /// `InitWalRecovery`)
  var asksFromStart: Bool {
    hasRestoreCommand
      && (label != nil || control.minRecoveryPoint.rawValue != 0 || control.state == .shutDown)
  }

  /// The timelines that a server goes along when nothing else is asked for, and how to ask for them:
  /// those that lead to the newest that has a history in the copy; after a crash that of `pg_control`.
  /// (Postgres, `timeline.c`, `findNewestTimeLine`; `xlogrecovery.c`, `validateRecoveryParameters`)
  private func replayHistory() throws(Failure) -> (TimelineHistory, target: String?) {
    let current = control.recoveryTimelineID
    var target = current
    if let targetTimeline, targetTimeline != "latest" {
      target = UInt32(targetTimeline) ?? current
    } else if isArchiveRecovery, !hasRestoreCommand {
      while target < .max, try hasHistory(of: target + 1) { target += 1 }
    }
    let value =
      !isArchiveRecovery || hasRestoreCommand
      ? targetTimeline : target == current ? "current" : String(target)
    return (try history(of: target), value)
  }

  /// The timelines that lead to this one, as far as the copy knows them.
  func history(of timelineID: UInt32) throws(Failure) -> TimelineHistory {
    guard timelineID > 1, try hasHistory(of: timelineID) else {
      return TimelineHistory(of: timelineID)
    }
    let name = TimelineHistory.fileName(timelineID)
    let bytes = try SystemCalls.contents(of: directory + "/" + name, limit: 1 << 20)
    do throws(FormatError) {
      return try TimelineHistory(of: timelineID, decoding: bytes.bytes)
    } catch {
      throw Failure(error, in: "file 'pg_wal/\(name)'", damage: .walDamaged)
    }
  }

  private func hasHistory(of timelineID: UInt32) throws(Failure) -> Bool {
    try SystemCalls.status(at: directory + "/" + TimelineHistory.fileName(timelineID))?.kind
      == .file
  }

  /// The segments that a server reads: of each number the one of the newest timeline that had begun by
  /// then. Those after a missing number are among them, so that the gap shows. (Postgres,
  /// `xlogrecovery.c`, `XLogFileReadAnyTLI`)
  static func path(
    from first: WALSegmentName, along history: TimelineHistory, among segments: [WALSegmentName]
  ) -> [WALSegmentName] {
    var path: [UInt64: WALSegmentName] = [:]
    for segment in segments {
      guard let part = history.parts.first(where: { $0.timelineID == segment.timelineID }),
        segment.number >= part.start.rawValue / UInt64(first.segmentSize),
        segment.timelineID >= path[segment.number]?.timelineID ?? 0
      else { continue }
      path[segment.number] = segment
    }
    return path.values.sorted { $0.number < $1.number }
  }

  /// Runs of segments of one timeline that follow each other.
  private static func runs(_ segments: [WALSegmentName]) -> [[WALSegmentName]] {
    var runs: [[WALSegmentName]] = []
    for segment in segments {
      if let last = runs.last?.last, last.timelineID == segment.timelineID,
        last.number + 1 == segment.number
      {
        runs[runs.count - 1].append(segment)
      } else {
        runs.append([segment])
      }
    }
    return runs
  }

  /// The refusal of a backup whose replay makes a tablespace.
  static func newTablespace(at place: String) -> Failure {
    Failure(
      .newTablespace,
      "a tablespace was created during the backup or later: \(place.quoted)",
      hint: "Take a new backup: this one cannot be recovered without writing to that directory.")
  }

  /// The same look at segments that come one after another while the server replays them.
  struct Stream {
    private let control: ControlFile
    private let start: LogSequenceNumber
    /// The number of the segment that replay comes to next.
    private var next: UInt64
    private var decoder: WALDecoder?

    /// Where the records end that were given to `observe`; nil before the first, and if they are damaged.
    var end: WALEnd? {
      var decoder = decoder
      return try? decoder?.finish()
    }

    /// The first checkpoint from the start of replay on, once it was read.
    private(set) var firstCheckpoint: Checkpoint?

    /// The largest values that settings have had on the way, by name.
    private(set) var settings: [String: Int32] = [:]

    /// Begins at a record.
    init(_ control: ControlFile, from start: LogSequenceNumber) {
      self.control = control
      self.start = start
      next = start.rawValue / UInt64(control.walSegmentSize)
    }

    /// Reads a segment that the server is about to get, and gives its records to `observe` if replay
    /// has come to it; before that, a server may look for a checkpoint in it.
    ///
    /// - Throws: `.unsupported` if a record of the segment makes a tablespace; `.damaged` if the WAL
    ///   before it ends, so that what follows is not known to follow.
    mutating func decode(
      _ name: WALSegmentName, of file: InputFile, byteCount: UInt64, _ buffer: inout [UInt8],
      _ observe: Observer
    ) throws(Failure) {
      let isNext = name.number == next
      var state: WALDecoder
      if isNext, let decoder {
        guard !decoder.hasEnded else { throw Self.ended(before: name) }
        state = decoder
      } else {
        state = try makeDecoder(of: control, from: isNext ? .record(start) : .firstRecord)
      }
      state.begin(name)
      try WriteAheadLogCheck.readPages(of: file, upTo: byteCount, into: &buffer) {
        pages throws(Failure) in
        try state.decode(pages) { record throws(Failure) in
          let change = try WriteAheadLogCheck.change(of: record)
          if case .checkpoint(let found) = change, record.start >= start {
            firstCheckpoint = firstCheckpoint ?? found
          }
          if isNext {
            if case .parameterChange(let minimum) = change { settings.raise(to: minimum) }
            try observe(record, change)
          }
        }
        return !state.hasEnded
      }
      guard isNext else { return }
      decoder = state
      next += 1
    }

    private static func ended(before name: WALSegmentName) -> Failure {
      Failure(
        .walDamaged, "the WAL ends before segment '\(name)', which the server asks for",
        hint: WriteAheadLogCheck.hint)
    }
  }

  /// Throws if no record can start there.
  func makeDecoder(from start: WALDecoder.Start) throws(Failure) -> WALDecoder {
    try Self.makeDecoder(of: control, from: start)
  }

  static func makeDecoder(
    of control: ControlFile, from start: WALDecoder.Start
  ) throws(Failure) -> WALDecoder {
    do throws(FormatError) {
      return try WALDecoder(
        version: control.version, systemIdentifier: control.systemIdentifier,
        segmentSize: control.walSegmentSize, from: start)
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: hint)
    }
  }

  var directory: String { scratch.data + "/pg_wal" }

  /// The segments from a number on, those of each timeline in their order.
  private func segments(from number: UInt64) throws(Failure) -> [WALSegmentName] {
    try SystemCalls.names(in: directory).compactMap { text in
      let name = WALSegmentName(text, segmentSize: control.walSegmentSize)
      return name?.description == text && name.map { $0.number >= number } == true ? name : nil
    }
  }

  /// Where the WAL of these segments ends, or how it is damaged.
  private func decode(
    _ segments: [WALSegmentName], from start: WALDecoder.Start, _ buffer: inout [UInt8],
    _ observe: Observer
  ) throws(Failure) -> Result<WALEnd, FormatError> {
    var decoder = try makeDecoder(from: start)
    for name in segments {
      decoder.begin(name)
      progress?.note { name.description }
      let limit =
        !decoder.hasEnded
        ? UInt64(name.segmentSize) : mayContradict(name) ? WALLayout.pageSize : 0
      try read("\(name)", limit: limit, into: &buffer) { pages throws(Failure) in
        try decoder.decode(pages) { record throws(Failure) in
          try observe(record, try Self.change(of: record))
        }
        return !decoder.hasEnded
      }
      input.addBytesRead(Int(name.segmentSize))
    }
    return Result { () throws(FormatError) in try decoder.finish() }
  }

  /// Whether a segment behind the end of the WAL shows that some of it is missing or damaged.
  ///
  /// Those of a backup with a label do not: they were copied while they were written, so that there may be
  /// holes behind the backup's end.
  private func mayContradict(_ segment: WALSegmentName) -> Bool {
    label == nil || givenFiles.contains(segment.description)
  }

  /// What a record does besides changing blocks; throws if it makes a tablespace.
  private static func change(of record: borrowing WALRecord) throws(Failure) -> WALChange? {
    let change = try anyChange(of: record)
    if case .tablespaceCreation(_, let location) = change {
      throw newTablespace(at: String(decoding: location, as: UTF8.self))
    }
    return change
  }

  /// The same of a record that will not be replayed.
  static func anyChange(of record: borrowing WALRecord) throws(Failure) -> WALChange? {
    do throws(FormatError) {
      return try record.change()
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: hint)
    }
  }

  /// Gives the whole pages of a file of `pg_wal` in pieces, up to `limit` bytes or until `body` wants no more.
  func read(
    _ file: String, limit: UInt64, into buffer: inout [UInt8],
    _ body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    let (file, byteCount) = try SystemCalls.openRegularFile(directory + "/" + file)
    try Self.readPages(of: InputFile(file), upTo: min(byteCount, limit), into: &buffer, body)
  }

  static func readPages(
    of file: InputFile, upTo byteCount: UInt64, into buffer: inout [UInt8],
    _ body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    let end = byteCount / WALLayout.pageSize * WALLayout.pageSize
    var offset: UInt64 = 0
    while offset < end {
      try Interruption.check()
      let count = Int(min(end - offset, UInt64(buffer.count)))
      let read = min(count, try file.read(into: &buffer, at: offset))
      // A file that became shorter since is read up to its end.
      let whole = read / Int(WALLayout.pageSize) * Int(WALLayout.pageSize)
      guard try body(buffer.bytes.extracting(0..<whole)), read == count else { return }
      offset += UInt64(count)
    }
  }
}

extension [String: Int32] {
  /// Raises values to those of a cluster's settings.
  fileprivate mutating func raise(to minimum: MinimumSettings) {
    for (name, value) in minimum.values { self[name] = Swift.max(self[name] ?? value, value) }
  }
}
