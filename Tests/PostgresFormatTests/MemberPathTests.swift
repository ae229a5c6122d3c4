import Testing

@testable import PostgresFormat

struct MemberPathTests {
  private func read(_ name: [UInt8], strip: Int = 0) throws(FormatError) -> MemberPath? {
    try name.withBytes { bytes throws(FormatError) in
      try MemberPath(bytes, strippingComponents: strip)
    }
  }

  /// Goal: all spellings of a path give the same path. Method: names as in tars.
  @Test(arguments: [
    ("base/5/16384", 0, "base/5/16384"), ("./base/5/16384", 0, "base/5/16384"),
    ("././base//5/./16384/", 0, "base/5/16384"), ("pg_wal/", 0, "pg_wal"),
    ("data/base/5", 1, "base/5"), ("./a/b/base/5", 2, "base/5"), ("a..b/...", 0, "a..b/..."),
    (".hidden", 0, ".hidden"), ("/srv/data/base/5", 2, "base/5"), ("//base", 0, "base"),
  ])
  func spellings(name: String, strip: Int, expected: String) throws {
    let path = try #require(try read(Array(name.utf8), strip: strip))
    #expect(path.bytes == Array(expected.utf8))
    #expect(
      path.components.map { String(decoding: $0, as: UTF8.self) }
        == expected.split(separator: "/").map(String.init))
    #expect(path.description == expected)
  }

  /// Goal: if nothing is left, there is no path. Method: the top, and too much stripped.
  @Test func nothingLeft() throws {
    for name in [".", "./", "././", ".//.", "/", "/."] {
      #expect(try read(Array(name.utf8)) == nil)
    }
    #expect(try read(Array("data/".utf8), strip: 1) == nil)
    #expect(try read(Array("data/base".utf8), strip: 9) == nil)
  }

  /// Goal: names that lead elsewhere are refused, stripped or not. Method: each kind.
  @Test func refused() {
    for name in ["", "..", "../base", "/../base", "base/..", "base/../../etc", "a\0b"] {
      for strip in 0...2 {
        let error = #expect(throws: FormatError.self, "\(name)") {
          try read(Array(name.utf8), strip: strip)
        }
        #expect(error?.code == nil)
      }
    }
  }

  /// Goal: names are safe to print, on one line. Method: everything that is escaped, and some that
  /// is not; bytes that are not UTF-8 at the start, middle and end of a sequence.
  @Test func escapedNames() {
    for (bytes, expected): ([UInt8], String) in [
      (Array("base/5 ü 猫".utf8), "base/5 ü 猫"), (Array("a\nb\tc\\d\r".utf8), "a\\nb\\tc\\\\d\\r"),
      ([0x1B, 0x5B, 0x7F], "\\u{1B}[\\u{7F}"),
      (Array("\u{202E}\u{200B}".utf8), "\\u{202E}\\u{200B}"),
      ([0xFF, 0x41, 0x80], "\\xFFA\\x80"), ([0xE7, 0x8C], "\\xE7\\x8C"),
      ([0xE7, 0x8C, 0x41], "\\xE7\\x8CA"), ([0xC0, 0x80], "\\xC0\\x80"), ([], ""),
      ([0xF0, 0x9F, 0x98, 0x80, 0xF8], "😀\\xF8"), (Array("\u{85}".utf8), "\\u{85}"),
      (Array("e\u{301}".utf8), "e\u{301}"),
    ] {
      #expect(Array(escaped(bytes).utf8) == Array(expected.utf8), "\(expected)")
    }
  }
}
