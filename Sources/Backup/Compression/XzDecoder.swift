import CLzma
import PostgresFormat
import System

/// liblzma's decoder for xz streams, with the padding between and after them.
///
/// Blocks whose headers have their sizes, as `xz -T` writes them, are decoded at the same time, each
/// by a thread of liblzma's. Such a block is kept in memory with all that it decodes to. All others
/// are decoded by the caller's thread.
///
/// Refuses streams whose check it cannot verify; one with no check at all (`--check=none`) has
/// only the lengths and the checksums of its headers.
@safe package struct XzDecoder: StreamDecoder, ~Copyable {
  package static let formatName = "xz"

  // Invariant: initialised by lzma_stream_decoder_mt; ended, with its threads, and freed in `deinit`
  // only.
  private let stream: UnsafeMutablePointer<lzma_stream>

  // Streams follow one another here, not in liblzma: it would take short garbage after one for the beginning of
  // another that is cut off.

  /// Bytes of the magic number of the stream that were taken. That of the first was looked at before.
  private var magicByteCount = Self.magic.count
  /// After a stream: bytes of padding, modulo 4; nil in a stream.
  private var paddingByteCount: Int?

  /// What a stream begins with, after any multiple of four zeros of padding. (The xz file format, 2.1.1.1, 2.2)
  private static let magic: [UInt8] = [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]

  /// What blocks that are decoded at the same time may take: two of 24 MiB, which `xz -T2` writes,
  /// with what they are decoded from and their dictionaries. A block that takes more is decoded by
  /// the caller's thread.
  private static let threadMemoryLimit: UInt64 = 80 << 20

  /// A decoder for xz streams with a dictionary of at most 128 MiB; throws if liblzma cannot
  /// allocate its state.
  package init() throws(FormatError) {
    let stream = UnsafeMutablePointer<lzma_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: lzma_stream())
    do throws(FormatError) {
      unsafe try Self.begin(stream)
    } catch {
      unsafe stream.deallocate()
      throw error
    }
    unsafe self.stream = stream
  }

  deinit {
    unsafe lzma_end(stream)
    unsafe stream.deallocate()
  }

  /// Makes liblzma expect the first byte of a stream.
  private static func begin(_ stream: UnsafeMutablePointer<lzma_stream>) throws(FormatError) {
    var options = unsafe lzma_mt()
    // The dictionary, and what else the decoder takes: well below 1 MiB.
    unsafe options.memlimit_stop = (UInt64(1) << maximumWindowSizeLog) + (1 << 20)
    unsafe options.memlimit_threading = Self.threadMemoryLimit
    unsafe options.threads = UInt32(Processors.count)
    // Without LZMA_FAIL_FAST: it would withhold the bytes before the damage, and call a stream
    // damaged that is cut off.
    unsafe options.flags = lzma_flag_tell_unsupported_check
    guard unsafe lzma_stream_decoder_mt(stream, &options) == LZMA_OK else {
      throw .outOfMemory(formatName)
    }
  }

  /// Takes and appends as many bytes as liblzma can.
  ///
  /// Throws `.damaged` if a stream's data or checksum is wrong, or something else follows one, and
  /// `.unsupported` if its dictionary is larger than 128 MiB.
  package mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep {
    if let before = paddingByteCount {
      let count = Self.zeroCount(of: input)
      let padding = (before + count) % 4
      if padding != 0, isAtEnd || count < input.byteCount { throw .garbage(after: Self.formatName) }
      paddingByteCount = padding
      if count > 0 || isAtEnd { return DecodingStep(bytesTaken: count, isComplete: padding == 0) }
      unsafe try Self.begin(stream)
      (magicByteCount, paddingByteCount) = (0, nil)
    }
    let known = magicByteCount
    magicByteCount += min(Self.magic.count - known, input.byteCount)
    guard input.starts(with: Array(Self.magic[known..<magicByteCount])) else {
      throw .garbage(after: Self.formatName)
    }
    let (result, taken) = code(input, isAtEnd ? LZMA_FINISH : LZMA_RUN, into: &output)
    switch result {
    case LZMA_OK, LZMA_BUF_ERROR:
      // LZMA_BUF_ERROR: nothing to take or no room to write, which the caller sees for itself.
      return DecodingStep(bytesTaken: taken, isComplete: false)
    case LZMA_STREAM_END:
      paddingByteCount = 0
      return DecodingStep(bytesTaken: taken, isComplete: true)
    case LZMA_MEMLIMIT_ERROR:
      throw windowTooLarge(Self.formatName)
    case LZMA_MEM_ERROR:
      throw .outOfMemory(Self.formatName)
    case LZMA_UNSUPPORTED_CHECK, LZMA_OPTIONS_ERROR:
      throw .damagedStream(Self.formatName, "unknown check or filter")
    default:
      throw .damagedStream(Self.formatName, "data error")
    }
  }

  /// How many zeros the bytes begin with.
  private static func zeroCount(of bytes: RawSpan) -> Int {
    var count = 0
    while count < bytes.byteCount, bytes.littleEndian(at: count, as: UInt8.self) == 0 { count += 1 }
    return count
  }

  private func code(
    _ input: RawSpan, _ action: lzma_action, into output: inout OutputRawSpan
  ) -> (result: lzma_ret, bytesTaken: Int) {
    // Invariant: liblzma reads within the input and writes within the free bytes of the output.
    unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
        unsafe stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = source.count
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
        unsafe stream.pointee.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = free.count
        let result = unsafe lzma_code(stream, action)
        initializedCount += unsafe free.count - stream.pointee.avail_out
        return unsafe (result, source.count - stream.pointee.avail_in)
      }
    }
  }
}
