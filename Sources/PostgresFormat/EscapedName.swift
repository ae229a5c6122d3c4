/// A name from a backup, safe to print: on one line and without side effects.
///
/// Control characters, invisible characters, characters that change the direction of the text,
/// backslashes, and bytes that are not UTF-8 are written as `\n`, `\\`, `\u{202E}`, `\xFF`;
/// everything else is unchanged.
public func escaped(_ name: some Collection<UInt8>) -> String {
  var result = ""
  var rest = name[...]
  while let first = rest.first {
    let character = rest.prefix(sequenceLength(first))
    if let text = String(validating: character, as: UTF8.self),
      let scalar = text.unicodeScalars.first
    {
      result += escaped(scalar)
      rest = rest.dropFirst(character.count)
    } else {
      result += "\\x" + first.hexadecimal(2)
      rest = rest.dropFirst()
    }
  }
  return result
}

/// The length of the UTF-8 sequence that begins with this byte.
private func sequenceLength(_ first: UInt8) -> Int {
  first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
}

private func escaped(_ scalar: Unicode.Scalar) -> String {
  switch scalar {
  case "\\": return "\\\\"
  case "\n": return "\\n"
  case "\r": return "\\r"
  case "\t": return "\\t"
  default: break
  }
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
    return "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
  default:
    return String(scalar)
  }
}

extension String {
  /// The text in single quotes, escaped, so that no name can imitate our output.
  public var quoted: String { "'\(escaped(utf8))'" }
}

/// A length as messages show it: `1 byte`, `8191 bytes`.
public func byteWords(_ count: some BinaryInteger) -> String {
  "\(count) \(count == 1 ? "byte" : "bytes")"
}

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

extension Sequence<UInt8> {
  /// The bytes as two lower-case hexadecimal digits each.
  package var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }, as: UTF8.self)
  }
}
