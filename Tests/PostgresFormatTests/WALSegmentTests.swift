import Foundation
import Testing

@testable import PostgresFormat

struct WALSegmentTests {
  /// A reader of the log: it checks the headers of pages, and joins a record from the bytes after
  /// them.
  private struct Reader {
    let segments: [WALSegment]
    let builder: WALSegmentBuilder
    let base: UInt64

    /// The `count` bytes of the record at `start`; nil if a page header is wrong.
    func record(at start: UInt64, count: Int) throws -> [UInt8] {
      let size = Int(builder.segmentSize)
      let bytes = segments.flatMap(\.bytes)
      #expect(bytes.count == segments.count * size)
      var record: [UInt8] = []
      var position = Int(start - base)
      try checkHeader(bytes, at: position - position % 8192, continues: nil)
      while record.count < count {
        if position % 8192 == 0 {
          try checkHeader(bytes, at: position, continues: count - record.count)
          position += position % size == 0 ? 40 : 24
        }
        record.append(bytes[position])
        position += 1
      }
      return record
    }

    private func checkHeader(_ bytes: [UInt8], at page: Int, continues rest: Int?) throws {
      let isLong = page % Int(builder.segmentSize) == 0
      #expect(bytes.littleEndian(at: page, as: UInt16.self) == builder.version.walPageMagic)
      let flags: UInt16 = bytes.littleEndian(at: page + 2)
      #expect(flags & 2 == (isLong ? 2 : 0))
      #expect(bytes.littleEndian(at: page + 4, as: UInt32.self) == 1)
      #expect(bytes.littleEndian(at: page + 8, as: UInt64.self) == base + UInt64(page))
      if let rest {
        #expect(flags & 1 == 1)
        #expect(bytes.littleEndian(at: page + 16, as: UInt32.self) == UInt32(rest))
      }
      if isLong {
        #expect(bytes.littleEndian(at: page + 24, as: UInt64.self) == builder.systemIdentifier)
        #expect(bytes.littleEndian(at: page + 32, as: UInt32.self) == builder.segmentSize)
        #expect(bytes.littleEndian(at: page + 36, as: UInt32.self) == 8192)
      }
    }
  }

  /// Goal: a record can be read at any position. Method: every start in the last page before and
  /// the first page after a boundary of pages and of segments, read by a model that checks headers
  /// as Postgres does.
  @Test(arguments: [1 << 20, 16 << 20] as [UInt32]) func everyPlace(segmentSize: UInt32) throws {
    let checkpoint = try controlFile("clean-16").checkpointCopy
    var builder = WALSegmentBuilder(version: .v16, systemIdentifier: 0x1234_5678_9ABC_DEF0)
    builder.segmentSize = segmentSize
    let size = UInt64(segmentSize)
    for boundary in [size * 7 + 8192 * 3, size * 4] {
      for position in stride(from: boundary - 160, through: boundary + 64, by: 8) {
        let start = WALLayout.recordStart(atOrAfter: lsn(position), segmentSize: segmentSize)
        #expect(start >= lsn(position) && start.rawValue - position <= 40)
        try WALLayout.requireRecordStart(start, segmentSize: segmentSize)
        let segments = builder.segments(holding: checkpoint, at: start)
        let base = start.rawValue - start.rawValue % size
        let end = start.rawValue + 114
        #expect(segments.count == (end > base + size ? 2 : 1))
        let reader = Reader(segments: segments, builder: builder, base: base)
        let record = try reader.record(at: start.rawValue, count: 114)
        #expect(record == WALSegmentBuilder.record(of: checkpoint), "start \(start)")
        // A record right after a header must not be read as the rest of another.
        let page = Int(start.rawValue - base) / 8192 * 8192
        let header = page == 0 ? 40 : 24
        let rest = Int(start.rawValue - base) - page - header
        let bytes = segments[0].bytes
        #expect(bytes[page + 2] & 1 == (rest > 0 ? 1 : 0))
        #expect(bytes.littleEndian(at: page + 16, as: UInt32.self) == UInt32(rest))
      }
    }
  }

  /// Goal: the record is the one that Postgres writes. Method: the first 26 bytes of the record of
  /// a real shutdown, from the WAL of the fixture.
  @Test func realRecord() throws {
    let checkpoint = try controlFile("clean-15").checkpointCopy
    let record = WALSegmentBuilder.record(of: checkpoint, previous: lsn(0x505_70E0))
    #expect(
      record[..<26].map { String($0, radix: 16) }.joined(separator: " ")
        == "72 0 0 0 0 0 0 0 e0 70 5 5 0 0 0 0 0 0 0 0 27 78 17 7f ff 58")
    #expect(Array(record[26...]) == checkpoint.bytes)
  }

  /// Goal: segments are named as Postgres names them. Method: known names around the carry into the
  /// upper part, for the smallest, the usual and the largest size.
  @Test(
    arguments: [
      (16 << 20, 0x505_7110, "000000010000000000000005"),
      (16 << 20, 0xFF00_0028, "0000000100000000000000FF"),
      (16 << 20, 0x1_0000_0028, "000000010000000100000000"),
      (1 << 20, 0x384_6C08, "000000010000000000000038"),
      (1 << 20, 0x1_2345_6780, "000000010000000100000234"),
      (1 << 30, 0xAB_C000_0100, "00000001000000AB00000003"),
    ] as [(UInt32, UInt64, String)])
  func names(segmentSize: UInt32, position: UInt64, name: String) {
    var builder = WALSegmentBuilder(version: .v14, systemIdentifier: 1)
    builder.segmentSize = segmentSize
    #expect(builder.segment(endingAt: lsn(position)).name == name)
  }

  /// Goal: the segment of a pageserver's own backup. Method: the known bytes of the headers of a
  /// real one, and only zeros around them.
  @Test func pageserverSegment() throws {
    let file = try controlFile("fullbackup-17")
    let builder = WALSegmentBuilder(version: .v17, systemIdentifier: file.systemIdentifier)
    var bytes = builder.segment(endingAt: file.checkpointCopy.redo).bytes
    #expect(
      bytes[..<40].map { String($0, radix: 16) }.joined(separator: " ")
        == "16 d1 2 0 1 0 0 0 0 0 0 2 0 0 0 0 0 0 0 0 0 0 0 0 66 c 43 7f df be 3 6b 0 0 0 1 0 20 0 0"
    )
    #expect(
      bytes[0xD6_8000..<0xD6_8018].map { String($0, radix: 16) }.joined(separator: " ")
        == "16 d1 1 0 1 0 0 0 0 80 d6 2 0 0 0 0 b8 6 0 0 0 0 0 0")
    bytes.replaceSubrange(0..<40, with: repeatElement(0, count: 40))
    bytes.replaceSubrange(0xD6_8000..<0xD6_8018, with: repeatElement(0, count: 24))
    #expect(bytes.allSatisfy { $0 == 0 })
    // On the first page of a segment, both are the same header.
    let first = builder.segment(endingAt: lsn(0x300_0100)).bytes
    #expect(first[2] == 3 && first.littleEndian(at: 16, as: UInt32.self) == 0x100 - 40)
    #expect(first[40...].allSatisfy { $0 == 0 })
  }
}
