import PostgresFormat

/// One pass over the bytes of an index or a receipt that finds what a pageserver would refuse or read
/// in another way than the decoder here, and what would cost the decoder much memory.
///
/// | input | a pageserver (serde_json) | Foundation |
/// | --- | --- | --- |
/// | a byte order mark, UTF-16, UTF-32 | refuses | reads |
/// | a field twice | refuses | takes the first |
/// | a layer twice | takes the last | takes the first |
/// | millions of values in unknown fields | skips them | some 50 bytes for each |
///
/// The decoder finds all other errors. Cost: one pass. Memory: 32 bytes for each key of the open
/// objects.
struct JSONCheck {
  private enum Container {
    case array
    /// The keys so far, as written between their quotes.
    case object(Set<ArraySlice<UInt8>>)
  }

  private static let depthLimit = 128
  /// A layer has at most seven values: its name, its fields and their contents.
  private static let valueLimit = 1 << 20

  private let bytes: [UInt8]
  /// What messages call it: `the index`.
  private let subject: String
  private var containers: [Container] = []
  private var valueCount = 0

  /// Throws `.damaged` for the inputs above.
  static func check(
    _ bytes: [UInt8], of subject: String, mayBeArray: Bool = false
  ) throws(FormatError) {
    var check = JSONCheck(bytes, subject)
    try check.run(mayBeArray: mayBeArray)
  }

  private init(_ bytes: [UInt8], _ subject: String) {
    self.bytes = bytes
    self.subject = subject
  }

  private mutating func run(mayBeArray: Bool) throws(FormatError) {
    let first = bytes.first { !Self.isSpace($0) }
    guard first == UInt8(ascii: "{") || mayBeArray && first == UInt8(ascii: "[") else {
      throw .damaged("\(subject) does not begin with '{'\(mayBeArray ? " or '['" : "")")
    }
    var offset = 0
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: "{"): try open(.object([]))
      case UInt8(ascii: "["): try open(.array)
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = containers.popLast()
      case UInt8(ascii: ","), UInt8(ascii: ":"): try countValue()
      case UInt8(ascii: "\""):
        let start = offset + 1
        offset = endOfString(from: start)
        if isKey(endingAt: offset) { try takeKey(bytes[start..<offset]) }
      case 0: throw .damaged("\(subject) is not UTF-8: it contains a NUL")
      default: break
      }
      offset += 1
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    [0x20, 0x0A, 0x0D, 0x09].contains(byte)
  }

  private mutating func open(_ container: Container) throws(FormatError) {
    guard containers.count < Self.depthLimit else {
      throw .damaged("\(subject) is nested deeper than \(Self.depthLimit) levels")
    }
    containers.append(container)
    try countValue()
  }

  private mutating func countValue() throws(FormatError) {
    valueCount += 1
    guard valueCount <= Self.valueLimit else {
      throw .damaged("\(subject) has more than \(Self.valueLimit) values")
    }
  }

  /// The offset of the string's closing quote, or the end of the bytes if there is none.
  private func endOfString(from start: Int) -> Int {
    var offset = start
    while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
      offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(offset, bytes.count)
  }

  /// Whether a colon follows the string, as it only follows keys of objects.
  private func isKey(endingAt quote: Int) -> Bool {
    guard case .object = containers.last else { return false }
    return bytes[min(quote + 1, bytes.count)...].first { !Self.isSpace($0) } == UInt8(ascii: ":")
  }

  private mutating func takeKey(_ key: ArraySlice<UInt8>) throws(FormatError) {
    // With escapes, the same key could be written in several ways; no real key needs them.
    guard !key.contains(UInt8(ascii: "\\")) else {
      throw .damaged(
        "the name of a field of \(subject) contains an escape: '\(escaped(key.prefix(200)))'")
    }
    guard case .object(var keys) = containers.popLast() else { return }
    guard keys.insert(key).inserted else {
      throw .damaged("field '\(escaped(key.prefix(200)))' appears twice in \(subject)")
    }
    containers.append(.object(keys))
  }
}
