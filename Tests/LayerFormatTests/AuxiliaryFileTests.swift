import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct AuxiliaryFileTests {
  private func decode(_ bytes: RawSpan) throws(FormatError) {
    _ = try AuxiliaryFile.decodeStatistics(bytes)
  }

  /// `pg_stat/pgstat.stat`
  private static let path = "70675F737461742F7067737461742E73746174"

  /// Goal: the value of the statistics file. Method: known bytes both ways, also of an empty file.
  @Test(arguments: ["", "AABBCC"]) func knownBytes(digits: String) throws {
    let contents = try bytes(digits)
    let value = try bytes("01 00000013" + Self.path + "0000000\(contents.count)" + digits)
    #expect(AuxiliaryFile.encodeStatistics(contents) == value)
    let decoded = try value.withBytes { bytes throws(FormatError) in
      try AuxiliaryFile.decodeStatistics(bytes)
    }
    #expect(decoded == contents)
  }

  /// Goal: any other value is refused. Method: change each byte before the contents, cut off at
  /// each length, add a byte, random bytes (seed 80).
  @Test func refusals() {
    let value = AuxiliaryFile.encodeStatistics([1, 2, 3])
    let part = "statistics file is malformed"
    for index in 0..<value.count - 3 {
      var changed = value
      changed[index] ^= 0x80
      expectRefusal(part, of: changed, by: decode)
    }
    for count in value.indices { expectRefusal(part, of: Array(value[..<count]), by: decode) }
    expectRefusal(part, of: value + [4], by: decode)
    var generator = SeededGenerator(state: 80)
    for count in 0..<100 { expectRefusal(part, of: generator.bytes(count), by: decode) }
  }
}
