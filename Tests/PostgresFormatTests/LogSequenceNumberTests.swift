import Testing

@testable import PostgresFormat

struct LogSequenceNumberTests {
  /// Goal: positions are read and written as Postgres does. Method: a table.
  @Test(
    arguments: [
      ("0/0", 0), ("0/C84D4E0", 0xC84_D4E0), ("5/12345678", 0x5_1234_5678),
      ("FFFFFFFF/FFFFFFFF", .max),
      ("1/0", 0x1_0000_0000),
    ] as [(String, UInt64)])
  func text(text: String, value: UInt64) {
    #expect(LogSequenceNumber(text) == lsn(value))
    #expect(lsn(value).description == text)
  }

  /// Goal: nothing else is read as a position. Method: near misses.
  @Test(arguments: [
    "", "/", "0", "0/", "/0", "0/0/0", "0/-0", "-0/0", "+0/0", "0/+1", "0/123456789", "0/G", " 0/0",
    "0x0/0", "0/ 1",
  ])
  func nearMisses(text: String) {
    #expect(LogSequenceNumber(text) == nil)
  }

  /// Goal: lower case and leading zeros are read too. Method: one position in several spellings.
  @Test func otherSpellings() {
    #expect(LogSequenceNumber("0/c84d4e0") == lsn(0xC84_D4E0))
    #expect(LogSequenceNumber("00000000/0C84D4E0") == lsn(0xC84_D4E0))
  }
}
