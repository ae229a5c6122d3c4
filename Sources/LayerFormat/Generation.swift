import PostgresFormat

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
