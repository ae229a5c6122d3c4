import Testing

@testable import PostgresFormat

struct ReplicationOriginsTests {
  private func decode(_ bytes: [UInt8]) throws(FormatError) -> ReplicationOrigins {
    try bytes.withBytes { bytes throws(FormatError) in try ReplicationOrigins.decode(bytes) }
  }

  /// Goal: real files are read and written again byte for byte. Method: one origin, and none.
  @Test func realFiles() throws {
    let one = try fixture("clean-15.replorigin_checkpoint")
    #expect(
      try decode(one).origins == [.init(origin: 1, remoteLSN: lsn(0x5_1234_5678))])
    #expect(try decode(one).encode() == one)
    let none = try fixture("clean-15-minimal-promoted.replorigin_checkpoint")
    #expect(try decode(none).origins.isEmpty)
    #expect(ReplicationOrigins([]).encode() == none)
  }

  /// Goal: no damage passes. Method: every bit flipped, cut off at every length, and files with
  /// valid checksums that Postgres does not write.
  @Test func damage() throws {
    let bytes = ReplicationOrigins([
      .init(origin: 3, remoteLSN: lsn(1)), .init(origin: 2, remoteLSN: lsn(0)),
    ]).encode()
    #expect(try decode(bytes).origins.map(\.origin) == [3, 2])
    for bit in 0..<(bytes.count * 8) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: FormatError.self, "bit \(bit)") { try decode(damaged) }
    }
    for length in 0..<bytes.count {
      #expect(throws: FormatError.self) { try decode(Array(bytes.prefix(length))) }
    }
    for ids in [[0], [0xFFFF], [4, 4]] as [[UInt16]] {
      let impossible = ReplicationOrigins(ids.map { .init(origin: $0, remoteLSN: lsn(9)) }).encode()
      #expect(throws: FormatError.self, "\(ids)") { try decode(impossible) }
    }
    var padded = Array(bytes.dropLast(4))
    padded[6] = 1
    padded.appendLittleEndian(crc32c(padded))
    #expect(throws: FormatError.self) { try decode(padded) }
  }
}
