import LayerFormat
import PostgresFormat
import System

/// The blob of a page in a delta layer, which can be turned into that of an image layer without
/// decompressing it.
///
/// ```
/// image layer   magic, 60, size - 256     │                               │ block …
/// delta layer   magic, 60, size + 12 - 256│ 60 00 00, header of the value │ block …
///               └ 4 ─┘ 1   └────── 2 ────┘└─ 3 ─┘  └──────── 12 ────────┘
/// ```
///
/// A zstd frame consists of blocks; the header of a value is one that is not compressed, and what
/// follows does not refer to it. The first descriptor says that the frame has its contents' size in two
/// bytes, no window size, no checksum and no dictionary. (RFC 8878, 3.1.1)
enum WrappedPage {
  /// The length of the value: the header and the page.
  static let byteCount = DeltaValue.imageHeaderByteCount + PageHeader.pageByteCount
  /// The length of what comes before the first block of a page's frame.
  static let frameHeaderByteCount = 7
  /// How much longer the frame of the value is than that of the page.
  static let extraByteCount = blockHeaderByteCount + DeltaValue.imageHeaderByteCount

  private static let blockHeaderByteCount = 3
  private static let magic: UInt32 = 0x28B5_2FFD
  private static let descriptor: UInt8 = 0x60
  /// The header of a block that is not the last, not compressed, and as long as a value's header:
  /// 24 bits, little-endian, then 8 bits of zeros, as a big-endian number.
  private static let blockHeader = UInt32(DeltaValue.imageHeaderByteCount << 3) << 24

  /// The size of the contents as two bytes, little-endian, less 256, as a big-endian number.
  private static func size(_ byteCount: Int) -> UInt16 { UInt16(byteCount - 256).byteSwapped }

  /// Whether a frame begins as that of contents of a length does.
  private static func isFrame(_ frame: RawSpan, of byteCount: Int) -> Bool {
    frame.byteCount > frameHeaderByteCount && frame.bigEndian(at: 0) == magic
      && frame.bigEndian(at: 4) == descriptor && frame.bigEndian(at: 5) == size(byteCount)
  }

  /// Stores the frame of the value, whose header is before the page, for the `frame` of the page.
  static func storeFrame(around frame: RawSpan, in bytes: inout MutableRawSpan, at offset: Int) {
    precondition(isFrame(frame, of: PageHeader.pageByteCount), "zstd has another frame header")
    bytes.storeBigEndian(magic, at: offset)
    bytes.storeBigEndian(descriptor, at: offset + 4)
    bytes.storeBigEndian(size(byteCount), at: offset + 5)
    let block = offset + frameHeaderByteCount
    bytes.storeBigEndian(blockHeader, at: block)
    DeltaValue.storeImageHeader(
      byteCount: PageHeader.pageByteCount, in: &bytes, at: block + blockHeaderByteCount)
    bytes.copy(
      frame.extracting(frameHeaderByteCount..<frame.byteCount), to: block + extraByteCount)
  }

  /// Appends the blob of the page for that of the value; gives its length, or nil if it is none that
  /// an import makes.
  static func appendPage(of blob: RawSpan, _ stored: StoredBlob, to blobs: inout [UInt8])
    -> Int?
  {
    let value = blob.extracting(stored.range)
    let start = blobs.count
    if stored.header.isCompressed {
      guard isFrame(value, of: byteCount), value.byteCount > frameHeaderByteCount + extraByteCount,
        value.bigEndian(at: frameHeaderByteCount) == blockHeader
      else { return nil }
      BlobHeader(byteCount: value.byteCount - extraByteCount, isCompressed: true)
        .encode(into: &blobs)
      blobs.append(value.extracting(0..<5))
      blobs.appendBigEndian(size(PageHeader.pageByteCount))
      blobs.append(value.extracting(frameHeaderByteCount + extraByteCount..<value.byteCount))
    } else {
      guard value.byteCount == byteCount else { return nil }
      BlobHeader(byteCount: PageHeader.pageByteCount, isCompressed: false).encode(into: &blobs)
      blobs.append(value.extracting(DeltaValue.imageHeaderByteCount..<value.byteCount))
    }
    return blobs.count - start
  }
}

/// Turns the blobs of pages in delta layers into those of image layers.
package struct PageUnwrapper {
  /// The blobs that were made last, back to back.
  package private(set) var blobs: [UInt8] = []
  /// The length of each of them.
  package private(set) var byteCounts: [Int] = []

  /// One that has made nothing yet.
  package init() {}

  /// Makes blobs of the `count` that are back to back in `wrapped`.
  ///
  /// Throws `.damaged` if they are others than `BlobEncoder` makes of pages with a value's header.
  package mutating func unwrap(_ wrapped: RawSpan, count: Int) throws(FormatError) {
    blobs.removeAll(keepingCapacity: true)
    byteCounts.removeAll(keepingCapacity: true)
    var offset = 0
    for _ in 0..<count {
      let stored = try StoredBlob(decoding: wrapped, at: offset)
      guard stored.range.upperBound <= wrapped.byteCount,
        let byteCount = WrappedPage.appendPage(of: wrapped, stored, to: &blobs)
      else {
        throw .damaged("the value at \(offset) is not a page")
      }
      byteCounts.append(byteCount)
      offset += stored.byteCount
    }
    guard offset == wrapped.byteCount else {
      throw .damaged("\(count) values end at \(offset), not at \(wrapped.byteCount)")
    }
  }
}
