/// A whole file of `pg_wal` that a server can start from.
public struct WALSegment: Equatable, Sendable {
  /// The file name, 24 hexadecimal digits: Postgres timeline and position in the log.
  public let name: String

  /// The contents, as many bytes as the segment size.
  public let bytes: [UInt8]
}

<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
/// Makes the WAL segments of a backup, with at most one record.
///
///     page header                                all little-endian
///     OFFSET SIZE MEANING
///          0    2 magic, by version
///          2    2 1: starts with the rest of a record; 2: long header
///          4    4 timeline
///          8    8 LSN of the page itself
///         16    4 remaining bytes of the record, on this page and the next ones
///         20    4 zero
///         24    8 system identifier              first page of a segment only
///         32    4 segment size
///         36    4 page size
///
/// (Postgres, `src/include/access/xlog_internal.h`, `XLogLongPageHeaderData`.)
=======
/// Makes the WAL segments of a backup, which hold one record at most.
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift
public struct WALSegmentBuilder: Sendable {
  /// The major version of Postgres.
  public var version: PostgresVersion
  /// The system identifier of the cluster.
  public var systemIdentifier: UInt64
  /// The Postgres timeline.
  public var timelineID: UInt32 = 1
  /// The segment size in bytes, a checked power of two.
  public var segmentSize = WALLayout.pageserverSegmentSize

  /// A builder for the segments of a cluster, on Postgres timeline 1.
  public init(version: PostgresVersion, systemIdentifier: UInt64) {
    self.version = version
    self.systemIdentifier = systemIdentifier
  }

  /// The segment that a pageserver puts into its own backups: zeros except for the headers of its
  /// first page and of the page with `end`, which says that a record ends at `end`.
  ///
  /// `end` must be after a page header: `WALLayout.recordStart(atOrAfter:segmentSize:)`.
  public func segment(endingAt end: LogSequenceNumber) -> WALSegment {
<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
    // A pageserver sets the bit even if no bytes of a record remain.
    segments(holding: [], at: end, firstPageFlags: Flag.continuesRecord)[0]
=======
    // A pageserver sets the bit even where nothing is left of a record.
    segments(holding: [], at: end, firstPageFlags: .continuesRecord)[0]
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift
  }

  /// The segments with a shutdown checkpoint record at `start`: two if the record crosses the end
  /// of the first.
  ///
  /// `start` must be after a page header: `WALLayout.recordStart(atOrAfter:segmentSize:)`.
  public func segments(
    holding checkpoint: Checkpoint, at start: LogSequenceNumber
  ) -> [WALSegment] {
    let before = start.rawValue % WALLayout.pageSize - header(at: pageStart(of: start))
    return segments(
      holding: Self.record(of: checkpoint), at: start,
      firstPageFlags: before > 0 ? .continuesRecord : [])
  }

  /// The record that ends a log: a shutdown checkpoint (0) of the log itself.
  ///
<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
  ///     OFFSET SIZE MEANING
  ///          0    4 length, 114
  ///          4    4 transaction id, 0
  ///          8    8 start of the previous record; not used when a server starts from this one
  ///         16    2 shutdown checkpoint (0) of the WAL resource manager (0)
  ///         20    4 CRC-32C of the bytes after it, then of the bytes before it
  ///         24    2 255, 88: main data, its length
  ///         26   88 the checkpoint
  ///
  /// (Postgres, `src/include/access/xlogrecord.h`, `XLogRecord`.)
=======
  /// - Parameter previous: where the record before starts; a start from this one does not look back.
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift
  static func record(
    of checkpoint: Checkpoint, previous: LogSequenceNumber = LogSequenceNumber(rawValue: 0)
  ) -> [UInt8] {
    let header = WALRecordHeader(
      totalByteCount: UInt32(WALLayout.checkpointRecordByteCount), previous: previous, info: 0,
      resourceManager: .log)
    return header.record(
      holding: [WALRecordParts.shortMainData, UInt8(Checkpoint.byteCount)] + checkpoint.bytes)
  }

<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
  /// Writes `record` into as many segments as it needs, at least the one with `start`.
  private func segments(
    holding record: [UInt8], at start: LogSequenceNumber, firstPageFlags: UInt16
=======
  /// Lays `record` out over as many segments as it touches, at least the one that `start` is in.
  func segments(
    holding record: [UInt8], at start: LogSequenceNumber, firstPageFlags: WALPageHeader.Flags
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift
  ) -> [WALSegment] {
    let size = UInt64(segmentSize)
    let base = start.rawValue - start.rawValue % size
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let page = pageStart(of: start)
<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
    let afterHeader = start.rawValue - page - header(at: page)
    if page != base { putHeader(at: base, flags: 0, remaining: 0, in: &bytes, base: base) }
    putHeader(at: page, flags: firstPageFlags, remaining: afterHeader, in: &bytes, base: base)
=======
    let behindHeader = start.rawValue - page - header(at: page)
    if page != base { putHeader(at: base, flags: [], remaining: 0, in: &bytes, base: base) }
    putHeader(at: page, flags: firstPageFlags, remaining: behindHeader, in: &bytes, base: base)
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift

    var position = start.rawValue
    var rest = record[...]
    while true {
      let room = Int(WALLayout.pageSize - position % WALLayout.pageSize)
      let part = rest.prefix(room)
      let offset = Int(position - base)
      bytes.replaceSubrange(offset..<offset + part.count, with: part)
      rest = rest.dropFirst(part.count)
      if rest.isEmpty { break }
      position += UInt64(room)
      if position - base == bytes.count { bytes += [UInt8](repeating: 0, count: Int(size)) }
      putHeader(
        at: position, flags: .continuesRecord, remaining: UInt64(rest.count), in: &bytes,
        base: base)
      position += header(at: position)
    }
    return stride(from: 0, to: bytes.count, by: Int(size)).map { offset in
      WALSegment(
        name: name(ofSegmentAt: base + UInt64(offset)),
        bytes: bytes.count == Int(size) ? bytes : Array(bytes[offset..<offset + Int(size)]))
    }
  }

  private func pageStart(of position: LogSequenceNumber) -> UInt64 {
    position.rawValue - position.rawValue % WALLayout.pageSize
  }

  private func header(at page: UInt64) -> UInt64 {
    WALLayout.headerByteCount(
      at: LogSequenceNumber(rawValue: page), segmentSize: segmentSize)
  }

  private func putHeader(
    at page: UInt64, flags: WALPageHeader.Flags, remaining: UInt64, in bytes: inout [UInt8],
    base: UInt64
  ) {
    var header = WALPageHeader(
      magic: version.walPageMagic, flags: flags, timelineID: timelineID,
      address: LogSequenceNumber(rawValue: page), remainingByteCount: UInt32(remaining))
    if page.isMultiple(of: UInt64(segmentSize)) {
      header.flags.insert(.isLong)
      header.identity = .init(systemIdentifier: systemIdentifier, segmentSize: segmentSize)
    }
    header.encode(into: &bytes, at: Int(page - base))
  }

<<<<<<< HEAD:Sources/PostgresFormat/WALSegment.swift
  /// `TTTTTTTTHHHHHHHHLLLLLLLL`: the Postgres timeline, and the number of the segment in two parts
  /// (`XLogFileName`).
=======
>>>>>>> f47856b (Decode the write-ahead log of Postgres 14 to 17):Sources/PostgresFormat/WriteAheadLog/WALSegmentBuilder.swift
  private func name(ofSegmentAt base: UInt64) -> String {
    WALSegmentName(
      timelineID: timelineID, containing: LogSequenceNumber(rawValue: base),
      segmentSize: segmentSize
    ).description
  }
}
