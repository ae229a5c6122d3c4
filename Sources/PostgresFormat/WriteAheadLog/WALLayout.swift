/// The layout of records in the write-ahead log.
///
///     segment ──────────────────────────────────────────────┐
///     │ 40 header │ records … │ 24 header │ … records … │ …  │
///     └─ page of 8192 ────────┴─ page ───────────────────────┘
///
/// A record starts at a multiple of 8, never within a page header, and continues after the page
/// headers in its way (Postgres, `src/include/access/xlog_internal.h`).
public enum WALLayout {
  /// The length of a WAL page in bytes.
  public static let pageSize: UInt64 = 8192

  /// The segment size of computes, safekeepers and pageservers, whatever the cluster used.
  public static let pageserverSegmentSize: UInt32 = 16 << 20

  /// The length of a checkpoint record in bytes: record header, data header, data.
  public static let checkpointRecordByteCount: UInt64 = 24 + 2 + UInt64(Checkpoint.byteCount)

  /// The length of the header of the page at `pageStart` in bytes.
  public static func headerByteCount(at pageStart: LogSequenceNumber, segmentSize: UInt32)
    -> UInt64
  {
    pageStart.rawValue.isMultiple(of: UInt64(segmentSize)) ? 40 : 24
  }

  /// Where the next record starts after the checkpoint record at `start`.
  ///
  /// The record itself is in segments of the cluster's size. A compute writes the next record, so a
  /// page boundary between the two is followed by a header as in segments of 16 MiB.
  ///
  /// - Parameter segmentSize: the segment size of the cluster, a checked power of two.
  /// - Throws: `damaged` if no record can start at `start`.
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

  /// The first position from `position` on, a multiple of 8, that is not within a page header.
  public static func recordStart(
    atOrAfter position: LogSequenceNumber, segmentSize: UInt32
  ) -> LogSequenceNumber {
    let offset = position.rawValue % pageSize
    let pageStart = LogSequenceNumber(rawValue: position.rawValue - offset)
    return max(position, pageStart + headerByteCount(at: pageStart, segmentSize: segmentSize))
  }

  /// Checks that a record can start at a position: a multiple of 8, not within a page header, not
  /// in the first segment, which Postgres never uses, and not at the very end of the range of LSNs.
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

  /// Checks that a record can end at a position: a multiple of 8, and not below 1 MiB, as no
  /// cluster uses its first segment.
  ///
  /// For the position of a backup by a pageserver, which may be the start of a page.
  ///
  /// - Throws: `damaged`.
  public static func requireRecordEnd(_ position: LogSequenceNumber) throws(FormatError) {
    guard position.rawValue >= 1 << 20, position.rawValue.isMultiple(of: 8),
      position.rawValue < 1 << 63
    else {
      throw .damaged("no WAL record can end at \(position)")
    }
  }
}
