import CIsal
import PostgresFormat

/// ISA-L's decoder for gzip members (RFC 1952), each of which has a CRC-32 and a length.
///
/// Zeros after the last member are padding, as of a tape block; anything else there is refused.
@safe package struct GzipDecoder: StreamDecoder, ~Copyable {
  package static let formatName = "gzip"

  /// What the next byte of the input belongs to.
  private enum Position {
    case header
    case data
    case endOfMember
    case padding
  }

  // Invariant: `state` is initialised by isal_inflate_init and `header` by isal_gzip_header_init;
  // both are used by no one else, and freed in `deinit` only. ISA-L allocates nothing itself.
  private let state: UnsafeMutablePointer<inflate_state>
  private let header: UnsafeMutablePointer<isal_gzip_header>
  private var position = Position.header

  /// How many bytes of the member's header were taken.
  private var headerByteCount = 0

  /// A decoder for gzip members and nothing else.
  package init() {
    unsafe state = .allocate(capacity: 1)
    unsafe isal_inflate_init(state)
    // isal_inflate can read the header too, but forgets its checksum from one call to the next. Here
    // the checksum is kept in `header`. Name, comment and extra field are skipped, since they have
    // no buffers.
    unsafe header = .allocate(capacity: 1)
    unsafe isal_gzip_header_init(header)
    beginMember()
  }

  deinit {
    unsafe state.deallocate()
    unsafe header.deallocate()
  }

  /// Takes and appends as many bytes as ISA-L can; zeros after a member are padding.
  ///
  /// Throws `.damaged` if a member's header, data, length or CRC-32 is wrong. (RFC 1952)
  package mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep {
    if position == .endOfMember && !input.isEmpty {
      if input.littleEndian(at: 0, as: UInt8.self) == 0 {
        position = .padding
      } else {
        beginMember()
      }
    }
    switch position {
    case .header:
      try checkFixedFields(input)
      let (result, taken) = readHeader(input)
      headerByteCount += taken
      if result != ISAL_END_INPUT {
        try Self.check(result)
        position = .data
      }
      return DecodingStep(bytesTaken: taken, isComplete: false)
    case .data:
      let (result, taken) = inflate(input, into: &output)
      try Self.check(result)
      // The result is the same if the input ends too early.
      if unsafe state.pointee.block_state == ISAL_BLOCK_FINISH { position = .endOfMember }
      return DecodingStep(bytesTaken: taken, isComplete: position == .endOfMember)
    case .endOfMember:
      return DecodingStep(bytesTaken: 0, isComplete: true)
    case .padding:
      return try skipPadding(input)
    }
  }

  private mutating func beginMember() {
    unsafe isal_inflate_reset(state)
    // Checks the CRC and the length that follow the data. The header is read separately.
    unsafe state.pointee.crc_flag = UInt32(ISAL_GZIP_NO_HDR_VER)
    headerByteCount = 0
    position = .header
  }

  /// Checks the first four bytes of a header, of which any may be in `input`: ISA-L looks at them
  /// only when it has ten, and does not refuse the flags that RFC 1952 reserves.
  private func checkFixedFields(_ input: RawSpan) throws(FormatError) {
    for offset in headerByteCount..<max(headerByteCount, min(4, headerByteCount + input.byteCount))
    {
      let byte: UInt8 = input.littleEndian(at: offset - headerByteCount)
      switch offset {
      case 0 where byte != 0x1F, 1 where byte != 0x8B:
        throw .garbage(after: Self.formatName)
      case 2 where byte != 8:
        throw .damagedStream(Self.formatName, "unknown compression method")
      case 3 where byte & 0xE0 != 0:
        throw .damagedStream(Self.formatName, "unknown header flags")
      default: break
      }
    }
  }

  private func skipPadding(_ input: RawSpan) throws(FormatError) -> DecodingStep {
    for offset in 0..<input.byteCount where input.littleEndian(at: offset, as: UInt8.self) != 0 {
      throw .garbage(after: Self.formatName)
    }
    return DecodingStep(bytesTaken: input.byteCount, isComplete: true)
  }

  /// Throws for what ISA-L returns if the stream is damaged. (ISA-L, `igzip_lib.h`)
  private static func check(_ result: Int32) throws(FormatError) {
    let reason =
      switch result {
      case ISAL_DECOMP_OK: nil as String?
      case ISAL_INVALID_BLOCK: "invalid block"
      case ISAL_INVALID_SYMBOL: "invalid symbol"
      case ISAL_INVALID_LOOKBACK: "invalid distance"
      case ISAL_INCORRECT_CHECKSUM: "wrong checksum or length"
      default: "error \(result)"
      }
    if let reason { throw .damagedStream(formatName, reason) }
  }

  private func readHeader(_ input: RawSpan) -> (result: Int32, bytesTaken: Int) {
    // Invariant: ISA-L only reads the input, in spite of its pointer's type.
    unsafe input.withUnsafeBytes { source in
      unsafe lend(source)
      let result = unsafe read_gzip_header(state, header)
      return unsafe (result, source.count - Int(state.pointee.avail_in))
    }
  }

  private func inflate(
    _ input: RawSpan, into output: inout OutputRawSpan
  ) -> (result: Int32, bytesTaken: Int) {
    // Invariant: ISA-L only reads the input, in spite of its pointer's type, and writes within the
    // free bytes of the output. Both are at most a few MiB, so that their sizes fit. It keeps the
    // window itself, and does not look back into the output of an earlier call.
    unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
        unsafe lend(source)
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
        unsafe state.pointee.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe state.pointee.avail_out = UInt32(free.count)
        let result = unsafe inflate_gzip_data(state)
        initializedCount += unsafe free.count - Int(state.pointee.avail_out)
        return unsafe (result, source.count - Int(state.pointee.avail_in))
      }
    }
  }

  private func lend(_ source: UnsafeRawBufferPointer) {
    let from = unsafe UnsafeMutableRawBufferPointer(mutating: source)
    unsafe state.pointee.next_in = from.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe state.pointee.avail_in = UInt32(from.count)
  }
}
