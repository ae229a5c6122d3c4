import CZstd
import LayerFormat

/// Undoes the compression of values, with one reused context and buffer.
@safe
struct BlobDecompressor: ~Copyable {
  // Invariant: the context is created in `init`, freed in `deinit`, and used by no one else.
  private let context: OpaquePointer

  /// The value that was decompressed last.
  private(set) var buffer: [UInt8]

  init() throws(ImportError) {
    guard let context = unsafe ZSTD_createDCtx() else {
      throw ImportError(.inputOutput, "cannot decompress: out of memory")
    }
    unsafe self.context = context
    buffer = [UInt8](repeating: 0, count: 1 << 14)
  }

  deinit { unsafe _ = ZSTD_freeDCtx(context) }

  /// Decompresses a blob's bytes into `buffer`, and gives the value's length.
  ///
  /// The buffer grows up to `limit`; nil when the bytes are damaged or the value is longer.
  mutating func decompress(_ stored: RawSpan, limit: Int) -> Int? {
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
