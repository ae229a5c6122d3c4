import CZstd
import LayerFormat
import PostgresFormat
import System

/// Undoes the compression of values, with one reused context and buffer.
@safe
package struct BlobDecompressor: ~Copyable {
  // Invariant: the context is created in `init`, freed in `deinit`, and used by no one else.
  private let context: OpaquePointer

  /// The value that was decompressed last.
  package private(set) var buffer: [UInt8]

  package init() throws(Failure) {
    guard let context = unsafe ZSTD_createDCtx() else {
      throw Failure(.inputOutput, "cannot decompress: out of memory")
    }
    unsafe self.context = context
    buffer = [UInt8](repeating: 0, count: 1 << 14)
  }

  deinit { unsafe _ = ZSTD_freeDCtx(context) }

  /// Decompresses a blob's bytes into `buffer`, and gives the value's length.
  ///
  /// The buffer grows up to `limit`, and not beyond what the frame says that it holds; nil when the
  /// bytes are damaged or the value is longer.
  package mutating func decompress(_ stored: RawSpan, limit: Int) -> Int? {
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

extension BlobDecompressor {
  /// How long the value of a zstd frame is, as the frame says; the limit of all blobs where it does
  /// not.
  package static func claimedByteCount(of stored: RawSpan) -> Int {
    // Invariant: the buffer is lent for the call, with its length.
    let count = unsafe stored.withUnsafeBytes {
      unsafe ZSTD_getFrameContentSize($0.baseAddress, $0.count)
    }
    return Int(min(count, UInt64(BlobHeader.maximumByteCount)))
  }

  /// What a value is.
  package enum Content: Sendable {
    /// The value itself.
    case image
    /// A WAL record, which only a pageserver can replay.
    case record
  }

  /// Where the bytes of a value are.
  package struct PlainValue {
    package var content: Content
    /// In `buffer`, or else in the stored bytes.
    package var isInBuffer: Bool
    package var range: Range<Int>
  }

  /// Decompresses what a blob holds, if that is needed, and takes a delta layer's wrapping off.
  ///
  /// Throws `.damaged` if either fails, or the wrapped value is longer than `limit`.
  package mutating func plainValue(
    _ stored: RawSpan, isCompressed: Bool, isWrapped: Bool, limit: Int
  ) throws(FormatError) -> PlainValue {
    var byteCount = stored.byteCount
    if isCompressed {
      guard let plainByteCount = decompress(stored, limit: limit) else {
        throw .damaged("the value cannot be decompressed")
      }
      byteCount = plainByteCount
    }
    guard isWrapped else {
      return PlainValue(content: .image, isInBuffer: isCompressed, range: 0..<byteCount)
    }
    let isImage =
      isCompressed
      ? try DeltaValue.isImage(buffer.bytes.extracting(0..<byteCount))
      : try DeltaValue.isImage(stored)
    return PlainValue(
      content: isImage ? .image : .record, isInBuffer: isCompressed,
      range: (isImage ? DeltaValue.imageHeaderByteCount : 0)..<byteCount)
  }
}
