import PostgresFormat

/// The id of a tenant or a timeline: 16 bytes, written as 32 lower-case hexadecimal digits.
public struct Identifier: Hashable, Sendable {
  /// The length of an encoded identifier in bytes.
  public static let byteCount = 16

  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A random id from the system's generator.
  public static func random() -> Identifier {
    Identifier(high: .random(in: 0...(.max)), low: .random(in: 0...(.max)))
  }

  /// Reads 32 hexadecimal digits of either case; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count == 32, let high = UInt64(hexadecimal: digits[0..<16]),
      let low = UInt64(hexadecimal: digits[16..<32])
    else { return nil }
    self.init(high: high, low: low)
  }

  func encode(into bytes: inout [UInt8]) {
    bytes.appendBigEndian(high)
    bytes.appendBigEndian(low)
  }

  init(decoding bytes: RawSpan, at offset: Int) {
    high = bytes.bigEndian(at: offset)
    low = bytes.bigEndian(at: offset + 8)
  }
}

extension Identifier: CustomStringConvertible {
  /// The 32 lower-case hexadecimal digits, as in paths and in the index. (Neon,
  /// `libs/utils/src/id.rs`)
  public var description: String {
    high.hexadecimal(16, uppercase: false) + low.hexadecimal(16, uppercase: false)
  }
}

/// The suffix of a file name for the attachment of the tenant that wrote the file: a dash and
/// eight lower-case hexadecimal digits.
///
/// (Neon, `libs/utils/src/generation.rs`; Docs/format.md, Names)
enum Generation {
  /// The name of the file for a generation.
  static func fileName(_ stem: String, generation: UInt32) -> String {
    stem + "-" + generation.hexadecimal(8, uppercase: false)
  }

  /// Splits a file name at its last dash; nil unless a generation follows.
  static func parse(fileName: String) -> (stem: Substring, generation: UInt32)? {
    guard let dash = fileName.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
    let digits = fileName.utf8[fileName.utf8.index(after: dash)...]
    // Upper-case digits would be a second name for the same file.
    guard digits.count == 8, digits.allSatisfy({ !(0x41...0x46).contains($0) }),
      let number = UInt32(hexadecimal: digits)
    else { return nil }
    return (fileName[..<dash], number)
  }
}
