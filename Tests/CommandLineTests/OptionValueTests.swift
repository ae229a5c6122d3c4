import Testing

@testable import System
@testable import import_backup

/// Goal: a value is parsed exactly or refused; none is truncated, wrapped around or guessed.
struct OptionValueTests {
  /// Method: sizes with each unit, at the bounds and as large as 64 bits hold.
  @Test(
    arguments: [
      ("0", 0), ("1", 1), ("8192", 8192), ("16K", 16 << 10), ("16k", 16 << 10), ("3M", 3 << 20),
      ("2G", 2 << 30), ("007", 7), ("18446744073709551615", UInt64.max),
      ("17179869183G", 17_179_869_183 << 30), ("2T", 2 << 40), ("16777215t", 16_777_215 << 40),
    ] as [(String, UInt64)])
  func sizes(text: String, size: UInt64) throws {
    #expect(try OptionValue(option: "x", text: text).size(in: 0...UInt64.max) == size)
  }

  /// Method: texts that are not a size, and sizes above 64 bits, by their digits or by their unit.
  @Test(arguments: [
    "", "K", "M16", "16MM", "16 M", "1.5G", "-1", "+1", "0x10", "16MiB", "16P", "٣", "1_000",
    "18446744073709551616", "17179869184G", "16777216T", "99999999999999999999999",
  ])
  func nonsenseSizes(text: String) {
    let error = #expect(throws: Failure.self) {
      try OptionValue(option: "memory", text: text).size(in: 0...UInt64.max)
    }
    #expect(error?.message.hasPrefix("option '--memory' must be a size ") == true)
    #expect(error?.message.hasSuffix(", not '\(text)'") == true)
  }

  /// Method: one below, at, and one above each bound; the message states both.
  @Test func bounds() throws {
    let range: ClosedRange<UInt64> = 1 << 20...16 << 30
    #expect(try OptionValue(option: "x", text: "1M").size(in: range) == 1 << 20)
    #expect(try OptionValue(option: "x", text: "16G").size(in: range) == 16 << 30)
    for text in ["1048575", "17179869185"] {
      let error = #expect(throws: Failure.self) {
        try OptionValue(option: "x", text: text).size(in: range)
      }
      #expect(error?.message == "option '--x' must be a size from 1M to 16G, not '\(text)'")
    }
    for text in ["0", "257", "4294967297"] {
      let error = #expect(throws: Failure.self) {
        try OptionValue(option: "jobs", text: text).integer(in: 1...256)
      }
      #expect(error?.message == "option '--jobs' must be a number from 1 to 256, not '\(text)'")
    }
  }

  /// Method: each numeric option of `import` with a value just out of its bounds.
  @Test(arguments: [
    ("generation", "0"), ("generation", "4294967296"), ("strip-components", "1001"),
    ("compression-level", "20"), ("image-layer-size", "1023K"), ("image-layer-size", "17G"),
    ("chunk-size", "1048575"), ("chunk-size", "65G"), ("small-relation-size", "8191"),
    ("small-relation-size", "3G"), ("jobs", "0"), ("jobs", "257"), ("memory", "15M"),
    ("memory", "1025G"),
  ])
  func boundsOfImport(option: String, value: String) {
    let error = #expect(throws: Failure.self) {
      try OptionParser.parse(ImportCommand.self, arguments: ["a", "-o", "b", "--\(option)", value])
    }
    #expect(error?.message.hasPrefix("option '--\(option)' must be a ") == true)
    #expect(error?.exitCode == .usage)
  }

  /// Method: each form of a compression level, and words and numbers that are near them.
  @Test func compressionLevels() throws {
    for (text, level) in [("fast", -1), ("0", 0), ("1", 1), ("19", 19)] as [(String, Int32)] {
      let command = try #require(try Self.imported("--compression-level", text))
      #expect(command.settings.compressionLevel == level)
    }
    for text in ["-1", "20", "FAST", "fas", "fast1", ""] {
      let error = #expect(throws: Failure.self) { try Self.imported("--compression-level=\(text)") }
      #expect(
        error?.message
          == "option '--compression-level' must be a number from 0 to 19, or 'fast', not '\(text)'")
    }
  }

  private static func imported(_ options: String...) throws -> ImportCommand? {
    let arguments = ["a", "-o", "b"] + options
    guard case .run(let command) = try OptionParser.parse(ImportCommand.self, arguments: arguments)
    else { return nil }
    return command
  }

  /// Method: ids of the wrong length, with a digit too many in the alphabet, or not in ASCII.
  @Test(arguments: [
    "", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
    "0123456789abcdef0123456789abcdeg", "0x23456789abcdef0123456789abcdef",
    "０123456789abcdef0123456789abc", "0123456789abcdef 123456789abcdef",
  ])
  func wrongIdentifiers(text: String) {
    #expect(throws: Failure.self) {
      try OptionValue(option: "tenant-id", text: text).identifier()
    }
  }
}
