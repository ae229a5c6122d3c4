import Testing

@testable import import_backup

/// Goal: numbers are formatted as people write them, at every change of unit.
struct QuantityTests {
  /// Method: sizes around the bounds of each unit, rounded up to the next unit if necessary.
  @Test(arguments: [
    (0, "0 bytes"), (1, "1 byte"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
    (1_048_524, "1023.9 KiB"), (1_048_525, "1.0 MiB"), (147_200_000, "140.4 MiB"),
    (1 << 30, "1.0 GiB"), (1 << 40, "1.0 TiB"), (UInt64.max, "16.0 EiB"),
  ])
  func bytes(number: UInt64, text: String) {
    #expect(Quantity.bytes(number) == text)
  }

  /// Method: grouping around every third digit; nouns for zero, one and many.
  @Test func counts() {
    #expect(Quantity.grouped(0) == "0")
    #expect(Quantity.grouped(999) == "999")
    #expect(Quantity.grouped(1000) == "1,000")
    #expect(Quantity.grouped(1_234_567) == "1,234,567")
    #expect(Quantity.grouped(Int.min) == "-9,223,372,036,854,775,808")
    #expect(Quantity.count(0, "file") == "0 files")
    #expect(Quantity.count(1, "file") == "1 file")
    #expect(Quantity.count(1200, "file") == "1,200 files")
  }

  /// Method: durations around a minute and an hour; hostile ones do not trap.
  @Test func durations() {
    #expect(Quantity.duration(0.04) == "0.0 s")
    #expect(Quantity.duration(59.94) == "59.9 s")
    #expect(Quantity.duration(59.96) == "1 min 0 s")
    #expect(Quantity.duration(125) == "2 min 5 s")
    #expect(Quantity.duration(12_000) == "3 h 20 min")
    #expect(Quantity.duration(-.infinity) == "0.0 s")
    #expect(Quantity.clock(0) == "0:00")
    #expect(Quantity.clock(7.4) == "0:07")
    #expect(Quantity.clock(125) == "2:05")
    #expect(Quantity.clock(3605) == "1:00:05")
    #expect(Quantity.clock(.nan) == "0:00")
    #expect(!Quantity.clock(.infinity).isEmpty)
  }

  /// Method: a size formatted as an option parses to the same size.
  @Test(arguments: [0, 1, 1000, 8192, 1 << 20, 5 << 20, 1 << 30, 1 << 40, UInt64.max])
  func options(size: UInt64) throws {
    let text = Quantity.option(size)
    #expect(try OptionValue(option: "x", text: text).size(in: 0...UInt64.max) == size)
  }
}
