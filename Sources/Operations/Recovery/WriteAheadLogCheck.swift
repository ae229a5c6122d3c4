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
  /// Whether the server gets WAL from elsewhere as well, which it then prefers to the copy's.
  let hasRestoreCommand: Bool
  var progress: RunProgress?
  private let input = InputProgress()

  /// What to do if WAL is missing or damaged.
  static let hint =
    "If WAL is missing, give it with '--wal', or a command that fetches it with "
    + "'--restore-command'."

  /// The WAL that is there to be replayed.
  struct Extent {
    /// Where replay begins.
    var start: LogSequenceNumber
    /// Where the last record ends, of whichever timeline goes furthest; nil if a restore command
    /// may bring more.
    var end: LogSequenceNumber?
  }

  /// Reads all segments from the start of replay on, of every timeline.
  ///
  /// - Throws: `.unsupported` if a record makes a tablespace; what a restore command brings is not
  ///   seen. `.damaged` if the WAL that is replayed first is known to be damaged.
  @discardableResult
  func run() throws(Failure) -> Extent {
    let start = label?.start ?? control.checkpointCopy.redo
    do throws(FormatError) {
      try WALLayout.requireRecordStart(start, segmentSize: control.walSegmentSize)
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: Self.hint)
    }
    let first = WALSegmentName(
      timelineID: label?.timelineID ?? control.checkpointCopy.timelineID, containing: start,
      segmentSize: control.walSegmentSize)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var extent = Extent(start: start)
    let timelines = try timelines(from: first)
    progress?.begin(
      .checkingWAL, reading: input,
      byteCount: timelines.reduce(0) { $0 + UInt64($1.count) * UInt64(first.segmentSize) })
    for segments in timelines {
      let isFirst = segments[0].number == first.number
      let outcome = try decode(
        segments[...], from: isFirst ? .record(start) : .firstRecord, &buffer)
      if !hasRestoreCommand, case .success(let end) = outcome {
        extent.end = max(extent.end ?? start, end.position)
      }
      // What comes after missing segments may be replayed all the same, with a restore command.
      for index in segments.indices.dropFirst()
      where segments[index].number != segments[index - 1].number + 1 {
        _ = try decode(segments[index...], from: .firstRecord, &buffer)
      }
      // Where replay goes on on other timelines, or with other WAL, the server alone decides.
      guard isFirst, segments[0].timelineID == first.timelineID, !hasRestoreCommand else {
        continue
      }
      do throws(FormatError) {
        let end = try outcome.get()
        if label == nil { try end.requireNoLaterSegment() }
      } catch {
        throw Failure(error.code ?? .walDamaged, error.message, hint: Self.hint)
      }
    }
    return extent
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
    let control: ControlFile
    private var decoder: (state: WALDecoder, last: WALSegmentName)?

    init(control: ControlFile) { self.control = control }

    /// Throws `.unsupported` if a record of the segment makes a tablespace. Whether it is damaged
    /// is for the server to say.
    mutating func decode(
      _ name: WALSegmentName, of file: Descriptor, byteCount: UInt64, _ buffer: inout [UInt8]
    ) throws(Failure) {
      var state: WALDecoder
      if let (last, previous) = decoder, previous.timelineID == name.timelineID,
        previous.number + 1 == name.number, !last.hasEnded
      {
        state = last
      } else {
        guard
          let first = try? WALDecoder(
            version: control.version, systemIdentifier: control.systemIdentifier,
            segmentSize: control.walSegmentSize, from: .firstRecord)
        else { return }
        state = first
      }
      state.begin(name)
      try WriteAheadLogCheck.readPages(of: file, upTo: byteCount, into: &buffer) {
        pages throws(Failure) in
        try state.decode(pages) { record throws(Failure) in
          try WriteAheadLogCheck.check(record)
        }
        return !state.hasEnded
      }
      decoder = (state, name)
    }
  }

  private var directory: String { scratch.data + "/pg_wal" }

  /// The segments from a number on, those of each timeline in their order.
  private func timelines(from first: WALSegmentName) throws(Failure) -> [[WALSegmentName]] {
    var timelines: [[WALSegmentName]] = []
    for text in try SystemCalls.names(in: directory) {
      guard let name = WALSegmentName(text, segmentSize: first.segmentSize),
        name.description == text, name.number >= first.number
      else { continue }
      if timelines.last?.last?.timelineID == name.timelineID {
        timelines[timelines.count - 1].append(name)
      } else {
        timelines.append([name])
      }
    }
    return timelines
  }

  /// Where the WAL of these segments ends, or how it is damaged.
  private func decode(
    _ segments: ArraySlice<WALSegmentName>, from start: WALDecoder.Start, _ buffer: inout [UInt8]
  ) throws(Failure) -> Result<WALEnd, FormatError> {
    var decoder: WALDecoder
    do throws(FormatError) {
      decoder = try WALDecoder(
        version: control.version, systemIdentifier: control.systemIdentifier,
        segmentSize: control.walSegmentSize, from: start)
    } catch {
      return .failure(error)
    }
    for name in segments {
      decoder.begin(name)
      progress?.note { name.description }
      let limit = decoder.hasEnded ? WALLayout.pageSize : UInt64(name.segmentSize)
      try read(name, limit: limit, into: &buffer) { pages throws(Failure) in
        try decoder.decode(pages) { record throws(Failure) in try Self.check(record) }
        return !decoder.hasEnded
      }
      input.addBytesRead(Int(name.segmentSize))
    }
    return Result { () throws(FormatError) in try decoder.finish() }
  }

  private static func check(_ record: WALRecord) throws(Failure) {
    let change: WALChange?
    do throws(FormatError) {
      change = try record.change()
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: hint)
    }
    guard case .tablespaceCreation(_, let location) = change else { return }
    throw newTablespace(at: String(decoding: location, as: UTF8.self))
  }

  /// Gives a segment's whole pages in pieces, up to `limit` bytes or until `body` wants no more.
  private func read(
    _ name: WALSegmentName, limit: UInt64, into buffer: inout [UInt8],
    _ body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    let path = directory + "/\(name)"
    let (file, byteCount) = try SystemCalls.openRegularFile(path)
    try Self.readPages(of: file, upTo: min(byteCount, limit), into: &buffer, body)
  }

  private static func readPages(
    of file: Descriptor, upTo byteCount: UInt64, into buffer: inout [UInt8],
    _ body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    let end = byteCount / WALLayout.pageSize * WALLayout.pageSize
    var offset: UInt64 = 0
    while offset < end {
      try Interruption.check()
      let count = Int(min(end - offset, UInt64(buffer.count)))
      let read = try file.read(into: &buffer, count: count, at: offset)
      // A file that became shorter since is read up to its end.
      let whole = read / Int(WALLayout.pageSize) * Int(WALLayout.pageSize)
      guard try body(buffer.bytes.extracting(0..<whole)), read == count else { return }
      offset += UInt64(count)
    }
  }
}
