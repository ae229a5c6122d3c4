import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Gzip members made by hand: headers with every optional field, read in pieces of every size.
@Suite struct GzipMemberTests {
  private let plain = halfRandomBytes(700, seed: 30)

  /// Goal: every header that RFC 1952 allows is read, however it is split. Method: all 32
  /// combinations of the flags, in two members; split in two at every byte of the first header and
  /// at some after it, and into single bytes.
  @Test(arguments: UInt8(0)..<32) func everySplit(flags: UInt8) throws {
    let header = Self.header(flags: flags)
    let body = try Self.body(of: plain)
    let stream = header + body + header + body
    for split in 1..<header.count + 8 {
      let pieces = [Array(stream[..<split]), Array(stream[split...])]
      #expect(try Self.decompressed(pieces: pieces) == plain + plain, "split at \(split)")
    }
    #expect(try Self.decompressed(pieces: stream.map { [$0] }) == plain + plain)
  }

  /// Goal: a header's own checksum is checked, also if it comes in pieces. Method: every bit of a
  /// header with all fields, except the magic number; in one piece, and split in two at every byte.
  @Test func everyBitOfTheHeader() throws {
    let header = Self.header(flags: 0x1F)
    let body = try Self.body(of: plain)
    for bit in 16..<header.count * 8 {
      var damaged = header + body
      damaged[bit / 8] ^= 1 << (bit % 8)
      for split in 1...header.count {
        let error = #expect(throws: Failure.self, "bit \(bit), split at \(split)") {
          try Self.decompressed(pieces: [Array(damaged[..<split]), Array(damaged[split...])])
        }
        #expect(error?.exitCode == .damaged)
      }
    }
  }

  /// Goal: bytes that are not a gzip header are refused at the first wrong byte. Method: the reserved
  /// flags, another compression method, and half a magic number, after a member.
  @Test(
    arguments: [
      ([0x1F, 0x8B, 8, 0x20], "unknown header flags"),
      ([0x1F, 0x8B, 8, 0x40], "unknown header flags"),
      ([0x1F, 0x8B, 8, 0x80], "unknown header flags"),
      ([0x1F, 0x8B, 7], "unknown compression method"), ([0x1F, 0x8C], "garbage after its end"),
      ([0x1E], "garbage after its end"),
    ] as [([UInt8], String)])
  func wrongHeader(bytes: [UInt8], reason: String) throws {
    let first = try Self.header(flags: 0) + Self.body(of: plain)
    for pieces in [[first + bytes], (first + bytes).map { [$0] }] {
      let error = #expect(throws: Failure.self) { try Self.decompressed(pieces: pieces) }
      #expect(error?.message.hasSuffix("the gzip stream is damaged (\(reason))") == true)
    }
  }

  /// Goal: a cut is noticed in every part of a member. Method: a member whose header has all fields,
  /// cut at every byte; the rest comes in one piece, or in single bytes.
  @Test func everyCut() throws {
    let stream = try Self.header(flags: 0x1F) + Self.body(of: plain)
    for count in 2..<stream.count {
      let cut = stream[..<count]
      for pieces in [[Array(cut)], cut.map { [$0] }] {
        let error = #expect(throws: Failure.self) { try Self.decompressed(pieces: pieces) }
        #expect(error?.message.contains("is cut off after \(count) bytes") == true)
      }
    }
  }

  /// Goal: the CRC and the length are checked, also if they come in pieces. Method: every bit of the
  /// last eight bytes, split in two at each of them.
  @Test func everyBitOfTheTrailer() throws {
    let stream = try Self.header(flags: 0) + Self.body(of: plain)
    for bit in stream.count * 8 - 64..<stream.count * 8 {
      var damaged = stream
      damaged[bit / 8] ^= 1 << (bit % 8)
      for split in stream.count - 10..<stream.count {
        let error = #expect(throws: Failure.self, "bit \(bit), split at \(split)") {
          try Self.decompressed(pieces: [Array(damaged[..<split]), Array(damaged[split...])])
        }
        #expect(error?.message.hasSuffix("(wrong checksum or length)") == true)
      }
    }
  }

  /// Goal: a member cannot refer to the bytes of the one before it. Method: a block by hand that
  /// repeats the byte before its first one, with the CRC of what it would be then.
  @Test func membersAreApart() throws {
    let text = Array("aaa".utf8)
    let first = try Self.header(flags: 0) + Self.body(of: text)
    // A last block of fixed codes: length 3, distance 1, end of block.
    let second =
      Self.header(flags: 0) + [0x03, 0x02, 0x00] + Self.littleEndian(Self.crc32(text))
      + Self.littleEndian(3)
    let error = #expect(throws: Failure.self) {
      try Self.decompressed(pieces: [first + second])
    }
    #expect(error?.message.hasSuffix("the gzip stream is damaged (invalid distance)") == true)
  }

  /// Goal: the window is kept from one call to the next. Method: bytes that return at the greatest
  /// distance that gzip uses, through inputs and outputs of many sizes.
  @Test func greatestDistance() throws {
    let block = halfRandomBytes(32505, seed: 31)
    let bytes = Array(repeatElement(block, count: 6).joined())
    let stream = try shell("gzip -9 -c", input: bytes)
    #expect(stream.count < 40_000)
    for pieceSize in [1, 1000, 32767, 32768, 32769, 70_000, 200_000] {
      let pieces = stride(from: 0, to: stream.count, by: pieceSize).map {
        Array(stream[$0..<min(stream.count, $0 + pieceSize)])
      }
      #expect(try Self.decompressed(pieces: pieces, outputSize: pieceSize) == bytes, "\(pieceSize)")
    }
  }

  /// What the stage gives of an input that comes in these pieces.
  private static func decompressed(
    pieces: [[UInt8]], outputSize: Int = 10_000
  ) throws(Failure) -> [UInt8] {
    let window = InputWindow(PieceSource(pieces), progress: InputProgress())
    let source = DecompressingSource(GzipDecoder(), input: window, subject: "'test'")
    let buffer = ByteBuffer(capacity: outputSize)
    var result: [UInt8] = []
    repeat {
      try buffer.fill(from: source)
      buffer.withBytes { bytes in result.append(bytes) }
    } while buffer.byteCount == outputSize
    return result
  }

  /// A header with the optional fields of the lowest five flags. (RFC 1952, 2.3.1)
  private static func header(flags: UInt8) -> [UInt8] {
    var bytes: [UInt8] = [0x1F, 0x8B, 8, flags, 1, 2, 3, 4, 2, 3]
    if flags & 4 != 0 { bytes += [6, 0, 0x41, 0x42, 2, 0, 0, 0xFF] }
    if flags & 8 != 0 { bytes += Array("base.tar\0".utf8) }
    if flags & 16 != 0 { bytes += Array("of a test\0".utf8) }
    if flags & 2 != 0 { bytes += littleEndian(crc32(bytes)).prefix(2) }
    return bytes
  }

  /// The compressed data of a member, with its CRC and length.
  private static func body(of bytes: [UInt8]) throws -> [UInt8] {
    // Without name and time, gzip's header has ten bytes.
    Array(try shell("gzip -n -c", input: bytes).dropFirst(10))
  }

  private static func littleEndian(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1) * 0xEDB8_8320 }
    }
  }
}

/// An input that comes in pieces, as from a pipe: one at a call.
final class PieceSource: ByteSource {
  private var pieces: ArraySlice<[UInt8]>

  init(_ pieces: [[UInt8]]) {
    self.pieces = pieces[...]
  }

  func fill(_ output: inout OutputRawSpan) throws(Failure) {
    guard let piece = pieces.popFirst() else { return }
    for byte in piece { output.append(byte) }
  }
}
