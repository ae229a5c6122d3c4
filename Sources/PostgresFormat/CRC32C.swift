/// The CRC-32C (Castagnoli) of bytes that come in pieces.
///
/// The polynomial, bit order and complement of Postgres' `pg_crc32c` (`src/port/pg_crc32c_sb8.c`)
/// and of RFC 3720, section B.4. Eight bytes a step through eight tables ("slicing by 8"), so that
/// no instruction of a particular processor is needed.
public struct CRC32C: Sendable {
  private var remainder: UInt32 = .max

  public init() {}

  /// Takes in the next bytes; how they are cut into pieces does not matter.
  public mutating func update(_ bytes: RawSpan) {
    let table = Self.tables.span
    var remainder = remainder
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
    self.remainder = remainder
  }

  /// The checksum of everything taken in so far; 0 for nothing.
  public var value: UInt32 { ~remainder }

  /// The checksum of one run of bytes.
  public static func checksum(of bytes: RawSpan) -> UInt32 {
    var checksum = Self()
    checksum.update(bytes)
    return checksum.value
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
