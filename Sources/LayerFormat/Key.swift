import PostgresFormat

/// The key of one value in a pageserver: 18 bytes.
///
/// ```
/// OFFSET SIZE FIELD     relation block        SLRU block
///      0    1 field 1   00                    01
///      1    4 field 2   tablespace            kind
///      5    4 field 3   database              1
///      9    4 field 4   relation file number  segment
///     13    1 field 5   fork                  0
///     14    4 field 6   block                 block
/// ```
///
/// All fields are big-endian, and keys are compared as bytes; `Key+Meaning.swift` has every kind of
/// key. (Neon, `libs/pageserver_api/src/key.rs`; Docs/format.md, Keys)
public struct Key: Hashable, Sendable {
  /// The length of an encoded key in bytes.
  public static let byteCount = 18

  // The 18 bytes as big-endian integers of 8, 8 and 2 bytes, which compare like the bytes.
  @usableFromInline let high: UInt64
  @usableFromInline let middle: UInt64
  @usableFromInline let low: UInt16

  @inlinable
  init(high: UInt64, middle: UInt64, low: UInt16) {
    self.high = high
    self.middle = middle
    self.low = low
  }

  /// The key with these six fields, in the order in which they are encoded.
  @inlinable
  public init(
    _ field1: UInt8, _ field2: UInt32, _ field3: UInt32, _ field4: UInt32, _ field5: UInt8,
    _ field6: UInt32
  ) {
    high = UInt64(field1) << 56 | UInt64(field2) << 24 | UInt64(field3 >> 8)
    middle =
      UInt64(field3 & 0xFF) << 56 | UInt64(field4) << 24 | UInt64(field5) << 16
      | UInt64(field6 >> 16)
    low = UInt16(truncatingIfNeeded: field6)
  }

  /// The lowest key.
  public static let minimum = Key(high: 0, middle: 0, low: 0)

  /// The highest key: the open end of a layer over the whole key space.
  public static let maximum = Key(high: .max, middle: .max, low: .max)

  /// The group that the key belongs to.
  public var field1: UInt8 { UInt8(truncatingIfNeeded: high >> 56) }
  /// A relation's tablespace, or an SLRU's kind.
  public var field2: UInt32 { UInt32(truncatingIfNeeded: high >> 24) }
  /// A relation's database.
  public var field3: UInt32 {
    UInt32(truncatingIfNeeded: high) << 8 | UInt32(truncatingIfNeeded: middle >> 56)
  }
  /// A relation's number, or an SLRU's segment.
  public var field4: UInt32 { UInt32(truncatingIfNeeded: middle >> 24) }
  /// A relation's fork.
  public var field5: UInt8 { UInt8(truncatingIfNeeded: middle >> 16) }
  /// The block, or FFFFFFFF for a size.
  public var field6: UInt32 { UInt32(truncatingIfNeeded: middle) << 16 | UInt32(low) }

  /// The key `count` blocks after that of a block, in the same relation fork or SLRU segment.
  public init(advancing key: Key, by count: Int) {
    let block = UInt64(key.field6) + UInt64(count)
    self.init(
      high: key.high, middle: key.middle & ~0xFFFF | block >> 16,
      low: UInt16(truncatingIfNeeded: block))
  }

  /// The next key in the order of the bytes; for the maximum, the maximum itself.
  public var next: Key {
    if low < .max { return Key(high: high, middle: middle, low: low + 1) }
    if middle < .max { return Key(high: high, middle: middle + 1, low: 0) }
    if high < .max { return Key(high: high + 1, middle: 0, low: 0) }
    return self
  }
}

extension Key: Comparable {
  /// The order of the 18 bytes, which is the order of the six fields.
  @inlinable
  public static func < (left: Key, right: Key) -> Bool {
    if left.high != right.high { return left.high < right.high }
    if left.middle != right.middle { return left.middle < right.middle }
    return left.low < right.low
  }
}

extension Key {
  /// Appends the key's 18 bytes.
  @inlinable
  public func encode(into bytes: inout [UInt8]) {
    bytes.appendBigEndian(high)
    bytes.appendBigEndian(middle)
    bytes.appendBigEndian(low)
  }

  /// Reads the 18 bytes at `offset`; traps if they are not within the span.
  @inlinable
  public init(decoding bytes: RawSpan, at offset: Int = 0) {
    high = bytes.bigEndian(at: offset)
    middle = bytes.bigEndian(at: offset + 8)
    low = bytes.bigEndian(at: offset + 16)
  }

  /// Reads 36 hexadecimal digits of either case; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count == 2 * Self.byteCount,
      let high = UInt64(hexadecimal: digits[0..<16]),
      let middle = UInt64(hexadecimal: digits[16..<32]),
      let low = UInt16(hexadecimal: digits[32..<36])
    else { return nil }
    self.init(high: high, middle: middle, low: low)
  }
}

extension Key: CustomStringConvertible {
  /// 36 upper-case hexadecimal digits, as in the names of layer files.
  public var description: String {
    high.hexadecimal(16) + middle.hexadecimal(16) + low.hexadecimal(4)
  }
}
