/// Splits a JSON text that comes in pieces into tokens, in bounded memory.
///
/// For long texts of short parts, such as a backup manifest: with a million files it has 150 MB,
/// and a decoder for the whole text would need several times that. Reads objects, arrays, strings
/// and whole numbers; `true`, `false`, `null` and fractions are refused, as manifests have none.
/// (RFC 8259)
struct JSONScanner {
  enum Event {
    case objectStart, objectEnd, arrayStart, arrayEnd
    /// The name of the next value of an object.
    case name([UInt8])
    /// A string with its escapes decoded; the bytes need not be UTF-8.
    case string([UInt8])
    /// The digits of a number, with a minus in front if it has one.
    case number([UInt8])
  }

  private enum Container { case object, array }

  /// What may come next, between tokens.
  private enum Expectation { case value, firstValueOrEnd, name, firstNameOrEnd, colon, commaOrEnd }

  private enum Token { case string, escape, codeUnit, number }

  /// The maximum length of a string or number in bytes.
  private static let tokenLimit = 32 << 10
  private static let depthLimit = 16

  private var containers: [Container] = []
  private var expectation = Expectation.value
  private var token: Token?
  private var text: [UInt8] = []
  private var codeUnitDigits: [UInt8] = []
  /// The first half of a character that is written as two escapes.
  private var highSurrogate: UInt32?

  /// Whether the text is complete.
  private(set) var isAtEnd = false

  /// Scans the next bytes; how they are split into pieces does not matter.
  mutating func scan(
    _ bytes: RawSpan, _ body: (Event) throws(FormatError) -> Void
  ) throws(FormatError) {
    for offset in 0..<bytes.byteCount {
      try scan(bytes.littleEndian(at: offset, as: UInt8.self), body)
    }
  }

  private mutating func scan(
    _ byte: UInt8, _ body: (Event) throws(FormatError) -> Void
  ) throws(FormatError) {
    switch token {
    case .string: try scanString(byte, body)
    case .escape: try scanEscape(byte)
    case .codeUnit: try scanCodeUnit(byte)
    case .number:
      if (0x30...0x39).contains(byte) { return try append(byte) }
      token = nil
      guard text != [UInt8(ascii: "-")] else { throw Self.unexpected(byte) }
      try body(.number(text))
      endValue()
      fallthrough
    case nil: try scanBetween(byte, body)
    }
  }

  private mutating func scanBetween(
    _ byte: UInt8, _ body: (Event) throws(FormatError) -> Void
  ) throws(FormatError) {
    switch (byte, expectation) {
    case (0x20, _), (0x09, _), (0x0A, _), (0x0D, _): return
    case _ where isAtEnd: throw Self.unexpected(byte)
    case (UInt8(ascii: ","), .commaOrEnd):
      expectation = containers.last == .object ? .name : .value
    case (UInt8(ascii: ":"), .colon): expectation = .value
    case (UInt8(ascii: "\""), .value), (UInt8(ascii: "\""), .firstValueOrEnd),
      (UInt8(ascii: "\""), .name), (UInt8(ascii: "\""), .firstNameOrEnd):
      text.removeAll(keepingCapacity: true)
      token = .string
    case (UInt8(ascii: "-"), .value), (UInt8(ascii: "-"), .firstValueOrEnd),
      (0x30...0x39, .value), (0x30...0x39, .firstValueOrEnd):
      text = [byte]
      token = .number
    case (UInt8(ascii: "{"), .value), (UInt8(ascii: "{"), .firstValueOrEnd):
      try open(.object)
      try body(.objectStart)
    case (UInt8(ascii: "["), .value), (UInt8(ascii: "["), .firstValueOrEnd):
      try open(.array)
      try body(.arrayStart)
    case (UInt8(ascii: "}"), .firstNameOrEnd), (UInt8(ascii: "}"), .commaOrEnd):
      try close(.object, byte)
      try body(.objectEnd)
    case (UInt8(ascii: "]"), .firstValueOrEnd), (UInt8(ascii: "]"), .commaOrEnd):
      try close(.array, byte)
      try body(.arrayEnd)
    default: throw Self.unexpected(byte)
    }
  }

  private mutating func open(_ container: Container) throws(FormatError) {
    guard containers.count < Self.depthLimit else {
      throw .damaged("the JSON is nested too deeply")
    }
    containers.append(container)
    expectation = container == .object ? .firstNameOrEnd : .firstValueOrEnd
  }

  private mutating func close(_ container: Container, _ byte: UInt8) throws(FormatError) {
    guard containers.popLast() == container else { throw Self.unexpected(byte) }
    endValue()
  }

  private mutating func endValue() {
    expectation = .commaOrEnd
    isAtEnd = containers.isEmpty
  }

  // MARK: Strings

  private mutating func scanString(
    _ byte: UInt8, _ body: (Event) throws(FormatError) -> Void
  ) throws(FormatError) {
    switch byte {
    case UInt8(ascii: "\\"): token = .escape
    case UInt8(ascii: "\""):
      guard highSurrogate == nil else { throw Self.loneSurrogate }
      token = nil
      if expectation == .name || expectation == .firstNameOrEnd {
        expectation = .colon
        try body(.name(text))
      } else {
        try body(.string(text))
        endValue()
      }
    case 0..<0x20: throw Self.unexpected(byte)
    default:
      guard highSurrogate == nil else { throw Self.loneSurrogate }
      try append(byte)
    }
  }

  private mutating func scanEscape(_ byte: UInt8) throws(FormatError) {
    token = .string
    if byte == UInt8(ascii: "u") {
      codeUnitDigits.removeAll(keepingCapacity: true)
      token = .codeUnit
      return
    }
    guard highSurrogate == nil else { throw Self.loneSurrogate }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): try append(byte)
    case UInt8(ascii: "b"): try append(0x08)
    case UInt8(ascii: "f"): try append(0x0C)
    case UInt8(ascii: "n"): try append(0x0A)
    case UInt8(ascii: "r"): try append(0x0D)
    case UInt8(ascii: "t"): try append(0x09)
    default: throw Self.unexpected(byte)
    }
  }

  private mutating func scanCodeUnit(_ byte: UInt8) throws(FormatError) {
    codeUnitDigits.append(byte)
    guard codeUnitDigits.count == 4 else { return }
    guard let unit = UInt32(hexadecimal: codeUnitDigits) else { throw Self.unexpected(byte) }
    token = .string
    var value = unit
    switch (highSurrogate, unit) {
    case (nil, 0xD800..<0xDC00):
      highSurrogate = unit
      return
    case (let high?, 0xDC00..<0xE000): value = 0x10000 + (high - 0xD800) << 10 + (unit - 0xDC00)
    case (nil, _): break
    default: throw Self.loneSurrogate
    }
    highSurrogate = nil
    guard let scalar = Unicode.Scalar(value) else { throw Self.loneSurrogate }
    for byte in String(scalar).utf8 { try append(byte) }
  }

  private mutating func append(_ byte: UInt8) throws(FormatError) {
    guard text.count < Self.tokenLimit else {
      throw .damaged("a JSON string or number has more than \(Self.tokenLimit) bytes")
    }
    text.append(byte)
  }

  private static let loneSurrogate = FormatError.damaged(
    "a JSON string contains half of a surrogate pair")

  private static func unexpected(_ byte: UInt8) -> FormatError {
    .damaged("unexpected \(String(decoding: [byte], as: UTF8.self).quoted) in the JSON")
  }
}
