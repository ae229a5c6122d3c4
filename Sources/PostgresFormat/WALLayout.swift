/// How records lie in the write-ahead log.
///
///     segment ──────────────────────────────────────────────┐
///     │ 40 header │ records … │ 24 header │ … records … │ …  │
///     └─ page of 8192 ────────┴─ page ───────────────────────┘
///
/// A record starts at a multiple of 8, never within a page's header, and flows around the headers
/// that it meets (Postgres, `src/include/access/xlog_internal.h`).
public enum WALLayout {
  public static let pageSize: UInt64 = 8192

  /// The segment size of computes, safekeepers and pageservers, whatever the cluster's was.
  public static let pageserverSegmentSize: UInt32 = 16 << 20

  /// The length of the record of a checkpoint: its header, the data's header, the data.
  public static let checkpointRecordByteCount: UInt64 = 24 + 2 + UInt64(Checkpoint.byteCount)

  /// The length of the header of the page that starts at `pageStart`.
  public static func headerByteCount(at pageStart: LogSequenceNumber, segmentSize: UInt32)
    -> UInt64
  {
    pageStart.rawValue.isMultiple(of: UInt64(segmentSize)) ? 40 : 24
  }

  /// Where the next record will start, after the checkpoint record at `start`.
  ///
  /// The record itself lies in segments of the cluster's size; the next one a compute writes, so
  /// that a boundary between the two is followed by a header of segments of 16 MiB.
  ///
  /// - Parameter segmentSize: the cluster's, a power of two that has been checked.
  /// - Throws: `damaged` when no record can start at `start`.
  public static func endOfCheckpointRecord(
    startingAt start: LogSequenceNumber, segmentSize: UInt32
  ) throws(FormatError) -> LogSequenceNumber {
    try requireRecordStart(start, segmentSize: segmentSize)
    var position = start
    var remaining = checkpointRecordByteCount
    while true {
      let room = pageSize - position.rawValue % pageSize
      if remaining <= room { break }
      remaining -= room
      position = position + room
      position = position + headerByteCount(at: position, segmentSize: segmentSize)
    }
    position = LogSequenceNumber(rawValue: (position.rawValue + remaining + 7) & ~7)
    if position.rawValue.isMultiple(of: pageSize) {
      position = position + headerByteCount(at: position, segmentSize: pageserverSegmentSize)
    }
    return position
  }

  /// The first position from `position` on, a multiple of 8, that is not within a page's header.
  public static func recordStart(
    atOrAfter position: LogSequenceNumber, segmentSize: UInt32
  ) -> LogSequenceNumber {
    let offset = position.rawValue % pageSize
    let pageStart = LogSequenceNumber(rawValue: position.rawValue - offset)
    return max(position, pageStart + headerByteCount(at: pageStart, segmentSize: segmentSize))
  }

  /// Checks that a record can start at a position: a multiple of 8, not within a page's header, not
  /// in the first segment, which Postgres never uses, and not at the very end of the log's range.
  public static func requireRecordStart(
    _ position: LogSequenceNumber, segmentSize: UInt32
  ) throws(FormatError) {
    try requireRecordEnd(position)
    let offset = position.rawValue % pageSize
    let pageStart = LogSequenceNumber(rawValue: position.rawValue - offset)
    guard position.rawValue >= UInt64(segmentSize),
      offset >= headerByteCount(at: pageStart, segmentSize: segmentSize)
    else {
      throw .damaged("no WAL record can start at \(position)")
    }
  }

  /// Checks that a position can be the end of a record: a multiple of 8, and not below 1 MiB, for
  /// no cluster uses its first segment.
  ///
  /// What to ask of the position that a pageserver's own backup claims; it may be a page's first.
  /// - Throws: `damaged`.
  public static func requireRecordEnd(_ position: LogSequenceNumber) throws(FormatError) {
    guard position.rawValue >= 1 << 20, position.rawValue.isMultiple(of: 8),
      position.rawValue < 1 << 63
    else {
      throw .damaged("no WAL record can end at \(position)")
    }
  }
}
