import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct KeyMeaningTests {
  private static func fork(
    _ databaseID: UInt32, _ number: UInt32, _ fork: RelationFork
  ) -> RelationForkID {
    RelationForkID(databaseID: databaseID, relationNumber: number, fork: fork)
  }

  /// Goal: every kind of key is encoded and decoded as in the format. Method: a table with rows for
  /// each, in both directions; most are from real lists of keys.
  @Test(
    arguments: [
      (.databaseDirectory, "000000000000000000000000000000000000"),
      (.relationMap(databaseID: 5), "000000067F00000005000000000000000000"),
      (.relationMap(databaseID: 0), "000000068000000000000000000000000000"),
      (.relationMap(databaseID: .max), "000000067FFFFFFFFF000000000000000000"),
      (.relationDirectory(databaseID: 5), "000000067F00000005000000000000000001"),
      (.relationDirectory(databaseID: 0), "000000068000000000000000000000000001"),
      (
        .relationBlock(fork(0x4000, 0x4018, .main), block: 0),
        "000000067F00004000000040180000000000"
      ),
      (
        .relationBlock(fork(0x4000, 0x4018, .freeSpaceMap), block: 2),
        "000000067F00004000000040180100000002"
      ),
      (
        .relationBlock(fork(5, .max, .visibilityMap), block: 0xFFFF_FFFE),
        "000000067F00000005FFFFFFFF02FFFFFFFE"
      ),
      (.relationBlock(fork(0, 1262, .main), block: 1), "000000068000000000000004EE0000000001"),
      (.relationSize(fork(5, 1, .initialisation)), "000000067F000000050000000103FFFFFFFF"),
      (.relationSize(fork(0, 1262, .main)), "000000068000000000000004EE00FFFFFFFF"),
      (.slruDirectory(.transactions), "010000000000000000000000000000000000"),
      (.slruDirectory(.multixactMembers), "010000000100000000000000000000000000"),
      (.slruDirectory(.multixactOffsets), "010000000200000000000000000000000000"),
      (
        .slruBlock(.transactions, segment: 0, block: 0), "010000000000000001000000000000000000"
      ),
      (
        .slruBlock(.multixactMembers, segment: 0x14078, block: 31),
        "01000000010000000100014078000000001F"
      ),
      (
        .slruSegmentSize(.multixactOffsets, segment: 1), "0100000002000000010000000100FFFFFFFF"
      ),
      (.twoPhaseDirectory, "020000000000000000000000000000000000"),
      (.twoPhaseFile(transactionID: 0x326), "020000000000000000000000000000000326"),
      (
        .twoPhaseFile(transactionID: 0x0123_4567_89AB_CDEF),
        "020000000000000000000123456789ABCDEF"
      ),
      (.controlFile, "030000000000000000000000000000000000"),
      (.checkpoint, "030000000000000000000000000000000001"),
      (.statisticsFile, "62000003014A14AF1BD3D02542B00AA75B8E"),
      (.replicationOrigin(id: 1), "630000000000000000000000000000000001"),
      (.replicationOrigin(id: .max), "63000000000000000000000000000000FFFF"),
    ] as [(KeyMeaning, String)])
  func table(meaning: KeyMeaning, digits: String) throws {
    #expect(Key(meaning).description == digits)
    #expect(try key(digits).meaning == meaning)
  }

  /// Goal: the key of the statistics is the one that a pageserver uses. Method: the list of keys
  /// that a pageserver served has it, and no other of its group.
  @Test func statisticsKeyOfARealTimeline() throws {
    let listed = try Fixture.lines("clean-15.keys").filter { $0.hasPrefix("62") }
    #expect(listed.map { $0.prefix(36) } == [Key(.statisticsFile).description.prefix(36)])
  }

  /// Goal: keys that no import writes have no meaning. Method: a field too many in each kind, and
  /// groups, forks and kinds that do not exist.
  @Test(arguments: [
    "000000000100000000000000000000000000", "000000067F00000005000000000000000002",
    "000000067F00000005000000000100000000", "000000067F000000050000000000FFFFFFFF",
    "000000067F00000000000000010000000000", "000000068000000005000000010000000000",
    "000000066000000005000000010000000000", "000000067F00000005000000010400000000",
    "00000000000000000000000000000000FFFF", "000000000000000005000000010000000000",
    "010000000300000000000000000000000000", "010000000000000002000000000000000000",
    "010000000000000001000000000100000000", "010000000000000000000000010000000000",
    "010000010000000000000000000000000000", "020000000100000000000000000000000326",
    "020000000000000001000000000000000326", "020000000000000000010000000000000326",
    "030000000000000000000000000000000002", "030000000000000000000000000100000000",
    "030000000100000000000000000000000001", "62000003014A14AF1BD3D02542B00AA75B8F",
    "620000030200000000000000000000000000", "630000000000000000000000000000010000",
    "630000000000000000000000010000000001", "040000000000000000000000000000000000",
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
  ])
  func foreignKeys(digits: String) throws {
    #expect(try key(digits).meaning == nil)
  }

  /// Goal: a key has one meaning, and a meaning one key. Method: 20000 random keys (seed 12), most
  /// fields small so that many have a meaning; those keys must come back from their meaning.
  @Test func randomKeys() {
    var generator = SeededGenerator(state: 12)
    var meaningful = 0
    for _ in 0..<20000 {
      func small(_ values: UInt32...) -> UInt32 {
        values.randomElement(using: &generator) ?? 0
      }
      let key = Key(
        UInt8(small(0, 0, 1, 2, 3, 0x62, 0x63, 4)), small(0, 1, 2, 1663, 1663, 1664, 3),
        small(0, 1, 5, .max), small(0, 1, 0xFF_FFFF, .max), UInt8(small(0, 0, 1, 3, 4, 0xFF)),
        small(0, 1, 0xFFFF, .max))
      guard let meaning = key.meaning else { continue }
      meaningful += 1
      #expect(Key(meaning) == key, "\(meaning)")
    }
    #expect(meaningful > 200 && meaningful < 18000)
  }

  /// Goal: relation forks sort like their keys, shared relations last. Method: all pairs of a few.
  @Test func orderOfRelations() {
    let databases: [UInt32] = [0, 1, 5, .max]
    let forks = databases.flatMap { database in
      [1, 1262, .max].flatMap { number in
        RelationFork.allCases.map { Self.fork(database, number, $0) }
      }
    }
    for left in forks {
      for right in forks {
        #expect((left < right) == (Key(left, block: 0) < Key(right, block: 0)))
        if left < right { #expect(Key(.relationSize(left)) < Key(right, block: 0)) }
      }
    }
    #expect(Self.fork(0, 1262, .freeSpaceMap).description == "global/1262_fsm")
    #expect(Self.fork(5, 16384, .main).description == "base/5/16384")
    #expect(Self.fork(0, 1262, .main).tablespaceID == 1664)
    #expect(Self.fork(5, 1262, .main).tablespaceID == 1663)
  }
}
