import CZlib
import PostgresFormat

/// zlib's decoder for gzip members (RFC 1952), each of which has a CRC-32 and a length.
///
/// Zeros after the last member are padding, as of a tape block; anything else there is refused.
@safe package struct GzipDecoder: StreamDecoder, ~Copyable {
  package static let formatName = "gzip"

  // Invariant: initialised by inflateInit2_, which keeps its address; ended and freed in `deinit`
  // only.
  private let stream: UnsafeMutablePointer<z_stream>
  private var isMemberComplete = false
  private var isInPadding = false

  /// A decoder for gzip members and nothing else; throws if zlib cannot allocate its state.
  package init() throws(FormatError) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // A window of 2^15 bytes, the largest; 16 on top takes gzip's header only.
    let result = unsafe inflateInit2_(
      stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard result == Z_OK else {
      unsafe stream.deallocate()
      throw .outOfMemory(Self.formatName)
    }
    unsafe self.stream = stream
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Takes and appends as many bytes as zlib can; zeros after a member are padding.
  ///
  /// Throws `.damaged` if a member's data, length or CRC-32 is wrong. (RFC 1952)
  package mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep {
    if isMemberComplete && !input.isEmpty {
      isInPadding = isInPadding || input.littleEndian(at: 0, as: UInt8.self) == 0
      if isInPadding { return try skipPadding(input) }
      unsafe inflateReset(stream)
      isMemberComplete = false
    }
    let (result, taken) = inflate(input, into: &output)
    switch result {
    case Z_OK, Z_BUF_ERROR:
      // Z_BUF_ERROR: nothing to take or no room to write, which the caller sees for itself.
      return DecodingStep(bytesTaken: taken, isComplete: false)
    case Z_STREAM_END:
      isMemberComplete = true
      return DecodingStep(bytesTaken: taken, isComplete: true)
    case Z_MEM_ERROR:
      throw .outOfMemory(Self.formatName)
    default:
      let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
      throw .damagedStream(Self.formatName, reason ?? "error \(result)")
    }
  }

  private func skipPadding(_ input: RawSpan) throws(FormatError) -> DecodingStep {
    for offset in 0..<input.byteCount where input.littleEndian(at: offset, as: UInt8.self) != 0 {
      throw .damagedStream(Self.formatName, "garbage after its end")
    }
    return DecodingStep(bytesTaken: input.byteCount, isComplete: true)
  }

  private func inflate(
    _ input: RawSpan, into output: inout OutputRawSpan
  ) -> (result: Int32, bytesTaken: Int) {
    // Invariant: zlib only reads the input, in spite of its pointer's type, and writes within the
    // free bytes of the output. Both are at most a few MiB, so that their sizes fit.
    unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
        let from = unsafe UnsafeMutableRawBufferPointer(mutating: source)
        unsafe stream.pointee.next_in = from.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(from.count)
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
        unsafe stream.pointee.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(free.count)
        let result = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        initializedCount += unsafe free.count - Int(stream.pointee.avail_out)
        return unsafe (result, from.count - Int(stream.pointee.avail_in))
      }
    }
  }
}
