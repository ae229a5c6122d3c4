import TestSupport

@testable import PostgresFormat

/// The WAL of a backup of a running cluster, from `Tests/Fixtures`.
struct WriteAheadLog {
  var version: PostgresVersion
  var systemIdentifier: UInt64
  var segmentSize: UInt32
  /// Names and contents, in their order.
  var segments: [(name: String, bytes: [UInt8])]
  var start: WALDecoder.Start

  /// The segments of a tar of `pg_wal`; what they say of themselves is taken from the first one.
  init(fixture: String, version: PostgresVersion, start: UInt64) throws {
    let tar = TestTar(decoding: try Fixture.bytes(fixture + "/pg_wal.tar"))
    segments = tar.members.map {
      ($0.name.split(separator: "/").last.map(String.init) ?? "", $0.contents)
    }
    .filter { $0.0.utf8.count == 24 }
    .sorted { $0.0 < $1.0 }
    self.version = version
    systemIdentifier = segments[0].bytes.littleEndian(at: 24)
    segmentSize = UInt32(segments[0].bytes.count)
    self.start = .record(lsn(start))
  }

  /// What a writer has written, cut into segments of its timeline.
  init(_ writer: WriteAheadLogWriter, from start: WALDecoder.Start) {
    version = writer.version
    systemIdentifier = writer.systemIdentifier
    segmentSize = writer.segmentSize
    self.start = start
    segments = writer.segments
  }

  func decoder() throws -> WALDecoder {
    try WALDecoder(
      version: version, systemIdentifier: systemIdentifier, segmentSize: segmentSize, from: start)
  }

  /// Decodes all of it, in pieces of so many pages as `pages` lists again and again, and gives where
  /// it ends.
  func decode(
    pagesInPieces pages: [Int] = [128], _ body: (WALRecord) throws -> Void
  ) throws -> WALEnd {
    var decoder = try decoder()
    var pieceCount = 0
    for (name, bytes) in segments {
      decoder.begin(WALSegmentName(name, segmentSize: segmentSize)!)
      var offset = 0
      let whole = bytes.count / 8192 * 8192
      while offset < whole {
        let end = min(offset + pages[pieceCount % pages.count] * 8192, whole)
        pieceCount += 1
        try decoder.decode(bytes.bytes.extracting(offset..<end), body)
        offset = end
      }
    }
    return try decoder.finish()
  }

  /// Where each record starts.
  func starts() throws -> (starts: [LogSequenceNumber], end: WALEnd) {
    var starts: [LogSequenceNumber] = []
    let end = try decode { starts.append($0.start) }
    return (starts, end)
  }
}

/// Writes WAL as a server lays it out, one page after the other.
struct WriteAheadLogWriter {
  var version = PostgresVersion.v16
  var systemIdentifier: UInt64 = 0x1234_5678_9ABC_DEF0
  var segmentSize: UInt32 = 1 << 20
  /// That of the segments' names and, from the next page on, of pages.
  var timelineID: UInt32 = 1
  /// From this position, the beginning of a segment, on.
  var base: UInt64 = 3 << 20
  var bytes: [UInt8] = []
  var previous: UInt64 = 0

  var position: UInt64 { base + UInt64(bytes.count) }

  /// Writes a record; returns where it starts.
  @discardableResult
  mutating func append(
    _ data: [UInt8], resourceManager: UInt8 = 10, info: UInt8 = 0, previous: UInt64? = nil
  ) -> UInt64 {
    let record = Self.record(
      data, resourceManager: resourceManager, info: info, previous: previous ?? self.previous)
    return append(record: record)
  }

  /// Writes the first bytes of a record that was never finished.
  @discardableResult
  mutating func append(record: [UInt8], upTo count: Int? = nil) -> UInt64 {
    beginPage(remaining: 0)
    let start = position
    var rest = record.prefix(count ?? record.count)
    while !rest.isEmpty {
      beginPage(remaining: record.endIndex - rest.startIndex)
      let part = rest.prefix(8192 - bytes.count % 8192)
      bytes += part
      rest = rest.dropFirst(part.count)
    }
    if count == nil {
      bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
      previous = start
    }
    return start
  }

  /// Writes a page's header if one is due.
  mutating func beginPage(remaining: Int, flags: UInt16 = 0) {
    guard bytes.count % 8192 == 0 else { return }
    let isFirst = bytes.count % Int(segmentSize) == 0
    let address = position
    bytes.appendLittleEndian(version.walPageMagic)
    bytes.appendLittleEndian(flags | (remaining > 0 ? 1 : 0) | (isFirst ? 2 : 0))
    bytes.appendLittleEndian(timelineID)
    bytes.appendLittleEndian(address)
    bytes.appendLittleEndian(UInt32(remaining))
    bytes.appendLittleEndian(0 as UInt32)
    guard isFirst else { return }
    bytes.appendLittleEndian(systemIdentifier)
    bytes.appendLittleEndian(segmentSize)
    bytes.appendLittleEndian(8192 as UInt32)
  }

  /// Fills with zeros up to the next multiple.
  mutating func pad(to multiple: Int) {
    bytes += [UInt8](repeating: 0, count: (multiple - bytes.count % multiple) % multiple)
  }

  /// A record that leaves so many bytes of the page it is on; for pages with room for it.
  mutating func fill(leaving count: Int) {
    beginPage(remaining: 0)
    let room = 8192 - bytes.count % 8192 - count
    append([254] + Self.u32(room - 29) + [UInt8](repeating: 7, count: room - 29))
  }

  var segments: [(name: String, bytes: [UInt8])] {
    let size = Int(segmentSize)
    return stride(from: 0, to: bytes.count, by: size).map { offset in
      let part = bytes[offset..<min(offset + size, bytes.count)]
      let padding = (8192 - part.count % 8192) % 8192
      let number = (base + UInt64(offset)) / UInt64(size)
      let parts = (1 << 32) / UInt64(size)
      let name = [UInt64(timelineID), number / parts, number % parts].map { $0.hexadecimal(8) }
      return (name.joined(), part + [UInt8](repeating: 0, count: padding))
    }
  }

  static func record(
    _ data: [UInt8], resourceManager: UInt8 = 10, info: UInt8 = 0, previous: UInt64
  ) -> [UInt8] {
    var bytes = u32(24 + data.count) + u32(700)
    bytes.appendLittleEndian(previous)
    bytes += [info, resourceManager, 0, 0]
    return bytes + u32(Int(crc32c(data + bytes))) + data
  }

  /// The parts of a record that has main data alone.
  static func main(_ data: [UInt8]) -> [UInt8] { [255, UInt8(data.count)] + data }

  static func u16(_ value: Int) -> [UInt8] {
    [UInt8(value & 0xFF), UInt8(value >> 8 & 0xFF)]
  }

  static func u32(_ value: Int) -> [UInt8] { u16(value & 0xFFFF) + u16(value >> 16) }
}
