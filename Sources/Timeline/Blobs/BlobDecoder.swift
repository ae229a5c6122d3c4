import CZstd
import LayerFormat
import PostgresFormat
import System

/// A blob in the bytes that hold it. This is the one place that decodes a blob's header.
///
/// ```
/// ├─ header ─┼─ value, plain or a zstd frame ─┤
///            └───────────  range  ────────────┘
/// ```
package struct StoredBlob: Sendable {
  /// The decoded header: the length of the stored bytes, and whether they are compressed.
  package let header: BlobHeader
  /// The place of the value's bytes, without the header.
  package let range: Range<Int>

  /// Reads the header at an offset of `bytes`, which need not hold the value itself.
  ///
  /// Throws `.damaged` as `BlobHeader` does.
  package init(decoding bytes: RawSpan, at offset: Int) throws(FormatError) {
    let (header, headerByteCount) = try BlobHeader.decode(bytes, at: offset)
    self.header = header
    range = offset + headerByteCount..<offset + headerByteCount + header.byteCount
    byteCount = headerByteCount + header.byteCount
  }

  /// The length of the blob, its header included.
  package let byteCount: Int
}

/// A value as a reader of keys sees it: decompressed, without a delta layer's wrapping.
///
/// Its bytes are borrowed from the blob or from the decoder.
package struct DecodedValue: ~Escapable {
  /// What a value is.
  package enum Content: Sendable {
    /// The value itself.
    case image
    /// A WAL record, which only a pageserver can replay.
    case record
  }

  /// Whether the bytes are an image or a WAL record.
  package let content: Content
  /// The bytes of an image itself; a WAL record as Neon encodes it, tag included.
  package let bytes: RawSpan

  /// Takes the wrapping of a delta layer off.
  @_lifetime(copy bytes)
  fileprivate init(_ bytes: RawSpan, isWrapped: Bool) throws(FormatError) {
    let isImage = isWrapped ? try DeltaValue.isImage(bytes) : true
    let start = isWrapped && isImage ? DeltaValue.imageHeaderByteCount : 0
    content = isImage ? .image : .record
    self.bytes = bytes.extracting(start..<bytes.byteCount)
  }
}

/// Makes values of blobs, with one reused context and buffer: the inverse of `BlobEncoder`.
///
/// Memory: the longest value that was compressed.
@safe
package struct BlobDecoder: ~Copyable {
  // Invariant: the context is created in `init`, freed in `deinit`, and used by no one else.
  private let context: OpaquePointer

  /// Holds the value that was decompressed last.
  private var buffer: [UInt8]

  /// The longest value that is read, in bytes: the relation directory of some 5 million forks.
  ///
  /// The format allows for ten times that, which nothing real comes near and every reader would
  /// have to hold in memory.
  package static let valueLimit = 24 << 20

  /// Throws if there is no memory for a context.
  package init() throws(Failure) {
    guard let context = unsafe ZSTD_createDCtx() else {
      throw Failure(.outOfMemory, "cannot decompress: out of memory")
    }
    unsafe self.context = context
    buffer = [UInt8](repeating: 0, count: 1 << 14)
  }

  deinit { unsafe _ = ZSTD_freeDCtx(context) }

  /// Lends the value of a blob, given without its header: decompressed into the decoder's
  /// buffer, or the stored bytes themselves if they are plain.
  ///
  /// `isWrapped` is true for a value of a delta layer. Throws `.damaged` if the bytes cannot be
  /// decompressed or unwrapped, or the frame holds more than `limit` bytes.
  @_lifetime(&self, copy stored)
  package mutating func decode(
    _ stored: RawSpan, isCompressed: Bool, isWrapped: Bool, limit: Int
  ) throws(FormatError) -> DecodedValue {
    guard isCompressed else { return try DecodedValue(stored, isWrapped: isWrapped) }
    guard let byteCount = decompress(stored, limit: limit) else {
      throw .damaged("the value cannot be decompressed")
    }
    return try DecodedValue(buffer.bytes.extracting(0..<byteCount), isWrapped: isWrapped)
  }

  /// The length of the value in a zstd frame, as the frame says; the limit of all blobs if it does
  /// not say.
  package static func claimedByteCount(of stored: RawSpan) -> Int {
    // Invariant: the buffer is lent for the call, with its length.
    let count = unsafe stored.withUnsafeBytes {
      unsafe ZSTD_getFrameContentSize($0.baseAddress, $0.count)
    }
    return Int(min(count, UInt64(BlobHeader.maximumByteCount)))
  }

  /// Decompresses a frame into `buffer`, and gives the value's length.
  ///
  /// The buffer grows up to `limit`, and not beyond what the frame says that it holds; nil when the
  /// bytes are damaged or the value is longer.
  private mutating func decompress(_ stored: RawSpan, limit: Int) -> Int? {
    let limit = min(limit, Self.claimedByteCount(of: stored))
    while true {
      // Invariant: both buffers are lent for the call, with their lengths.
      let result = unsafe buffer.withUnsafeMutableBytes { target in
        unsafe stored.withUnsafeBytes { source in
          unsafe ZSTD_decompressDCtx(
            context, target.baseAddress, min(target.count, limit), source.baseAddress,
            source.count)
        }
      }
      if ZSTD_isError(result) == 0 { return result }
      guard ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall, buffer.count < limit else {
        return nil
      }
      buffer = [UInt8](repeating: 0, count: min(buffer.count * 4, limit))
    }
  }
}
