extension UInt64 {
  /// The number that hexadecimal digits of either case spell; nil when there is none, another
  /// character, or more than 16 of them.
  package init?(hexadecimal digits: some Collection<UInt8>) {
    guard (1...16).contains(digits.count) else { return nil }
    var number: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - 0x30)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): number = number << 4 | UInt64(digit - 0x37)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - 0x57)
      default: return nil
      }
    }
    self = number
  }
}

extension FixedWidthInteger where Self: UnsignedInteger {
  /// The number in hexadecimal, with zeros before it up to `digitCount` digits.
  package func hexadecimal(_ digitCount: Int, uppercase: Bool = true) -> String {
    let digits = String(self, radix: 16, uppercase: uppercase)
    return String(repeating: "0", count: Swift.max(0, digitCount - digits.utf8.count)) + digits
  }
}
