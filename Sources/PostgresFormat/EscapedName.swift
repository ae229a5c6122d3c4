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
