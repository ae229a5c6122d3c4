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

  /// After a frame, what the next one begins with, fewer than four bytes: liblz4 would wait for more, whatever they
  /// are. Nil in a frame; the beginning of the first was looked at before.
  private var beginning: [UInt8]?

  /// What frames begin with, skippable ones among them. (The LZ4 frame format, "Magic Number", "Skippable Frames")
  private static let magics: [[UInt8]] =
    [[0x04, 0x22, 0x4D, 0x18]] + (0x50...0x5F).map { [$0, 0x2A, 0x4D, 0x18] }

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
    if let bytes = beginning {
      let count = min(4 - bytes.count, input.byteCount)
      let known = bytes + (0..<count).map { input.littleEndian(at: $0, as: UInt8.self) }
      guard Self.magics.contains(where: { $0.starts(with: known) }) else {
        throw .garbage(after: Self.formatName)
      }
      beginning = known.count < 4 ? known : nil
    }
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
    if result == 0 { beginning = [] }
    return DecodingStep(bytesTaken: taken, isComplete: result == 0)
  }
}
