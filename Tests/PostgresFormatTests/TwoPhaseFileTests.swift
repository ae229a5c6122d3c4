import Testing

@testable import PostgresFormat

struct TwoPhaseFileTests {
  private func decode(_ bytes: [UInt8]) throws(FormatError) -> TwoPhaseFile {
    try bytes.withBytes { bytes throws(FormatError) in try TwoPhaseFile.decode(bytes) }
  }

  /// A file of zeros of this length with a valid header and checksum.
  private func made(length: Int, claimed: Int? = nil, xid: UInt32 = 800) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: length - 4)
    bytes.setLittleEndian(0x57F9_4534 as UInt32, at: 0)
    bytes.setLittleEndian(UInt32(claimed ?? length), at: 4)
    bytes.setLittleEndian(xid, at: 8)
    bytes.appendLittleEndian(crc32c(bytes))
    return bytes
  }

  /// Goal: real files are stored without their checksum. Method: files of three versions, and the
  /// checksum of the value from a pageserver.
  @Test(
    arguments: [
      ("clean-14.twophase-00000330", 816, .v14, 232, 0x2A01_E7D9, false),
      ("clean-15.twophase-00000326", 806, .v15, 240, 0x547D_EFEC, false),
      ("clean-17.twophase-0000000000000336", 822, .v17, 240, 0x9E80_F71E, false),
      (
        "fullbackup-15-doubled-twophase-crc.twophase-00000326", 806, .v15, 240, 0x547D_EFEC, true
      ),
    ] as [(String, UInt64, PostgresVersion, Int, UInt32, Bool)])
  func realFiles(
    name: String, xid: UInt64, version: PostgresVersion, stored: Int, checksum: UInt32,
    doubled: Bool
  ) throws {
    let bytes = try fixture(name)
    let file = try decode(bytes)
    #expect(file.storedByteCount == stored)
    #expect(crc32c(Array(bytes.prefix(stored))) == checksum)
    #expect(file.wasDoubled == doubled)
    let digits = name.split(separator: "-").last?.count ?? 0
    try file.requireName(transactionID: xid, digitCount: digits, version: version)
    #expect(throws: FormatError.self) {
      try file.requireName(transactionID: xid + 1, digitCount: digits, version: version)
    }
    #expect(throws: FormatError.self) {
      try file.requireName(transactionID: xid, digitCount: 24 - digits, version: version)
    }
  }

  /// Goal: subtransactions are found behind the name. Method: a real file has none; then a longer name and
  /// ids, in both layouts; a count that the file does not have room for.
  @Test(arguments: [(.v14, 64), (.v15, 72)] as [(PostgresVersion, Int)])
  func subtransactions(version: PostgresVersion, headerByteCount: Int) throws {
    let real = try fixture(
      version == .v14 ? "clean-14.twophase-00000330" : "clean-15.twophase-00000326")
    #expect(
      real.withBytes { TwoPhaseFile.transactionIDs(in: $0, version: version) }
        == [version == .v14 ? 816 : 806])
    var file = [UInt8](repeating: 0, count: headerByteCount + 16 + 12)
    file.setLittleEndian(800 as UInt32, at: 8)
    file.setLittleEndian(3 as UInt32, at: 28)
    file.setLittleEndian(9 as UInt16, at: headerByteCount - 18)
    for (index, id) in ([801, 805, 4_000_000_000] as [UInt32]).enumerated() {
      file.setLittleEndian(id, at: headerByteCount + 16 + 4 * index)
    }
    func ids(_ file: [UInt8]) -> [UInt32]? {
      file.withBytes { TwoPhaseFile.transactionIDs(in: $0, version: version) }
    }
    #expect(ids(file) == [800, 801, 805, 4_000_000_000])
    for count in 0..<file.count { #expect(ids(Array(file.prefix(count))) == nil) }
    file.setLittleEndian(UInt32.max, at: 28)
    #expect(ids(file) == nil)
  }

  /// Goal: in version 17, the epoch in the name is not in the file. Method: such a name.
  @Test func epoch() throws {
    let file = try decode(try fixture("clean-17.twophase-0000000000000336"))
    try file.requireName(transactionID: 0x5_0000_0336, digitCount: 16, version: .v17)
  }

  /// Goal: no damage passes. Method: every bit of a plain and a doubled file flipped, cut off at
  /// every length, bytes added.
  @Test(arguments: [
    "clean-15.twophase-00000326", "fullbackup-15-doubled-twophase-crc.twophase-00000326",
  ])
  func damage(name: String) throws {
    let bytes = try fixture(name)
    for bit in 0..<(bytes.count * 8) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: FormatError.self, "bit \(bit)") { try decode(damaged) }
    }
    // A doubled file without its last four bytes is a valid plain one.
    for length in 0..<bytes.count where length != 244 {
      #expect(throws: FormatError.self, "length \(length)") {
        try decode(Array(bytes.prefix(length)))
      }
    }
    for count in 1...8 where bytes.count + count != 248 {
      #expect(throws: FormatError.self) { try decode(bytes + [UInt8](repeating: 0, count: count)) }
    }
    #expect(throws: FormatError.self) { try decode(bytes + [0, 0, 0, 0]) }
  }

  /// Goal: a wrong header is refused despite a valid checksum. Method: constructed files, each
  /// impossible in one way; a valid one made the same way passes.
  @Test func impossibleHeaders() throws {
    #expect(try decode(made(length: 76)).storedByteCount == 72)
    for bytes in [
      made(length: 68), made(length: 80), made(length: 84, claimed: 76),
      made(length: 84, claimed: 92), made(length: 84, claimed: 0),
      made(length: 84, claimed: Int(UInt32.max)), made(length: 84, xid: 0),
      made(length: 84, xid: 2),
    ] {
      #expect(throws: FormatError.self) { try decode(bytes) }
    }
  }
}
