import Testing

@testable import PostgresFormat

struct RelationSegmentTests {
  private func parse(_ name: String) -> RelationSegment? {
    RelationSegment(fileName: Array(name.utf8)[...], databaseID: 5)
  }

  /// Goal: names of relation files are read and written again. Method: forks and segments, the
  /// smallest and largest numbers.
  @Test(
    arguments: [
      ("16384", 16384, .main, 0), ("16384.1", 16384, .main, 1),
      ("16384_fsm", 16384, .freeSpaceMap, 0),
      ("16384_vm.12", 16384, .visibilityMap, 12), ("1_init", 1, .initialisation, 0),
      ("4294967295.32767", .max, .main, 32767),
    ] as [(String, UInt32, RelationFork, UInt32)])
  func names(name: String, relation: UInt32, fork: RelationFork, segment: UInt32) {
    let expected = RelationSegment(
      databaseID: 5, relationNumber: relation, fork: fork, segmentNumber: segment)
    #expect(parse(name) == expected)
    #expect(expected.path == "base/5/" + name)
  }

  /// Goal: no second spelling of a relation is read as one. Method: near misses.
  @Test(arguments: [
    "", "0", "016384", "16384.0", "16384.01", "16384.", "16384_", "16384_foo", "16384_fsm_vm",
    "16384_FSM", "16384.1_fsm", "16384.1.1", "4294967296", "99999999999999999999", "16384.32768",
    "16384.99999999999", "-1", "+1", "1 ", "t3_16384", "_fsm", ".1", "16384_main", "１",
  ])
  func nearMisses(name: String) {
    #expect(parse(name) == nil)
  }

  /// Goal: temporary relations are recognised. Method: their names and near misses.
  @Test func temporary() {
    for name in ["t3_16384", "t0_16384_fsm", "t12_16384_init.3"] {
      #expect(RelationSegment.isTemporary(fileName: Array(name.utf8)[...]), "\(name)")
    }
    for name in ["t_16384", "t3", "t3_", "tx_16384", "t3_016384", "16384", "t3_16384_foo"] {
      #expect(!RelationSegment.isTemporary(fileName: Array(name.utf8)[...]), "\(name)")
    }
  }

  /// Goal: shared relations are in another directory. Method: database 0.
  @Test func shared() {
    let segment = RelationSegment(
      databaseID: 0, relationNumber: 1262, fork: .visibilityMap, segmentNumber: 2)
    #expect(segment.path == "global/1262_vm.2")
  }

  /// Goal: segments of the transaction logs have one name each. Method: numbers around each number
  /// of digits.
  @Test func transactionLogSegments() {
    for (name, number): (String, UInt32?) in [
      ("0000", 0), ("00FF", 0xFF), ("FFFF", 0xFFFF), ("10000", 0x1_0000), ("14078", 0x1_4078),
      ("FFFFFF", 0xFF_FFFF), ("00000", nil), ("010000", nil), ("000", nil), ("00ff", nil),
      ("1000000", nil), ("000G", nil), ("+000", nil), ("", nil),
    ] {
      #expect(SLRUKind.segmentNumber(fileName: Array(name.utf8)[...]) == number, "\(name)")
      if let number { #expect(SLRUKind.fileName(ofSegment: number) == name) }
    }
  }
}
