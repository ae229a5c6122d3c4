/// A whole file of `pg_wal` that a server can start from.
public struct WALSegment: Equatable, Sendable {
  /// The file name, 24 hexadecimal digits: Postgres timeline and position in the log.
  public let name: String

  /// The contents, as many bytes as the segment size.
  public let bytes: [UInt8]
}

/// Makes the WAL segments of a backup, with at most one record.
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
    // A pageserver sets the bit even if no bytes of a record remain.
    segments(holding: [], at: end, firstPageFlags: .continuesRecord)[0]
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
  /// - Parameter previous: the start of the previous record; not used when a server starts from this
  ///   one.
  static func record(
    of checkpoint: Checkpoint, previous: LogSequenceNumber = LogSequenceNumber(rawValue: 0)
  ) -> [UInt8] {
    let header = WALRecordHeader(
      totalByteCount: UInt32(WALLayout.checkpointRecordByteCount), previous: previous, info: 0,
      resourceManager: .log)
    return header.record(
      holding: [WALRecordParts.shortMainData, UInt8(Checkpoint.byteCount)] + checkpoint.bytes)
  }

  /// Writes `record` into as many segments as it needs, at least the one with `start`.
  package func segments(
    holding record: [UInt8], at start: LogSequenceNumber, firstPageFlags: WALPageHeader.Flags
  ) -> [WALSegment] {
    let size = UInt64(segmentSize)
    let base = start.rawValue - start.rawValue % size
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let page = pageStart(of: start)
    let afterHeader = start.rawValue - page - header(at: page)
    if page != base { putHeader(at: base, flags: [], remaining: 0, in: &bytes, base: base) }
    putHeader(at: page, flags: firstPageFlags, remaining: afterHeader, in: &bytes, base: base)

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

  private func name(ofSegmentAt base: UInt64) -> String {
    WALSegmentName(
      timelineID: timelineID, containing: LogSequenceNumber(rawValue: base),
      segmentSize: segmentSize
    ).description
  }
}
