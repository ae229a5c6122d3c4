import CZstd
import PostgresFormat

/// libzstd's streaming decoder: zstd frames, skippable ones among them (RFC 8878).
///
/// Checks a frame's content size and checksum if it has them.
@safe package struct ZstdDecoder: StreamDecoder, ~Copyable {
  package static let formatName = "zstd"

  // Invariant: a context from ZSTD_createDCtx, freed in `deinit` only.
  private let context: OpaquePointer

  /// A decoder for zstd frames with a window of at most 128 MiB; throws if libzstd cannot allocate
  /// its context.
  package init() throws(FormatError) {
    guard let context = unsafe ZSTD_createDCtx() else { throw .outOfMemory(Self.formatName) }
    unsafe self.context = context
    let result = unsafe ZSTD_DCtx_setParameter(
      context, ZSTD_d_windowLogMax, maximumWindowSizeLog)
    precondition(ZSTD_isError(result) == 0, "libzstd refuses a window of 128 MiB")
  }

  deinit {
    unsafe ZSTD_freeDCtx(context)
  }

  /// Takes and appends as many bytes as libzstd can.
  ///
  /// Throws `.damaged` if a frame's data, length or checksum is wrong, `.unsupported` if its window
  /// is larger than 128 MiB, or than there is memory.
  package mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep {
    // Invariant: libzstd reads and writes within the two buffers, and advances their positions by
    // as much.
    var taken = 0
    let result = unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
        var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var to = unsafe ZSTD_outBuffer(
          dst: buffer.baseAddress, size: buffer.count, pos: initializedCount)
        let result = unsafe ZSTD_decompressStream(context, &to, &from)
        taken = unsafe from.pos
        initializedCount = unsafe to.pos
        return result
      }
    }
    if ZSTD_isError(result) != 0 {
      switch ZSTD_getErrorCode(result) {
      case ZSTD_error_frameParameter_windowTooLarge: throw windowTooLarge(Self.formatName)
      // The window is allocated with the first bytes of a frame.
      case ZSTD_error_memory_allocation: throw .outOfMemory(Self.formatName)
      default:
        throw .damagedStream(Self.formatName, unsafe String(cString: ZSTD_getErrorName(result)))
      }
    }
    // Zero is the end of a frame of which all was written; the next call begins a new one.
    return DecodingStep(bytesTaken: taken, isComplete: result == 0)
  }
}
