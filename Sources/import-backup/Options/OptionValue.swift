import System

/// The value that an option was given, and the ways to read it.
///
/// Every message names the option, what is wanted of it, and what it got.
struct OptionValue {
  /// The option's long name, without its hyphens.
  let option: String

  let text: String

  /// A number in decimal digits, no sign, within `range`.
  func integer<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws(Failure)
    -> Number
  {
    guard Self.isDecimal(text[...]) else { throw refusal("wants a number") }
    guard let number = Number(text), range.contains(number) else {
      throw refusal("wants a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A number of bytes in decimal digits, perhaps with K, M or G (powers of 1024), within `range`.
  func size(in range: ClosedRange<UInt64>) throws(Failure) -> UInt64 {
    let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "k": 10, "m": 20, "g": 30]
    let shift = text.last.flatMap { shifts[$0] }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard Self.isDecimal(digits) else {
      throw refusal("wants a size in bytes, or with K, M or G behind it")
    }
    let product = UInt64(digits)?.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    guard let (size, overflow) = product, !overflow, range.contains(size) else {
      let bounds = (Quantity.option(range.lowerBound), Quantity.option(range.upperBound))
      throw refusal("wants a size from \(bounds.0) to \(bounds.1)")
    }
    return size
  }

  /// One of a few words.
  func choice<Word: RawRepresentable<String> & CaseIterable>(
    of type: Word.Type = Word.self
  ) throws(Failure) -> Word {
    guard let word = Word(rawValue: text) else {
      let words = Word.allCases.map { "'\($0.rawValue)'" }
      throw refusal("wants \(words.dropLast().joined(separator: ", ")) or \(words.last ?? "")")
    }
    return word
  }

  /// A tenant's or timeline's id: 32 hexadecimal digits, given back in lower case.
  func identifier() throws(Failure) -> String {
    guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
    else {
      throw refusal("wants 32 hexadecimal digits")
    }
    return text.lowercased()
  }

  /// Whether `text` is decimal digits and nothing else, so that only their number can be wrong.
  private static func isDecimal(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private func refusal(_ wish: String) -> Failure {
    .usage("'--\(option)' \(wish), not \(text.quoted)")
  }
}
