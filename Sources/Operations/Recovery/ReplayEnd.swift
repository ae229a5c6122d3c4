import PostgresFormat
import System

/// Whether a server has replayed just the records that were looked at, by the WAL that it has left.
///
/// What it wrote itself begins with a record that names the last of them as the one before, and leads to
/// the checkpoint with which it stopped, record by record. One header alone shows nothing: a record that was
/// broken off, or whose contents are damaged, names the last one as well, and may still be there. Over one that
/// was broken off the decoder goes on as the server does that ends a crash: at the page that does not
/// continue it, with a record that names it. (Postgres, `xlog.c`, `CreateOverwriteContrecordRecord`)
enum ReplayEnd {
  /// The setting by which a server leaves all of its WAL; else its checkpoints remove the segments before
  /// theirs. (Postgres, `xlog.c`, `KeepLogSeg`)
  static let setting = (name: "wal_keep_size", value: String(Int32.max))

  /// - Parameters:
  ///   - last: the last of the records, and where it ends.
  ///   - directory: `pg_wal` as the server has left it.
  ///   - control: what it has left.
  static func isShown(
    after last: (start: LogSequenceNumber, end: LogSequenceNumber), in directory: DirectoryHandle,
    _ control: ControlFile
  ) throws(Failure) -> Bool {
    let start = WALLayout.recordStart(atOrAfter: last.end, segmentSize: control.walSegmentSize)
    var decoder = try WriteAheadLogCheck.makeDecoder(of: control, from: .record(start))
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var previous: LogSequenceNumber?
    var hasCheckpoint = false
    var position = start
    while !hasCheckpoint, !decoder.hasEnded {
      let segment = WALSegmentName(
        timelineID: control.checkpointCopy.timelineID, containing: position,
        segmentSize: control.walSegmentSize)
      let name = DirectoryHandle.name(segment.description)
      guard let status = try directory.status(of: name), status.kind == .file else { return false }
      decoder.begin(segment)
      try WriteAheadLogCheck.readPages(
        of: directory.openFile(name), upTo: min(status.byteCount, UInt64(segment.segmentSize)),
        into: &buffer
      ) { pages throws(Failure) in
        decoder.decode(pages) { record in
          if previous == nil { previous = WALRecordHeader(decoding: record.bytes).previous }
          if record.start == control.checkPoint { hasCheckpoint = true }
        }
        return !hasCheckpoint && !decoder.hasEnded
      }
      position = segment.start + UInt64(segment.segmentSize)
    }
    return hasCheckpoint && previous == last.start
  }
}
