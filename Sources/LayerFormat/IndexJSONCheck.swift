import PostgresFormat

/// One pass over an index' bytes that finds what a pageserver would refuse or read in another way
/// than the decoder here, and what would cost the decoder much memory.
///
/// | input | a pageserver (serde_json) | Foundation |
/// | --- | --- | --- |
/// | a byte order mark, UTF-16, UTF-32 | refuses | reads |
/// | a field twice | refuses | takes the first |
/// | a layer twice | takes the last | takes the first |
/// | millions of values in fields that are not known | skips them | some 50 bytes for each |
///
/// What is no JSON for other reasons is left to the decoder. Costs one pass; memory: 32 bytes a key
/// of the objects that are open.
struct IndexJSONCheck {
  private enum Container {
    case array
    /// The keys so far, as they are written between their quotes.
    case object(Set<ArraySlice<UInt8>>)
  }

  private static let depthLimit = 128
  /// A layer has six values at most: its name, its fields and what they hold.
  private static let valueLimit = 1 << 20

  private let bytes: [UInt8]
  private var containers: [Container] = []
  private var valueCount = 0

  /// Throws `.damaged` for the above.
  static func check(_ bytes: [UInt8]) throws(FormatError) {
    var check = IndexJSONCheck(bytes)
    try check.run()
  }

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  private mutating func run() throws(FormatError) {
    guard bytes.first(where: { !Self.isSpace($0) }) == UInt8(ascii: "{") else {
      throw .damaged("the index does not begin with '{'")
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
      case 0: throw .damaged("the index is not UTF-8: it has a NUL")
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
      throw .damaged("the index is nested deeper than \(Self.depthLimit) levels")
    }
    containers.append(container)
    try countValue()
  }

  private mutating func countValue() throws(FormatError) {
    valueCount += 1
    guard valueCount <= Self.valueLimit else {
      throw .damaged("the index has more than \(Self.valueLimit) values")
    }
  }

  /// Where the string's closing quote stands, or the end of the bytes where there is none.
  private func endOfString(from start: Int) -> Int {
    var offset = start
    while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
      offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(offset, bytes.count)
  }

  /// Whether a colon follows the string, as it does no other string in an object.
  private func isKey(endingAt quote: Int) -> Bool {
    guard case .object = containers.last else { return false }
    return bytes[min(quote + 1, bytes.count)...].first { !Self.isSpace($0) } == UInt8(ascii: ":")
  }

  private mutating func takeKey(_ key: ArraySlice<UInt8>) throws(FormatError) {
    // The same key could be written in another way with escapes, and no real one needs any.
    guard !key.contains(UInt8(ascii: "\\")) else {
      throw .damaged(
        "a field of the index has an escape in its name: '\(escaped(key.prefix(200)))'")
    }
    guard case .object(var keys) = containers.popLast() else { return }
    guard keys.insert(key).inserted else {
      throw .damaged("the index has '\(escaped(key.prefix(200)))' twice")
    }
    containers.append(.object(keys))
  }
}
