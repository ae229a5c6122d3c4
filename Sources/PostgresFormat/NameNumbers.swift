/// Numbers in file names, exactly as Postgres writes them: each number has one spelling.
///
/// Otherwise two files could mean the same relation.
extension ArraySlice<UInt8> {
  /// A decimal number of 32 bits, without sign or leading zeros, and not 0.
  var positiveDecimal: UInt32? {
    guard let first, first != UInt8(ascii: "0"), count <= 10 else { return nil }
    var value: UInt64 = 0
    for digit in self {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + UInt64(digit - 0x30)
    }
    return UInt32(exactly: value)
  }

  /// Up to 16 upper-case hexadecimal digits; leading zeros are allowed.
  var upperHexadecimal: UInt64? {
    contains { $0 > UInt8(ascii: "F") } ? nil : UInt64(hexadecimal: self)
  }

  var isDecimalDigits: Bool { !isEmpty && allSatisfy { (0x30...0x39).contains($0) } }

  func isNamed(_ name: String) -> Bool { elementsEqual(name.utf8) }

  func hasPrefix(_ prefix: String) -> Bool { starts(with: prefix.utf8) }

  func hasSuffix(_ suffix: String) -> Bool { reversed().starts(with: suffix.utf8.reversed()) }
}
