import CCRC32C

/// The CRC-32C (Castagnoli) of bytes that come in pieces.
///
/// The polynomial, bit order and complement of Postgres' `pg_crc32c` (`src/port/pg_crc32c_sb8.c`)
/// and of RFC 3720, section B.4. Made with the processor's instruction where it has one (x86-64
/// with SSE 4.2, arm64 with CRC32: all but the oldest), else with tables.
public struct CRC32C: Sendable {
  private var remainder: UInt32 = .max

  public init() {}

  /// Takes in the next bytes; how they are cut into pieces does not matter.
  public mutating func update(_ bytes: RawSpan) {
    remainder =
      Self.isInHardware
      ? Self.hardwareRemainder(remainder, bytes) : Self.tableRemainder(remainder, bytes)
  }

  /// The checksum of everything taken in so far; 0 for nothing.
  public var value: UInt32 { ~remainder }

  /// The checksum of one run of bytes.
  public static func checksum(of bytes: RawSpan) -> UInt32 {
    var checksum = Self()
    checksum.update(bytes)
    return checksum.value
  }

  /// Whether the processor has the instruction.
  static let isInHardware = crc32c_is_in_hardware()

  /// The remainder after `bytes`, by the processor's instruction, which must be there.
  static func hardwareRemainder(_ remainder: UInt32, _ bytes: RawSpan) -> UInt32 {
    // Invariant: the buffer is lent for the call, with its length; the address of an empty one,
    // which may be nil, is not used.
    unsafe bytes.withUnsafeBytes { buffer in
      guard let start = buffer.baseAddress else { return remainder }
      return unsafe crc32c_in_hardware(
        remainder, start.assumingMemoryBound(to: UInt8.self), buffer.count)
    }
  }

  /// The same by eight tables, eight bytes a step ("slicing by 8"), on any processor.
  static func tableRemainder(_ start: UInt32, _ bytes: RawSpan) -> UInt32 {
    let table = Self.tables.span
    var remainder = start
    var offset = 0
    let endOfWords = bytes.byteCount & ~7
    while offset < endOfWords {
      let word = bytes.littleEndian(at: offset, as: UInt64.self) ^ UInt64(remainder)
      remainder =
        table[0x700 | Int(word & 0xFF)]
        ^ table[0x600 | Int((word >> 8) & 0xFF)]
        ^ table[0x500 | Int((word >> 16) & 0xFF)]
        ^ table[0x400 | Int((word >> 24) & 0xFF)]
        ^ table[0x300 | Int((word >> 32) & 0xFF)]
        ^ table[0x200 | Int((word >> 40) & 0xFF)]
        ^ table[0x100 | Int((word >> 48) & 0xFF)]
        ^ table[Int(word >> 56)]
      offset += 8
    }
    while offset < bytes.byteCount {
      let byte = bytes.littleEndian(at: offset, as: UInt8.self)
      remainder = remainder >> 8 ^ table[Int((remainder ^ UInt32(byte)) & 0xFF)]
      offset += 1
    }
    return remainder
  }

  /// Entry `256 * k + b`: the remainder that byte `b` leaves when `k` zero bytes follow it.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : 0x82F6_3B78)
      }
      tables[byte] = remainder
    }
    for index in 256..<tables.count {
      let previous = tables[index - 256]
      tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
    }
    return tables
  }()
}
