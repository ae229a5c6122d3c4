import TestSupport
import Testing

@testable import PostgresFormat

/// Decoding WAL that a writer of the tests lays out.
struct WriteAheadLogLayoutTests {
  /// The records that a log gives: start, end, main data.
  private static func records(
    _ log: WriteAheadLog, pages: Int = 128
  ) throws -> (records: [(start: UInt64, end: UInt64, data: [UInt8])], end: WALEnd) {
    var records: [(start: UInt64, end: UInt64, data: [UInt8])] = []
    let end = try log.decode(pagesInPieces: [pages]) { record in
      records.append((record.start.rawValue, record.end.rawValue, record.mainData.array))
    }
    return (records, end)
  }

  /// Goal: records of every length, wherever they meet a page's end. Method: at each distance from
  /// the end of a page and of a segment, each length around that of a header and of a page.
  @Test(arguments: [8192 * 3, 1 << 20]) func everyPlace(boundary: Int) throws {
    var before = WriteAheadLogWriter()
    while before.bytes.count + 8192 < boundary { before.fill(leaving: 0) }
    for distance in stride(from: 8, through: 64, by: 8) {
      for length in Array(0...60) + Array(8060...8180) + [20_000] {
        var writer = before
        writer.fill(leaving: distance)
        let data = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let start = writer.append([254] + WriteAheadLogWriter.u32(length) + data)
        let end = writer.position
        writer.append(WriteAheadLogWriter.main([1, 2, 3]))
        let last = writer.previous
        let (records, logEnd) = try Self.records(WriteAheadLog(writer, from: .firstRecord))
        try #require(records.count >= 2)
        let found = records[records.count - 2]
        #expect(found.start == start && found.data == data, "\(distance) \(length)")
        #expect(found.end == end, "\(distance) \(length)")
        #expect(records[records.count - 1].start == last)
        #expect(logEnd.position == lsn(writer.position))
        #expect(logEnd.reason == .zeros || logEnd.reason == .noMoreBytes)
      }
    }
  }

  /// Goal: a record over several segments, and the memory that it takes. Method: 3.5 MB in segments
  /// of 1 MiB, in pieces of a page.
  @Test func longRecord() throws {
    var writer = WriteAheadLogWriter()
    var generator = SeededGenerator(state: 3)
    writer.append(WriteAheadLogWriter.main([1]))
    let data = generator.bytes(3_500_000)
    writer.append([254] + WriteAheadLogWriter.u32(data.count) + data)
    writer.append(WriteAheadLogWriter.main([2]))
    let (records, end) = try Self.records(WriteAheadLog(writer, from: .firstRecord), pages: 1)
    #expect(records.map(\.data) == [[1], data, [2]])
    #expect(end.reason == .zeros)
  }

  /// Goal: after a segment switch the next record is in the next segment, whatever fills the rest.
  /// Method: a switch in the middle of a segment, at the last place of one, and over its end; rubbish
  /// after it; segments of 1 and of 64 MiB, the switch between pieces.
  @Test(arguments: [1 << 20, 64 << 20] as [UInt32], [8192 * 2 + 96, 24, 16, 8])
  func segmentSwitch(segmentSize: UInt32, distance: Int) throws {
    var writer = WriteAheadLogWriter()
    writer.segmentSize = segmentSize
    writer.base = UInt64(segmentSize) * 3
    while writer.bytes.count + 8192 * 4 < Int(segmentSize) { writer.fill(leaving: 0) }
    while writer.bytes.count + 8192 + distance < Int(segmentSize) { writer.fill(leaving: 0) }
    writer.fill(leaving: distance % 8192)
    let start = writer.append([], resourceManager: 0, info: 0x40)
    if writer.bytes.count % Int(segmentSize) != 0 {
      writer.bytes += [UInt8](repeating: 0xEE, count: 8 - writer.bytes.count % 8)
      let rest = Int(segmentSize) - writer.bytes.count % Int(segmentSize)
      writer.bytes += [UInt8](repeating: 0xEE, count: rest)
    }
    let next = writer.position
    writer.append(WriteAheadLogWriter.main([9]))
    for pages in [1, 100] {
      let (records, _) = try Self.records(WriteAheadLog(writer, from: .firstRecord), pages: pages)
      try #require(records.count >= 2)
      #expect(records[records.count - 2].start == start)
      #expect(records[records.count - 2].end == next)
      #expect(records[records.count - 1].data == [9])
    }
  }

  /// Goal: a log that goes on on another timeline. Method: pages of timeline 2 after those of 1, in
  /// segments of timeline 2; and pages of 1 after those, which are an end.
  @Test func timelines() throws {
    var writer = WriteAheadLogWriter()
    for _ in 0..<5 { writer.fill(leaving: 0) }
    writer.timelineID = 2
    for _ in 0..<5 { writer.fill(leaving: 0) }
    var (records, end) = try Self.records(WriteAheadLog(writer, from: .firstRecord))
    #expect(records.count == 10 && end.reason == .noMoreBytes)
    #expect(end.segment.timelineID == 2)
    writer.timelineID = 1
    writer.fill(leaving: 0)
    writer.timelineID = 2
    (records, end) = try Self.records(WriteAheadLog(writer, from: .firstRecord))
    #expect(records.count == 10 && end.reason == .olderTimeline)
    writer.timelineID = 1
    #expect(throws: FormatError.self) {
      try Self.records(WriteAheadLog(writer, from: .firstRecord))
    }
  }

  /// A log in which the record at the second position was broken off at the end of a page, and
  /// replaced on the next one.
  private static func overwritten(
    naming named: UInt64? = nil, info: UInt8 = 0xD0, lostPages: Int = 0
  ) -> (log: WriteAheadLog, broken: UInt64) {
    var writer = WriteAheadLogWriter()
    writer.append(WriteAheadLogWriter.main([1]))
    writer.fill(leaving: 48)
    let record = WriteAheadLogWriter.record(
      [254] + WriteAheadLogWriter.u32(30_000) + [UInt8](repeating: 3, count: 30_000),
      previous: writer.previous)
    let broken = writer.append(record: record, upTo: 48 + lostPages * 8168)
    writer.beginPage(remaining: 0, flags: 8)
    var data: [UInt8] = []
    data.appendLittleEndian(named ?? broken)
    data.appendLittleEndian(0 as UInt64)
    writer.append(WriteAheadLogWriter.main(data), resourceManager: 0, info: info)
    writer.append(WriteAheadLogWriter.main([2]))
    return (WriteAheadLog(writer, from: .firstRecord), broken)
  }

  /// Goal: a record that was never finished, because its server crashed, is left out, and what
  /// replaced it is read. Method: broken off at the end of its first page and of its third one; the
  /// record that replaces it names another one, or is of another kind.
  @Test(arguments: [0, 2]) func overwrittenRecord(lostPages: Int) throws {
    let (log, broken) = Self.overwritten(lostPages: lostPages)
    for pages in [1, 128] {
      let (records, end) = try Self.records(log, pages: pages)
      #expect(records.count == 4 && records[3].data == [2])
      #expect(!records.map(\.start).contains(broken))
      #expect(end.reason == .zeros)
    }
    for bad in [
      Self.overwritten(naming: 0x30_0028, lostPages: lostPages),
      Self.overwritten(info: 0x20, lostPages: lostPages),
    ] {
      let error = #expect(throws: FormatError.self) { try Self.records(bad.log) }
      #expect(error?.message.contains("replaces \(lsn(broken))") == true)
    }
  }

  /// Goal: a record that is not continued is the end. Method: the page after it begins with another
  /// record, with the rest of a longer one, or with the rest of one where none has begun.
  @Test func continuation() throws {
    var writer = WriteAheadLogWriter()
    writer.fill(leaving: 48)
    let record = WriteAheadLogWriter.record(
      WriteAheadLogWriter.main([UInt8](repeating: 1, count: 100)), previous: writer.previous)
    let start = writer.append(record: record, upTo: 48)
    var other = writer
    other.beginPage(remaining: 0)
    other.append(WriteAheadLogWriter.main([1]))
    var longer = writer
    longer.beginPage(remaining: record.count - 47)
    longer.bytes += [UInt8](repeating: 1, count: 200)
    for writer in [other, longer] {
      let (records, end) = try Self.records(WriteAheadLog(writer, from: .firstRecord))
      #expect(records.count == 1 && end.reason == .continuation)
      #expect(end.position == lsn(start) && end.place == lsn(0x30_2000))
    }
    var unexpected = WriteAheadLogWriter()
    unexpected.fill(leaving: 0)
    unexpected.beginPage(remaining: 80)
    unexpected.bytes += [UInt8](repeating: 1, count: 200)
    let (_, end) = try Self.records(WriteAheadLog(unexpected, from: .firstRecord))
    #expect(end.reason == .continuation && end.position == lsn(0x30_2000))
  }

  /// Goal: what can end a log at a record. Method: each kind of record that is none.
  @Test func ends() throws {
    let main = WriteAheadLogWriter.main([5])
    func end(
      version: PostgresVersion = .v16, _ make: (WriteAheadLogWriter) -> [UInt8]
    ) throws -> WALEnd {
      var writer = WriteAheadLogWriter()
      writer.version = version
      writer.append(main)
      writer.append(record: make(writer))
      let (records, end) = try Self.records(WriteAheadLog(writer, from: .firstRecord))
      if end.reason == .zeros { return end }
      #expect(records.count == 1)
      #expect(end.place == end.position && end.lastRecord == lsn(0x30_0028))
      return end
    }
    func record(_ manager: UInt8 = 10, previous: UInt64 = 0x30_0028) -> [UInt8] {
      WriteAheadLogWriter.record(main, resourceManager: manager, previous: previous)
    }
    #expect(try end { _ in record() }.reason == .zeros)
    #expect(try end { _ in record(21) }.reason == .zeros)
    #expect(try end { _ in record(128) }.reason == .zeros)
    #expect(try end { _ in record(22) }.reason == .resourceManager)
    #expect(try end(version: .v14) { _ in record(128) }.reason == .resourceManager)
    #expect(try end { _ in record(previous: 0x30_0020) }.reason == .previousRecord)
    #expect(try end { _ in record().dropLast() + [6] }.reason == .checksum)
    #expect(
      try end { _ in [23, 0, 0, 0] + record().dropFirst(4) }.reason == .recordLength)
    #expect(
      try end { _ in [0, 0, 0, 64] + record().dropFirst(4) }.reason == .recordLength)
  }

  /// Goal: what a page's header may be at the end of a log, and what shows damage. Method: each
  /// field of the header of the second page, and of the first page of the second segment.
  @Test func pageHeaders() throws {
    func outcome(
      at offset: Int, _ bytes: [UInt8], inSegment segment: Int = 0
    ) throws -> WALEnd.Reason {
      var writer = WriteAheadLogWriter()
      while writer.bytes.count < 1 << 20 { writer.fill(leaving: 0) }
      for _ in 0..<3 { writer.fill(leaving: 0) }
      var log = WriteAheadLog(writer, from: .firstRecord)
      let place = (segment == 0 ? 8192 : 0) + offset
      log.segments[segment].bytes.replaceSubrange(place..<place + bytes.count, with: bytes)
      if segment == 0 { log.segments.removeLast() }
      return try Self.records(log).end.reason
    }
    #expect(try outcome(at: 0, [UInt8](repeating: 0, count: 24)) == .zeros)
    #expect(try outcome(at: 8, [0, 0x10]) == .otherPage)
    #expect(try outcome(at: 8, [0, 0x40]) == .otherPage)
    #expect(try outcome(at: 4, [0]) == .olderTimeline)
    #expect(try outcome(at: 2, [4]) == .noMoreBytes)
    for (offset, bytes, segment, words) in [
      (0, [0x10], 0, "magic number D110"), (2, [16], 0, "flags 0010"), (2, [2], 0, "flags 0002"),
      (4, [2], 0, "timeline 2"),
      (2, [0], 1, "flags 0000"), (24, [1], 1, "system"), (34, [0x20], 1, "2097152"),
      (37, [0x10], 1, "4096"),
    ] as [(Int, [UInt8], Int, String)] {
      let error = #expect(throws: FormatError.self, "\(words)") {
        try outcome(at: offset, bytes, inSegment: segment)
      }
      let name = segment == 0 ? "000000010000000000000003" : "000000010000000000000004"
      let place = segment == 0 ? "0/302000" : "0/400000"
      #expect(error?.code == nil)
      #expect(error?.message.contains("WAL segment '\(name)' is damaged at \(place)") == true)
      #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
  }
}
