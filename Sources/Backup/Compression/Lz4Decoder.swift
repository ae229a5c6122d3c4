import CLz4
import PostgresFormat

/// liblz4's decoder for LZ4 frames, skippable ones among them.
///
/// Checks the checksums of header, blocks and content, and the content size, if a frame has
/// them.
@safe package struct Lz4Decoder: StreamDecoder, ~Copyable {
  package static let formatName = "lz4"

  // Invariant: a context from LZ4F_createDecompressionContext, freed in `deinit` only.
  private let context: OpaquePointer

  /// A decoder for LZ4 frames; throws if liblz4 cannot allocate its context.
  package init() throws(FormatError) {
    var context: OpaquePointer?
    let result = unsafe LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(result) == 0, let context = unsafe context else {
      throw .outOfMemory(Self.formatName)
    }
    unsafe self.context = context
  }

  deinit {
    unsafe LZ4F_freeDecompressionContext(context)
  }

  /// Takes and appends as many bytes as liblz4 can.
  ///
  /// Throws `.damaged` if a frame's data, length or checksum is wrong, `.unsupported` if there is no memory
  /// for its blocks.
  package mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep {
    // Invariant: liblz4 reads and writes within the given sizes, and puts in their place what it
    // took and wrote. Without `stableDst` it does not look back into the output.
    var taken = input.byteCount
    let result = unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
        var written = free.count
        let result = unsafe LZ4F_decompress(
          context, free.baseAddress, &written, source.baseAddress, &taken, nil)
        if LZ4F_isError(result) == 0 { initializedCount += written }
        return result
      }
    }
    if LZ4F_isError(result) != 0 {
      let reason = unsafe String(cString: LZ4F_getErrorName(result))
      // The library gives the code itself to programs that it is part of only. (`lz4frame.h`)
      if reason == "ERROR_allocation_failed" { throw .outOfMemory(Self.formatName) }
      throw .damagedStream(Self.formatName, reason)
    }
    // Zero is the end of a frame; the next call begins a new one.
    return DecodingStep(bytesTaken: taken, isComplete: result == 0)
  }
}
