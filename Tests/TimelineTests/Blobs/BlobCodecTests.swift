import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import System
@testable import Timeline

/// The decoder returns the values that the encoder was given.
@Suite struct BlobCodecTests {
  private static let lengths = [0, 1, 11, 12, 127, 128, 129, 8192, 8204, 1 << 20]

  /// Goal: every value survives, wrapped or not, stored plain or compressed. Method: random and
  /// half random bytes of lengths on both sides of every border, at two levels (seed 7).
  @Test(arguments: [0, 1] as [Int32], [false, true]) func roundTrip(
    level: Int32, isWrapped: Bool
  ) throws {
    var encoder = try BlobEncoder(level: level)
    var decoder = try BlobDecoder()
    var compressedCount = 0
    for length in Self.lengths {
      let image = halfRandomBytes(length, seed: 7)
      var value: [UInt8] = []
      if isWrapped { DeltaValue.encodeImageHeader(byteCount: image.count, into: &value) }
      value += image
      var bytes: [UInt8] = [1, 2, 3]  // a blob may begin anywhere
      try encoder.appendBlob(of: value.bytes, to: &bytes)
      let blob = try StoredBlob(decoding: bytes.bytes, at: 3)
      #expect(3 + blob.byteCount == bytes.count)
      #expect(blob.range.upperBound == bytes.count)
      compressedCount += blob.header.isCompressed ? 1 : 0
      let decoded = try decoder.decode(
        bytes.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: isWrapped, limit: BlobDecoder.valueLimit)
      #expect(decoded.content == .image)
      #expect(decoded.bytes.array == image)
    }
    #expect(level == 0 ? compressedCount == 0 : compressedCount >= 3)
  }

  /// Goal: a frame that holds more than the limit is refused, and one that holds as much is not.
  @Test func limit() throws {
    var encoder = try BlobEncoder(level: 1)
    var decoder = try BlobDecoder()
    let value = [UInt8](repeating: 7, count: 100_000)
    var bytes: [UInt8] = []
    try encoder.appendBlob(of: value.bytes, to: &bytes)
    let frame = Array(bytes[4...])
    let decoded = try decoder.decode(
      frame.bytes, isCompressed: true, isWrapped: false, limit: 100_000
    ).bytes.array
    #expect(decoded == value)
    #expect(throws: FormatError.damaged("the value cannot be decompressed")) {
      _ = try decoder.decode(
        frame.bytes, isCompressed: true, isWrapped: false, limit: 99_999
      ).content
    }
  }

  /// Goal: a record is told from an image, and given as it is stored.
  @Test func record() throws {
    var decoder = try BlobDecoder()
    let stored: [UInt8] = [0, 0, 0, 1, 5, 6]
    let decoded = try decoder.decode(
      stored.bytes, isCompressed: false, isWrapped: true, limit: 100)
    #expect(decoded.content == .record)
    #expect(decoded.bytes.array == stored)
  }
}
