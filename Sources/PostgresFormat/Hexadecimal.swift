extension FixedWidthInteger {
  /// Reads hexadecimal digits of either case; nil if there are none or too many, or another
  /// character.
  package init?(hexadecimal digits: some Collection<UInt8>) {
    guard !digits.isEmpty, digits.count <= Self.bitWidth / 4 else { return nil }
    var number: Self = 0
    for digit in digits {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - 0x30
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - 0x37
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - 0x57
      default: return nil
      }
      number = number << 4 | Self(value)
    }
    self = number
  }
}

extension FixedWidthInteger where Self: UnsignedInteger {
  /// The number in hexadecimal, padded with zeros to `digitCount` digits.
  package func hexadecimal(_ digitCount: Int, uppercase: Bool = true) -> String {
    let digits = String(self, radix: 16, uppercase: uppercase)
    return String(repeating: "0", count: Swift.max(0, digitCount - digits.utf8.count)) + digits
  }
}

extension [UInt8] {
  /// Reads pairs of hexadecimal digits of either case; nil for anything else.
  package init?(hexadecimalPairs digits: some RandomAccessCollection<UInt8>) {
    guard digits.count.isMultiple(of: 2) else { return nil }
    self = []
    reserveCapacity(digits.count / 2)
    var rest = digits[...]
    while !rest.isEmpty {
      guard let byte = UInt8(hexadecimal: rest.prefix(2)) else { return nil }
      append(byte)
      rest = rest.dropFirst(2)
    }
  }
}
