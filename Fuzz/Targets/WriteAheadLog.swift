import PostgresFormat

extension FuzzTarget {
  /// Decodes WAL. The first byte chooses the version and what the rest is: pages of a segment, in the
  /// short form of `ShortForm`, or, if its upper bit is set, what follows the header of a record.
  ///
  /// No mutation gets a checksum right, so those of the first records are made right.
  func runWriteAheadLog(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 2 else { throw .damaged("no version") }
    let choice: UInt8 = bytes.littleEndian(at: 0)
    let versions = PostgresVersion.allCases
    let version = versions[Int(choice) % versions.count]
    let rest = bytes.extracting(droppingFirst: 1)
    if choice & 0x80 != 0 { return try Self.decodeRecord(holding: rest.array, version) }
    var pages = ShortForm.decode(rest, blockByteCount: ShortForm.walPage)
    var recordCount = 0
    for _ in 0..<16 {
      guard let (count, end) = try Self.decode([pages], version) else { break }
      recordCount = max(recordCount, count)
      guard end.reason == .checksum, Self.mendChecksum(at: end.place, in: &pages) else { break }
    }
    if recordCount == 0 { throw .damaged("no record") }
  }

  private static let segmentSize: UInt32 = 1 << 20
  private static let base = LogSequenceNumber(rawValue: 3 << 20)

  /// Decodes segments from the first record on; nil without a page.
  private static func decode(
    _ segments: [[UInt8]], _ version: PostgresVersion
  ) throws(FormatError) -> (count: Int, end: WALEnd)? {
    guard let first = segments.first, first.count >= 40 else { return nil }
    var decoder = try WALDecoder(
      version: version, systemIdentifier: first.bytes.littleEndian(at: 24),
      segmentSize: segmentSize, from: .firstRecord)
    // The place of the log is the one that the first page names, if there is one.
    let address: UInt64 = first.bytes.littleEndian(at: 8)
    var start = LogSequenceNumber(rawValue: address % (1 << 62) & ~(UInt64(segmentSize) - 1))
    var count = 0
    var last = start
    for segment in segments {
      decoder.begin(
        WALSegmentName(
          timelineID: first.bytes.littleEndian(at: 4), containing: start, segmentSize: segmentSize))
      start = start + UInt64(segmentSize)
      // In pieces of a page and of three.
      var offset = 0
      while offset < segment.count {
        let piece = min(offset.isMultiple(of: 16384) ? 8192 : 24576, segment.count - offset)
        decoder.decode(segment.bytes.extracting(offset..<offset + piece)) { record in
          count += 1
          precondition(record.start >= last && record.end > record.start, "records in their order")
          precondition(record.references.count <= 33)
          precondition(record.mainData.byteCount < record.bytes.byteCount)
          _ = try? record.change()
          last = record.end
        }
        offset += piece
      }
    }
    let end = try decoder.finish()
    precondition(count == 0 || end.position == last, "a log ends with its last record")
    return (count, end)
  }

  /// Makes the checksum of a record right that is on one page.
  private static func mendChecksum(at place: LogSequenceNumber, in pages: inout [UInt8]) -> Bool {
    let offset = Int(place.rawValue % UInt64(segmentSize))
    let length = Int(pages.bytes.littleEndian(at: offset, as: UInt32.self))
    guard offset % 8192 + length <= 8192 else { return false }
    let checksum = WALRecordHeader.checksum(of: pages.bytes.extracting(offset..<offset + length))
    pages.setLittleEndian(checksum, at: offset + 20)
    return true
  }

  /// Decodes a record of these parts, whose header is right, at a place that depends on its length.
  private static func decodeRecord(
    holding parts: [UInt8], _ version: PostgresVersion
  ) throws(FormatError) {
    var header = WALRecordHeader(
      totalByteCount: UInt32(WALRecordHeader.byteCount + parts.count), previous: base,
      info: parts[0] & 0xF3, resourceManager: WALResourceManager(rawValue: parts[0] % 6))
    header.transactionID = 3
    var builder = WALSegmentBuilder(version: version, systemIdentifier: 7)
    builder.segmentSize = segmentSize
    let record = header.record(holding: parts)
    let beforeEnd = UInt64(8 * (1 + parts.count % 2048))
    let start = LogSequenceNumber(
      rawValue: base.rawValue + UInt64(segmentSize) - beforeEnd)
    let first = WALLayout.recordStart(atOrAfter: start, segmentSize: segmentSize)
    let segments = builder.segments(holding: record, at: first, firstPageFlags: [])
    var decoder = try WALDecoder(
      version: version, systemIdentifier: 7, segmentSize: segmentSize, from: .record(first))
    var count = 0
    for segment in segments {
      guard let name = WALSegmentName(segment.name, segmentSize: segmentSize) else {
        preconditionFailure("a name that is written is read")
      }
      decoder.begin(name)
      decoder.decode(segment.bytes.bytes) { found in
        count += 1
        precondition(found.bytes.byteCount == record.count && found.start == first)
        _ = try? found.change()
      }
    }
    _ = try decoder.finish()
    precondition(count == 1, "a sound record is found")
  }
}
