import System

/// The value of an option, and the ways to read it.
///
/// Every message names the option, the value that it needs, and the value that it got.
struct OptionValue {
  /// The option's long name, without its hyphens.
  let option: String

  let text: String

  /// The environment variable that the text is from; nil if it was given with the option.
  var variable: String?

  /// What messages call it.
  private var subject: String { variable.map { "variable '\($0)'" } ?? "option '--\(option)'" }

  /// The text, unless it is empty.
  func nonEmpty(placeholder: String) throws(Failure) -> String {
    guard !text.isEmpty else { throw .missingValue(option: option, placeholder: placeholder) }
    return text
  }

  /// A number within `range`, in decimal digits without a sign.
  func integer<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws(Failure)
    -> Number
  {
    guard Self.isDecimal(text[...]) else { throw refusal("a number") }
    guard let number = Number(text), range.contains(number) else {
      throw refusal("a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A number within `range`, or `word`, which means `number`.
  func integer<Number: FixedWidthInteger>(
    in range: ClosedRange<Number>, or word: String, meaning number: Number
  ) throws(Failure) -> Number {
    if text == word { return number }
    guard Self.isDecimal(text[...]), let number = Number(text), range.contains(number) else {
      throw refusal("a number from \(range.lowerBound) to \(range.upperBound), or '\(word)'")
    }
    return number
  }

  /// A number of bytes within `range`: decimal digits, and K, M, G or T (powers of 1024) or nothing.
  func size(in range: ClosedRange<UInt64>) throws(Failure) -> UInt64 {
    let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let shift = text.uppercased().last.flatMap { shifts[$0] }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard Self.isDecimal(digits) else {
      throw refusal("a size in bytes, or end in K, M, G or T")
    }
    let product = UInt64(digits)?.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    guard let (size, overflow) = product, !overflow, range.contains(size) else {
      let bounds = (Quantity.option(range.lowerBound), Quantity.option(range.upperBound))
      throw refusal("a size from \(bounds.0) to \(bounds.1)")
    }
    return size
  }

  /// One of a few words.
  func choice<Word: RawRepresentable<String> & CaseIterable>(
    of type: Word.Type = Word.self
  ) throws(Failure) -> Word {
    guard let word = Word(rawValue: text) else {
      let words = Word.allCases.map { "'\($0.rawValue)'" }
      throw refusal("\(words.dropLast().joined(separator: ", ")) or \(words.last ?? "")")
    }
    return word
  }

  /// A tablespace and its directory: `OID=DIR`.
  func tablespace() throws(Failure) -> (id: UInt32, directory: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let id = UInt32(parts[0]), Self.isDecimal(parts[0]), id > 0,
      !parts[1].isEmpty
    else { throw refusal("OID=DIR") }
    return (id, String(parts[1]))
  }

  /// The id of a tenant or a timeline: 32 hexadecimal digits, returned in lower case.
  func identifier() throws(Failure) -> String {
    guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
    else {
      throw refusal("32 hexadecimal digits")
    }
    return text.lowercased()
  }

  /// Whether `text` consists of decimal digits only.
  private static func isDecimal(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  func refusal(_ required: String) -> Failure {
    Failure(.badOption, "\(subject) must be \(required), not \(text.quoted)")
  }

  /// Throws if the text is a URL: it would be taken for the path of a directory, `s3:`. One of an object
  /// store is passed if it `mayBeStored`.
  func requirePath(mayBeStored: Bool) throws(Failure) {
    if mayBeStored { try URLScheme.requireBothSlashes(text, subject) }
    guard let scheme = URLScheme(of: text), !(mayBeStored && scheme.name == "s3") else { return }
    let hint =
      switch option {
      case "output": mayBeStored ? scheme.hintForOutput : scheme.hintForExport
      case "receipt": URLScheme.hintForReceipt
      default: scheme.hintForInput
      }
    throw Failure(
      .urlUnsupported, "\(subject) must be a path, not the URL \(text.quoted)", hint: hint)
  }
}
