import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct BlobHeaderTests {
  private func decode(
    _ bytes: [UInt8], at offset: Int = 0
  ) throws(FormatError) -> (header: BlobHeader, headerByteCount: Int) {
    try bytes.withBytes { bytes throws(FormatError) in try BlobHeader.decode(bytes, at: offset) }
  }

  /// Goal: headers have the bytes of the format. Method: a table around each limit, both ways, at
  /// the start of the bytes and at an offset.
  @Test(
    arguments: [
      (0, false, "00"), (1, false, "01"), (126, false, "7E"), (127, false, "7F"),
      (128, false, "80000080"), (129, false, "80000081"), (8192, false, "80002000"),
      ((1 << 28) - 2, false, "8FFFFFFE"), ((1 << 28) - 1, false, "8FFFFFFF"),
      (0, true, "90000000"), (1, true, "90000001"), (127, true, "9000007F"),
      (128, true, "90000080"), (0x012_3456, true, "90123456"), ((1 << 28) - 1, true, "9FFFFFFF"),
    ] as [(Int, Bool, String)])
  func knownBytes(byteCount: Int, isCompressed: Bool, digits: String) throws {
    let header = BlobHeader(byteCount: byteCount, isCompressed: isCompressed)
    var encoded: [UInt8] = [0xAA]
    header.encode(into: &encoded)
    let expected = try bytes(digits)
    #expect(encoded == [0xAA] + expected)
    for (bytes, offset) in [(expected, 0), ([0xFF, 0xFF] + expected + [0xFF], 2)] {
      let decoded = try decode(bytes, at: offset)
      #expect(decoded.header == header)
      #expect(decoded.headerByteCount == expected.count)
    }
    if expected.count == 4 {
      var long: [UInt8] = []
      long.appendBigEndian(header.long)
      #expect(long == expected)
    }
  }

  /// Goal: a header that is cut off, of unknown compression, or too long is refused. Method: every
  /// prefix of a long header, each compression, the plain lengths below the limit.
  @Test func refusals() throws {
    let header: [UInt8] = [0x90, 0, 1, 0]
    for count in 1..<4 {
      #expect(throws: FormatError.damaged("the header of a value is cut off")) {
        try decode(Array(header.prefix(count)))
      }
      #expect(throws: FormatError.damaged("the header of a value is cut off")) {
        try decode([0, 0] + header.prefix(count), at: 2)
      }
    }
    for (bytes, offset): ([UInt8], Int) in [([], 0), (header, 4), (header, 5), (header, .max)] {
      #expect(throws: FormatError.damaged("the header of a value is outside the file")) {
        try decode(bytes, at: offset)
      }
    }
    for compression in 2...7 as ClosedRange<UInt8> {
      #expect(throws: FormatError.damaged("unknown compression \(compression)")) {
        try decode([0x80 | compression << 4, 0, 1, 0])
      }
    }
    for byteCount in 0..<128 as Range<UInt8> {
      #expect(throws: FormatError.self) { try decode([0x80, 0, 0, byteCount]) }
    }
  }

  /// Goal: any bytes are a header or refused, and a decoded header encodes to the same bytes.
  /// Method: every first byte with 20 random tails (seed 40) of up to 4 bytes.
  @Test func anyBytes() {
    var generator = SeededGenerator(state: 40)
    for first in UInt8.min...UInt8.max {
      for _ in 0..<20 {
        let bytes = [first] + generator.bytes(Int.random(in: 0...4, using: &generator))
        guard let (header, headerByteCount) = try? decode(bytes) else { continue }
        var encoded: [UInt8] = []
        header.encode(into: &encoded)
        #expect(encoded == Array(bytes.prefix(headerByteCount)))
      }
    }
  }
}
