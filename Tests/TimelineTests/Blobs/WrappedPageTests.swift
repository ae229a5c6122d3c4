import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import System
@testable import Timeline

/// Pages with the header of a delta layer's value, which is taken off without decompressing them.
@Suite struct WrappedPageTests {
  private static let header = BlobHeader.longByteCount
  private static let slot = header + DeltaValue.imageHeaderByteCount + PageHeader.pageByteCount

  /// Pages of text, of zeros, of random bytes, and mixtures.
  private static let pages: [[UInt8]] = (0..<60).map { index in
    switch index % 4 {
    case 0: Array(String(repeating: "row \(index) of a table, ", count: 600).utf8.prefix(8192))
    case 1: [UInt8](repeating: UInt8(index), count: 8192)
    case 2: random(8192, UInt64(index))
    default: Array((random(index * 130, 7) + [UInt8](repeating: 0, count: 8192)).prefix(8192))
    }
  }

  private static func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(state: seed)
    return generator.bytes(count)
  }

  /// Goal: the blob of a wrapped page reads as an image of the page, and is the blob of the page itself
  /// once the header is taken off. Method: pages of many kinds, at all levels that are kinds of their own.
  @Test(arguments: [-1, 0, 1, 3, 12, 19] as [Int32]) func pages(level: Int32) throws {
    var encoder = try BlobEncoder(level: level)
    var decoder = try BlobDecoder()
    var wrapped: [UInt8] = []
    for page in Self.pages {
      let start = wrapped.count
      var bytes = [UInt8](repeating: 0, count: Self.slot)
      try bytes.withMutableBytes { bytes in
        DeltaValue.storeImageHeader(byteCount: page.count, in: &bytes, at: Self.header)
        bytes.copy(page.bytes, to: Self.header + DeltaValue.imageHeaderByteCount)
        let count = try encoder.makeBlob(in: &bytes, slot: 0..<Self.slot, target: 0)
        wrapped.append(bytes.bytes.extracting(0..<count))
      }
      let blob = try StoredBlob(decoding: wrapped.bytes, at: start)
      let value = try decoder.decode(
        wrapped.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: true, limit: 1 << 20)
      #expect(value.bytes.array == page)
    }
    var unwrapper = PageUnwrapper()
    try unwrapper.unwrap(wrapped.bytes, count: Self.pages.count)
    var offset = 0
    for (page, byteCount) in zip(Self.pages, unwrapper.byteCounts) {
      let blob = try StoredBlob(decoding: unwrapper.blobs.bytes, at: offset)
      #expect(blob.byteCount == byteCount)
      let value = try decoder.decode(
        unwrapper.blobs.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: false, limit: 1 << 20)
      #expect(value.bytes.array == page)
      var own: [UInt8] = []
      try encoder.appendBlob(of: page.bytes, to: &own)
      // A page that would save less than the three bytes of a block's header stays plain.
      #expect(Array(unwrapper.blobs[offset..<offset + byteCount]) == own || own.count > 8190)
      offset += byteCount
    }
    #expect(offset == unwrapper.blobs.count)
  }

  /// Goal: nothing else is taken for a wrapped page. Method: the blob of the page alone, one of a frame of
  /// a single block, and blobs that are cut off.
  @Test func others() throws {
    var encoder = try BlobEncoder(level: 1)
    var unwrapper = PageUnwrapper()
    let page = Self.pages[0]
    var value: [UInt8] = []
    DeltaValue.encodeImageHeader(byteCount: page.count, into: &value)
    value += page
    for bytes in [page, value] {
      var blob: [UInt8] = []
      try encoder.appendBlob(of: bytes.bytes, to: &blob)
      #expect(throws: FormatError.self) { try unwrapper.unwrap(blob.bytes, count: 1) }
      #expect(throws: FormatError.self) {
        try unwrapper.unwrap(blob.bytes.extracting(0..<blob.count - 1), count: 1)
      }
    }
  }
}
