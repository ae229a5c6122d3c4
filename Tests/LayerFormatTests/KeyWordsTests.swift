import LayerFormat
import Testing

/// Goal: keys and ranges of keys are described in words.
@Suite struct KeyWordsTests {
  private static let table = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .main)
  private static let map = RelationForkID(
    databaseID: 5, relationNumber: 16384, fork: .visibilityMap)

  /// Method: one key of each meaning, and one without.
  @Test(
    arguments: [
      (.databaseDirectory, "directory of databases"),
      (.relationMap(databaseID: 0), "global/pg_filenode.map"),
      (.relationMap(databaseID: 5), "base/5/pg_filenode.map"),
      (.relationDirectory(databaseID: 0), "directory of global relations"),
      (.relationDirectory(databaseID: 5), "directory of relations of base/5"),
      (.relationBlock(table, block: 131_072), "base/5/16384 block 131072"),
      (.relationSize(map), "base/5/16384_vm size"),
      (.slruDirectory(.multixactMembers), "directory of pg_multixact/members"),
      (.slruBlock(.transactions, segment: 0x1F, block: 3), "pg_xact/001F block 3"),
      (.slruSegmentSize(.multixactOffsets, segment: 0), "pg_multixact/offsets/0000 size"),
      (.twoPhaseDirectory, "directory of prepared transactions"),
      (.twoPhaseFile(transactionID: 1 << 33), "prepared transaction 8589934592"),
      (.controlFile, "global/pg_control"),
      (.checkpoint, "checkpoint"),
      (.statisticsFile, "pg_stat/pgstat.stat"),
      (.replicationOrigin(id: 2), "replication origin 2"),
    ] as [(KeyMeaning, String)])
  func keys(_ meaning: KeyMeaning, words: String) {
    #expect(Key(meaning).words == words)
  }

  @Test func unknownKey() {
    #expect(Key.maximum.words == "key " + String(repeating: "F", count: 36))
  }

  /// Method: ranges within one file, to its end, over several, of a single key, and of all.
  @Test func ranges() {
    let start = Key(Self.table, block: 7)
    #expect((start..<Key(Self.table, block: 131_072)).words == "base/5/16384 blocks 7–131071")
    #expect((start..<start.next).words == "base/5/16384 block 7")
    #expect((start..<Key(.relationSize(Self.table))).words == "base/5/16384 from block 7 on")
    #expect(
      (start..<Key(Self.map, block: 0)).words
        == "base/5/16384 block 7 … before base/5/16384_vm block 0")
    #expect(
      (Key(
        .slruBlock(.transactions, segment: 0, block: 0))..<Key(
          .slruBlock(.transactions, segment: 0, block: 2))).words == "pg_xact/0000 blocks 0–1")
    #expect((Key(.checkpoint)..<Key(.checkpoint).next).words == "checkpoint")
    #expect((Key.minimum..<Key.maximum).words == "all keys")
  }
}
