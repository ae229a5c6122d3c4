import PostgresFormat

/// The suffix of a file's name that tells which attachment of the tenant wrote it: a dash and
/// eight lower-case hexadecimal digits.
///
/// (Neon, `libs/utils/src/generation.rs`; Docs/format.md, Names)
enum Generation {
  /// The file's name for a generation.
  static func fileName(_ stem: String, generation: UInt32) -> String {
    stem + "-" + generation.hexadecimal(8, uppercase: false)
  }

  /// Splits a file's name at its last dash; nil unless a generation follows.
  static func parse(fileName: String) -> (stem: Substring, generation: UInt32)? {
    guard let dash = fileName.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
    let digits = fileName.utf8[fileName.utf8.index(after: dash)...]
    // Digits of the other case would make a second name for the same file.
    guard digits.count == 8, digits.allSatisfy({ !(0x41...0x46).contains($0) }),
      let number = UInt32(hexadecimal: digits)
    else { return nil }
    return (fileName[..<dash], number)
  }
}
