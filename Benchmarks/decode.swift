// Decodes WAL that it makes itself, on one core, and prints how many GB that are a second of processor time: of records that bring the
// image of a page each (`images`), or of records of 80 bytes (`records`).
//
//     decode images|records MEBIBYTES

import Glibc
import PostgresFormat

/// A log of version 16 in memory, segment by segment.
struct Log {
  static let segmentSize: UInt32 = 16 << 20
  static let pageSize = 8192
  static let identifier: UInt64 = 0x6F6E_6C69_6E65

  private(set) var segments: [[UInt8]] = []
  private(set) var position: UInt64 = UInt64(segmentSize)
  private var previous: UInt64 = 0

  init(byteCount: Int, parts: [UInt8]) {
    while segments.count * Int(Self.segmentSize) < byteCount { append(parts) }
    segments.removeLast()  // it is not full
  }

  /// Appends a record whose header is followed by `parts`.
  private mutating func append(_ parts: [UInt8]) {
    var record = Self.bytes(UInt32(24 + parts.count)) + Self.bytes(UInt32(1))
    record += Self.bytes(previous) + [0, 10, 0, 0]
    var checksum = CRC32C()
    checksum.update(parts.span.bytes)
    checksum.update(record.span.bytes)
    record += Self.bytes(checksum.value) + parts
    position = (position + 7) / 8 * 8
    var start = 0
    repeat {
      let room = Self.pageSize - Int(position % UInt64(Self.pageSize))
      if room == Self.pageSize { beginPage(remaining: record.count - start, isFirst: start == 0) }
      if start == 0 { previous = position }
      let count = min(
        record.count - start, Self.pageSize - Int(position % UInt64(Self.pageSize)))
      let offset = Int(position % UInt64(Self.segmentSize))
      segments[segments.count - 1].replaceSubrange(
        offset..<offset + count, with: record[start..<start + count])
      position += UInt64(count)
      start += count
    } while start < record.count
  }

  private mutating func beginPage(remaining: Int, isFirst: Bool) {
    let isLong = position % UInt64(Self.segmentSize) == 0
    if isLong { segments.append([UInt8](repeating: 0, count: Int(Self.segmentSize))) }
    var header = Self.bytes(UInt16(0xD113))
    header += Self.bytes(UInt16((isFirst ? 0 : 1) | (isLong ? 2 : 0))) + Self.bytes(UInt32(1))
    header += Self.bytes(position) + Self.bytes(UInt32(isFirst ? 0 : remaining)) + [0, 0, 0, 0]
    if isLong {
      header += Self.bytes(Self.identifier) + Self.bytes(Self.segmentSize)
      header += Self.bytes(UInt32(Self.pageSize))
    }
    let offset = Int(position % UInt64(Self.segmentSize))
    segments[segments.count - 1].replaceSubrange(offset..<offset + header.count, with: header)
    position += UInt64(header.count)
  }

  static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  /// What follows the header of a record that names a block: its image, or some data.
  static func parts(hasImage: Bool) -> [UInt8] {
    let data = [UInt8](repeating: 7, count: hasImage ? 8192 : 20)
    let main = [UInt8](repeating: 9, count: hasImage ? 0 : 14)
    var parts: [UInt8] = [0, hasImage ? 0x10 : 0x20] + bytes(UInt16(hasImage ? 0 : data.count))
    if hasImage { parts += bytes(UInt16(data.count)) + bytes(UInt16(0)) + [0x02] }
    parts += bytes(UInt32(1663)) + bytes(UInt32(5)) + bytes(UInt32(16384)) + bytes(UInt32(3))
    if !hasImage { parts += [255, UInt8(main.count)] }
    return parts + data + main
  }
}

/// Decodes the log in pieces of 1 MiB, as an import does, and gives the number of records.
func decode(_ log: Log) throws -> Int {
  var decoder = try WALDecoder(
    version: .v16, systemIdentifier: Log.identifier, segmentSize: Log.segmentSize,
    from: .firstRecord)
  var count = 0
  for (index, segment) in log.segments.enumerated() {
    decoder.begin(
      WALSegmentName(
        timelineID: 1,
        containing: LogSequenceNumber(rawValue: UInt64(index + 1) * UInt64(Log.segmentSize)),
        segmentSize: Log.segmentSize))
    for start in stride(from: 0, to: segment.count, by: 1 << 20) {
      decoder.decode(segment.span.bytes.extracting(start..<start + 1 << 20)) { record in
        count += record.references.count
      }
    }
  }
  _ = try decoder.finish()
  return count
}

@main struct Decode {
  static func main() throws {
    let hasImage = CommandLine.arguments[1] == "images"
    let byteCount = (Int(CommandLine.arguments[2]) ?? 256) << 20
    let parts = Log.parts(hasImage: hasImage)
    let log = Log(byteCount: byteCount + Int(Log.segmentSize), parts: parts)
    let start = clock()  // of this process alone
    let count = try decode(log)
    let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
    let least = log.segments.count * Int(Log.segmentSize) / (24 + parts.count + 16)
    guard count > least * 9 / 10 else { fatalError("\(count) records only") }
    let all = Double(log.segments.count) * Double(Log.segmentSize)
    print(all / seconds / 1e9)
  }
}
