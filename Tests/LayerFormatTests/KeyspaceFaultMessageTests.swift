import Testing

@testable import LayerFormat

/// What a person reads of a fault.
struct KeyspaceFaultMessageTests {
  private static let fork = Cluster.fork(5, 1259)

  /// Goal: a fault is one line that names a file. Method: one of each kind.
  @Test(
    arguments: [
      (.relationSize(fork), .missing, "the size of 'base/5/1259' is missing"),
      (
        .relationDirectory(databaseID: 5), .missing,
        "the relation directory of 'base/5' is missing"
      ),
      (
        .twoPhaseFile(transactionID: 742), .missing,
        "prepared transaction 742 is listed, but has no file"
      ),
      (.relationSize(fork), .missingBlocks(7..<8), "block 7 of 'base/5/1259' is missing"),
      (
        .slruSegmentSize(.transactions, segment: 1), .missingBlocks(0..<8),
        "blocks 0 to 7 of 'pg_xact/0001' are missing"
      ),
      (
        .relationMap(databaseID: 5), .unlisted,
        "'base/5/pg_filenode.map' exists, but no database lists it"
      ),
      (.relationSize(fork), .unlisted, "'base/5/1259' exists, but no relation directory lists it"),
      (
        .slruSegmentSize(.transactions, segment: 1), .unlisted,
        "'pg_xact/0001' exists, but no directory lists it"
      ),
      (.twoPhaseFile(transactionID: 3), .unlisted, "'pg_twophase/00000003' is not listed"),
      (.databaseDirectory, .listsTwice, "the database directory lists something twice"),
      (
        .checkpoint, .wrongByteCount(9, expected: 88),
        "the checkpoint has 9 bytes instead of 88"
      ),
      (
        .slruSegmentSize(.transactions, segment: 1), .tooManyBlocks(40, limit: 32),
        "the size of 'pg_xact/0001' is 40 blocks, more than 32"
      ),
      (
        .relationSize(fork), .sizeBelowBlocks(2, blockCount: 3),
        "the size of 'base/5/1259' is 2 blocks, but there are 3"
      ),
      (.statisticsFile, .damaged("why"), "'pg_stat/pgstat.stat': why"),
      (.controlFile, .outOfOrder, "'global/pg_control' is out of order"),
      (.controlFile, .exceedsSmallFileLimit, "the small files together exceed 32 MiB"),
    ] as [(KeyMeaning, KeyspaceFault.Problem, String)])
  func messages(meaning: KeyMeaning, problem: KeyspaceFault.Problem, message: String) {
    let fault = KeyspaceFault(Key(meaning), problem)
    #expect(fault.message == message)
    #expect(fault.file.path == meaning.file.path)
    if case .missingBlocks(let blocks) = problem {
      #expect(fault.file.block == UInt32(blocks.lowerBound))
    }
  }
}
