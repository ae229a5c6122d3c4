import TestSupport
import Testing

@testable import PostgresFormat

struct CheckpointTests {
  private func checkpoint(next: UInt64, oldestActive: UInt32 = 0) -> Checkpoint {
    var bytes = [UInt8](repeating: 0, count: Checkpoint.byteCount)
    bytes.setLittleEndian(next, at: 24)
    bytes.setLittleEndian(oldestActive, at: 80)
    return bytes.withBytes { Checkpoint($0) }
  }

  /// Goal: the stored checkpoint of real clusters. Method: the checksum of the value from a
  /// pageserver.
  @Test(
    arguments: [
      ("clean-14", 0x27A_C258, [816], 0xB221_19CD),
      ("clean-15", 0x505_7188, [806], 0xC3EE_3903),
      ("clean-15-checksums-wal1m", 0x384_6C80, [806], 0x48DD_627B),
      ("clean-15-minimal-promoted", 0x215_AD68, [], 0xCE73_7AE2),
      ("clean-16", 0x2D7_7A78, [814], 0x2601_4CA6),
      ("clean-17", 0x2D6_86D0, [822], 0xDD77_4415),
      ("fullbackup-14", nil, [816], 0xB221_19CD),
      ("fullbackup-15", nil, [806], 0xC3EE_3903),
      ("fullbackup-15-doubled-twophase-crc", nil, [806], 0xC3EE_3903),
      ("fullbackup-16", nil, [814], 0x2601_4CA6),
      ("fullbackup-17", nil, [822], 0xDD77_4415),
    ] as [(String, UInt64?, [UInt64], UInt32)])
  func realCheckpoints(
    name: String, end: UInt64?, prepared: [UInt64], checksum: UInt32
  ) throws {
    let checkpoint = try controlFile(name).checkpointCopy
    for id in prepared {
      try checkpoint.requireAssigned(
        preparedTransaction: id, version: try controlFile(name).version)
    }
    let stored = checkpoint.forTimeline(end: end.map(lsn), preparedTransactions: prepared)
    #expect(crc32c(stored.bytes) == checksum)
  }

  /// Goal: the pages that a server reads when it starts are those of the next ids, unless these are
  /// the first on a page. Method: positions around the ends of pages and segments, for members in
  /// groups of four.
  @Test(
    arguments: [
      (733, 1, 0, ["pg_xact 0 0", "pg_multixact/offsets 0 0"]),
      (11457, 2, 3, ["pg_xact 0 0", "pg_multixact/offsets 0 0"]),
      (32768, 2048, 3, []),
      (32769, 2049, 4, ["pg_xact 0 1", "pg_multixact/offsets 0 1", "pg_multixact/members 0 0"]),
      (0x1_0010_0000, 65536, 1636, []),
      (0x1_0010_0001, 65537, 1639, ["pg_xact 1 0", "pg_multixact/offsets 1 0"]),
      (
        0xF_FFFF_FFFF, .max, .max,
        ["pg_xact 4095 31", "pg_multixact/offsets 65535 31", "pg_multixact/members 82040 5"]
      ),
    ] as [(UInt64, UInt32, UInt32, [String])])
  func neededLogPages(transaction: UInt64, multixact: UInt32, member: UInt32, expected: [String]) {
    var bytes = checkpoint(next: transaction).bytes
    bytes.setLittleEndian(multixact, at: 36)
    bytes.setLittleEndian(member, at: 40)
    let pages = Checkpoint(bytes.bytes).neededLogPages
    #expect(pages.map { "\($0.log.directory) \($0.segmentNumber) \($0.pageInSegment)" } == expected)
  }

  /// Goal: the oldest transaction is the oldest modulo 2^32. Method: ids on both sides of the wrap,
  /// in both orders, full ids of version 17 among them.
  @Test func oldestTransaction() {
    for (next, prepared, expected): (UInt64, [UInt64], UInt32) in [
      (1000, [], 1000),
      (1000, [999, 5, 700], 5),
      (10, [0xFFFF_FFF0, 5], 0xFFFF_FFF0),
      (10, [5, 0xFFFF_FFF0], 0xFFFF_FFF0),
      (0x3_0000_000A, [0x2_FFFF_FFF0, 0x3_0000_0005], 0xFFFF_FFF0),
      (0x3_0000_000A, [], 10),
    ] {
      for end in [nil, lsn(0x200_0028)] {
        let adjusted = checkpoint(next: next).forTimeline(end: end, preparedTransactions: prepared)
        #expect(adjusted.oldestActiveTransactionID == expected, "next \(next), \(prepared)")
        #expect(adjusted.redo == end ?? lsn(0))
        #expect(adjusted.timelineID == 1 && adjusted.prevTimelineID == 1)
        #expect(adjusted.nextTransactionID == next)
      }
    }
  }

  /// Goal: a pageserver's own checkpoint keeps its oldest transaction; for a shutdown checkpoint,
  /// it is always computed. Method: one with a value, both ways.
  @Test func valueThatIsThere() {
    let bearing = checkpoint(next: 1000, oldestActive: 900)
    #expect(
      bearing.forTimeline(end: nil, preparedTransactions: [800]).oldestActiveTransactionID == 900)
    #expect(
      bearing.forTimeline(end: lsn(8), preparedTransactions: [800]).oldestActiveTransactionID == 800
    )
  }

  /// Goal: transactions from the future are refused. Method: ids at and around the next one.
  @Test func futureTransactions() throws {
    try checkpoint(next: 1000).requireAssigned(preparedTransaction: 999, version: .v16)
    try checkpoint(next: 5).requireAssigned(preparedTransaction: 0xFFFF_FFFF, version: .v16)
    for id in [1000, 1001, 1000 + 1 << 30] as [UInt64] {
      #expect(throws: FormatError.self) {
        try checkpoint(next: 1000).requireAssigned(preparedTransaction: id, version: .v16)
      }
    }
  }

  /// Goal: the epoch in a name is the one in which the transaction began. Method: ids on both sides
  /// of the wrap with the right epoch and its neighbours.
  @Test func epochs() throws {
    for (next, low, epoch): (UInt64, UInt64, UInt64) in [
      (0x0_0000_0400, 0x3FF, 0), (0x7_0000_0400, 0x3FF, 7), (0x7_0000_0400, 0xFFFF_FF00, 6),
      (0xFFFF_FFFF_0000_0400, 0x3FF, 0xFFFF_FFFF),
    ] {
      let checkpoint = checkpoint(next: next)
      try checkpoint.requireAssigned(preparedTransaction: epoch << 32 | low, version: .v17)
      for wrong in [epoch &+ 1, epoch &- 1] {
        #expect(throws: FormatError.self, "epoch \(wrong) of \(low), next \(next)") {
          try checkpoint.requireAssigned(preparedTransaction: wrong << 32 | low, version: .v17)
        }
      }
    }
    #expect(throws: FormatError.self) {
      try checkpoint(next: 5).requireAssigned(preparedTransaction: 0xFFFF_FFFF, version: .v17)
    }
  }

  /// Goal: the segments that rows may refer to are those between the oldest and the newest id.
  /// Method: positions at the ends of segments, around the highest id, and an empty range.
  @Test func liveLogs() {
    typealias Logs = [SLRUKind: [UInt32]]
    let cases: [(next: UInt64, oldest: UInt32, multixacts: [UInt32], Logs)] = [
      (733, 716, [1, 0, 1], [.transactions: [0]]),
      (0x10_0000, 716, [1, 0, 1], [.transactions: [0]]),
      (0x10_0001, 716, [1, 0, 1], [.transactions: [1, 0]]),
      (0x7_0010_0001, 0xFFF0_0000, [1, 0, 1], [.transactions: [1, 0, 0xFFF]]),
      (0x7_0000_0003, 0xFFF0_0000, [1, 0, 1], [.transactions: [0xFFF]]),
      (900, 900, [1, 0, 1], [:]),
      (
        733, 716, [0x10001, 60000, 0xFFFF],
        [.transactions: [0], .multixactOffsets: [1, 0], .multixactMembers: [1]]
      ),
      (
        733, 716, [2, 5, 0xFFFF_FFF0],
        [.transactions: [0], .multixactOffsets: [0, 0xFFFF], .multixactMembers: [0, 0x14078]]
      ),
    ]
    for (next, oldest, multixacts, expected) in cases {
      var bytes = [UInt8](repeating: 0, count: Checkpoint.byteCount)
      func put(_ value: UInt64, _ count: Int, at offset: Int) {
        for index in 0..<count {
          bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
      }
      put(next, 8, at: 24)
      put(UInt64(multixacts[0]), 4, at: 36)
      put(UInt64(multixacts[1]), 4, at: 40)
      put(UInt64(oldest), 4, at: 44)
      put(UInt64(multixacts[2]), 4, at: 52)
      let ranges = bytes.withBytes { Checkpoint($0) }.liveLogs(isPageservers: false)
      let found = Dictionary(uniqueKeysWithValues: ranges.map { ($0.log, $0.segmentNumbers) })
      #expect(found == expected, "next \(next), oldest \(oldest)")
    }
  }

  /// Goal: setters write their own field only. Method: set each, compare with bytes set by hand.
  @Test func fields() {
    var bytes = SeededGenerator(state: 2)
    var expected = bytes.bytes(Checkpoint.byteCount)
    var checkpoint = expected.withBytes { Checkpoint($0) }
    checkpoint.redo = lsn(0x0102_0304_0506_0708)
    checkpoint.timelineID = 0x1112_1314
    checkpoint.prevTimelineID = 0x2122_2324
    checkpoint.oldestActiveTransactionID = 0x3132_3334
    expected.replaceSubrange(0..<8, with: [8, 7, 6, 5, 4, 3, 2, 1])
    expected.replaceSubrange(8..<12, with: [0x14, 0x13, 0x12, 0x11])
    expected.replaceSubrange(12..<16, with: [0x24, 0x23, 0x22, 0x21])
    expected.replaceSubrange(80..<84, with: [0x34, 0x33, 0x32, 0x31])
    #expect(checkpoint.bytes == expected)
    #expect(checkpoint.redo == lsn(0x0102_0304_0506_0708))
    #expect(checkpoint.timelineID == 0x1112_1314)
  }
}
