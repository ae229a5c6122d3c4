import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct DirectoryValueTests {
  private typealias Database = DirectoryValue.Database

  private func databases(_ bytes: RawSpan) throws(FormatError) {
    _ = try DirectoryValue.decodeDatabases(bytes)
  }
  private func relations(_ bytes: RawSpan) throws(FormatError) {
    _ = try DirectoryValue.decodeRelations(bytes, databaseID: 5)
  }
  private func segments(_ bytes: RawSpan) throws(FormatError) {
    _ = try DirectoryValue.decodeSegments(bytes)
  }

  /// Goal: the database directory. Method: known bytes both ways, empty and with the shared
  /// relations.
  @Test func databaseDirectory() throws {
    for (list, digits): ([Database], String) in [
      ([], "0000000000000000"),
      (
        [
          Database(id: 5, hasRelationMap: true), Database(id: .max, hasRelationMap: false),
          Database(id: 0, hasRelationMap: true),
        ],
        "0000000000000003 0000067F 00000005 01 0000067F FFFFFFFF 00 00000680 00000000 01"
      ),
    ] {
      let expected = try bytes(digits)
      #expect(DirectoryValue.encode(databases: list) == expected)
      let decoded = try expected.withBytes { bytes throws(FormatError) in
        try DirectoryValue.decodeDatabases(bytes)
      }
      #expect(decoded == list)
    }
  }

  /// Goal: an impossible database directory is refused. Method: break each field.
  @Test func damagedDatabaseDirectory() throws {
    for digits in [
      "0000000000000001 00000680 00000005 01", "0000000000000001 0000067F 00000000 01",
      "0000000000000001 00000000 00000005 01",
    ] {
      expectRefusal("unknown tablespace", of: try bytes(digits), by: databases)
    }
    let flag = try bytes("0000000000000001 0000067F 00000005 02")
    expectRefusal("the flag 2", of: flag, by: databases)
  }

  /// Goal: a relation directory. Method: known bytes both ways; a fork that does not exist.
  @Test func relationDirectory() throws {
    let list = [
      RelationForkID(databaseID: 5, relationNumber: 1259, fork: .main),
      RelationForkID(databaseID: 5, relationNumber: 1259, fork: .visibilityMap),
      RelationForkID(databaseID: 5, relationNumber: .max, fork: .initialisation),
    ]
    let expected = try bytes("0000000000000003 000004EB 00 000004EB 02 FFFFFFFF 03")
    #expect(DirectoryValue.encode(relationCount: 3, list) == expected)
    let decoded = try expected.withBytes { bytes throws(FormatError) in
      try DirectoryValue.decodeRelations(bytes, databaseID: 5)
    }
    #expect(decoded == list)
    #expect(
      DirectoryValue.encode(relationCount: 0, [] as [RelationForkID])
        == [UInt8](repeating: 0, count: 8))
    let fork = try bytes("0000000000000001 000004EB 04")
    expectRefusal("unknown fork", of: fork, by: relations)
  }

  /// Goal: the directory of an SLRU. Method: known bytes both ways.
  @Test func slruDirectory() throws {
    let expected = try bytes("0000000000000002 00000000 00014078")
    #expect(DirectoryValue.encode(segments: [0, 0x14078]) == expected)
    let decoded = try expected.withBytes { bytes throws(FormatError) in
      try DirectoryValue.decodeSegments(bytes)
    }
    #expect(decoded == [0, 0x14078])
  }

  /// Goal: the two-phase directory; ids are longer from version 17 on. Method: known bytes both
  /// ways for every version; the checksum of the value of a real timeline.
  @Test func twoPhaseDirectory() throws {
    for version in PostgresVersion.allCases {
      let isWide = version >= .v17
      let expected = try bytes(
        isWide ? "0000000000000001 0000000000000326" : "0000000000000001 00000326")
      #expect(DirectoryValue.encode(transactions: [0x326], version: version) == expected)
      let decoded = try expected.withBytes { bytes throws(FormatError) in
        try DirectoryValue.decodeTransactions(bytes, version: version)
      }
      #expect(decoded == [0x326])
      expectRefusal("count of the two-phase directory", of: expected) { bytes throws(FormatError) in
        _ = try DirectoryValue.decodeTransactions(bytes, version: isWide ? .v14 : .v17)
      }
    }
    let ids: [UInt64] = [0x336, 0xFFFF_FFFF_0000_0001]
    let decoded = try DirectoryValue.encode(transactions: ids, version: .v17).withBytes {
      bytes throws(FormatError) in
      try DirectoryValue.decodeTransactions(bytes, version: .v17)
    }
    #expect(decoded == ids)
    for (id, version, listed): (UInt64, PostgresVersion, String) in [
      (0x326, .v15, "12 218A1B5E"), (0x336, .v17, "16 94EB4A62"),
    ] {
      let value = DirectoryValue.encode(transactions: [id], version: version)
      let checksum = value.withBytes { CRC32C.checksum(of: $0) }.hexadecimal(8)
      #expect("\(value.count) \(checksum)" == listed)
    }
  }

  /// Goal: the count must use up every byte. Method: each directory cut off, too long, and with
  /// counts that overflow.
  @Test func counts() throws {
    let counts = [
      "", "00", "00000000000000", "0000000000000001", "FFFFFFFFFFFFFFFF", "8000000000000000",
      "000000000000000000", "0000000000000001 000000", "2000000000000001 00000000",
      "0000000000000002 00000000", "0000000000000000 00000000",
    ]
    for digits in counts {
      let bytes = try bytes(digits)
      expectRefusal("count of the database directory", of: bytes, by: databases)
      expectRefusal("count of the relation directory", of: bytes, by: relations)
      expectRefusal("count of the SLRU directory", of: bytes, by: segments)
      for version in [PostgresVersion.v14, .v17] {
        expectRefusal("count of the two-phase directory", of: bytes) { bytes throws(FormatError) in
          _ = try DirectoryValue.decodeTransactions(bytes, version: version)
        }
      }
    }
  }

  /// Goal: lists of any length decode as encoded. Method: 100 random lists of each kind (seed 70).
  @Test func roundTrips() throws {
    var generator = SeededGenerator(state: 70)
    for _ in 0..<100 {
      let numbers = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        UInt32(truncatingIfNeeded: generator.next())
      }
      let databases = numbers.map { Database(id: $0 % 3, hasRelationMap: $0 % 2 == 0) }
      let relations = numbers.map { number in
        RelationForkID(
          databaseID: 5, relationNumber: number, fork: RelationFork.allCases[Int(number % 4)])
      }
      let decodedDatabases = try DirectoryValue.encode(databases: databases).withBytes {
        bytes throws(FormatError) in
        try DirectoryValue.decodeDatabases(bytes)
      }
      #expect(decodedDatabases == databases)
      let decodedRelations = try DirectoryValue.encode(relationCount: numbers.count, relations)
        .withBytes { bytes throws(FormatError) in
          try DirectoryValue.decodeRelations(bytes, databaseID: 5)
        }
      #expect(decodedRelations == relations)
      let decodedSegments = try DirectoryValue.encode(segments: numbers).withBytes {
        bytes throws(FormatError) in
        try DirectoryValue.decodeSegments(bytes)
      }
      #expect(decodedSegments == numbers)
    }
  }

  /// Goal: a list longer than any real one is refused before it uses memory. Method: the limit, and
  /// one entry more.
  @Test func tooLong() throws {
    func list(_ count: Int, _ width: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.appendBigEndian(UInt64(count))
      return bytes + [UInt8](repeating: 0, count: count * width)
    }
    let segments = list(1 << 17, 4)
    #expect(try DirectoryValue.decodeSegments(segments.bytes).count == 1 << 17)
    let more = list((1 << 17) + 1, 4)
    #expect(throws: FormatError.self) { try DirectoryValue.decodeSegments(more.bytes) }
    let databases = list((1 << 20) + 1, 9)
    #expect(throws: FormatError.self) { try DirectoryValue.decodeDatabases(databases.bytes) }
    for version in [PostgresVersion.v15, .v17] {
      let transactions = list((1 << 18) + 1, version == .v17 ? 8 : 4)
      #expect(throws: FormatError.self) {
        try DirectoryValue.decodeTransactions(transactions.bytes, version: version)
      }
    }
  }
}
