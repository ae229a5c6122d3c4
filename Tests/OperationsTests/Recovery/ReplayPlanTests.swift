import LayerFormat
import System
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import PostgresFormat

/// Which pages replay needs and which it changes, against what real servers left.
@Suite struct ReplayPlanTests {
  /// A backup of a running cluster, from `Tests/Fixtures`.
  struct Backup {
    var plan = ReplayPlan(touched: ReplayPlanTests.table())
    /// The main forks of relations in `base`.
    var pages: [ReplayPlan.Relation: [UInt8]] = [:]
    /// The CRC-32C of every block that the recovered cluster has, by relation.
    var recovered: [ReplayPlan.Relation: [UInt32]] = [:]
    var unlogged: Set<ReplayPlan.Relation> = []
    /// The relations that transactions dropped.
    var dropped: [ReplayPlan.Relation] = []
    /// What the plan asked for, in the order of the WAL.
    var needs: [ReplayPlan.Need] = []

    init(
      _ name: String, _ version: PostgresVersion, start: UInt64, mayEndEarly: Bool = false,
      memoryLimit: Int = .max
    ) throws {
      plan = ReplayPlan(
        mayEndEarly: mayEndEarly, touched: ReplayPlanTests.table(memoryLimit: memoryLimit))
      for member in TestTar(decoding: try Fixture.bytes(name + "/base.tar")).members {
        let path = member.name.split(separator: "/").map { Array($0.utf8)[...] }
        guard path.count == 3, path[0].elementsEqual("base".utf8),
          let database = UInt32(String(decoding: path[1], as: UTF8.self)),
          let segment = RelationSegment(fileName: path[2], databaseID: database),
          segment.fork == .main
        else { continue }
        #expect(segment.segmentNumber == 0)
        pages[relation(segment.databaseID, segment.relationNumber)] = member.contents
      }
      try addKeys(of: name)
      try addLog(of: name, version, start: start)
    }

    private mutating func addKeys(of name: String) throws {
      for line in try Fixture.lines(name + "/recovered.keys") {
        let words = line.split(separator: " ")
        func number(_ start: Int, _ count: Int) -> UInt32 {
          UInt32(words[0].dropFirst(start).prefix(count), radix: 16) ?? 0
        }
        let (kind, tablespace, block) = (number(0, 2), number(2, 8), number(28, 8))
        guard kind == 0, tablespace == 1663, words[1] == "8192", block != .max else { continue }
        let relation = relation(number(10, 8), number(18, 8))
        switch number(26, 2) {
        case 0:
          #expect(recovered[relation, default: []].count == Int(block))
          recovered[relation, default: []].append(UInt32(words[2], radix: 16) ?? 0)
        case 3: unlogged.insert(relation)
        default: break
        }
      }
    }

    private mutating func addLog(
      of name: String, _ version: PostgresVersion, start: UInt64
    ) throws {
      let tar = TestTar(decoding: try Fixture.bytes(name + "/pg_wal.tar"))
      let segments = tar.members.filter { !$0.contents.isEmpty }.compactMap { member in
        member.name.split(separator: "/").last.flatMap {
          WALSegmentName($0, segmentSize: UInt32(member.contents.count))
        }.map { ($0, member.contents) }
      }.sorted { $0.0.number < $1.0.number }
      let first = segments[0].1
      let identifier: UInt64 = first.bytes.littleEndian(at: 24)
      var decoder = try WALDecoder(
        version: version, systemIdentifier: identifier,
        segmentSize: segments[0].0.segmentSize,
        from: .record(LogSequenceNumber(rawValue: start)))
      for (name, bytes) in segments {
        decoder.begin(name)
        try decoder.decode(bytes.bytes) { record in
          let change = try record.change()
          try plan.add(record, change) { need, _ in needs.append(need) }
          if case .relationRemoval(let relations) = change {
            dropped += relations.map { self.relation($0.databaseID, $0.relationNumber) }
          }
        }
      }
      _ = try decoder.finish()
    }

    private func relation(_ databaseID: UInt32, _ number: UInt32) -> ReplayPlan.Relation {
      ReplayPlan.Relation(databaseID: databaseID, relationNumber: number)
    }

    func blockCount(_ relation: ReplayPlan.Relation) -> UInt32 {
      UInt32((pages[relation] ?? []).count / 8192)
    }

    /// The CRC-32C of a page of the base as an import stores it: with an LSN.
    func checksum(_ relation: ReplayPlan.Relation, _ block: UInt32) -> UInt32 {
      let start = Int(block) * 8192
      var page = Array(pages[relation]![start..<start + 8192])
      let header = PageHeader(page.bytes)
      if header.lsn.rawValue == 0, header.isInUse {
        let lsn = PageHeader.bootstrapLSN.rawValue
        for byte in 0..<4 {
          page[byte] = UInt8(truncatingIfNeeded: lsn >> (32 + 8 * byte))
          page[4 + byte] = UInt8(truncatingIfNeeded: lsn >> (8 * byte))
        }
      }
      return CRC32C.checksum(of: page.bytes)
    }
  }

  static let backups: [(String, PostgresVersion, UInt64)] = [
    ("online-14", .v14, 0x1F0_0028), ("online-16", .v16, 0x370_00D8),
    ("online-17", .v17, 0x280_0028),
  ]

  /// Goal: every page that a plan does not name is the base's after a full recovery, and a plan names
  /// few of the others. Method: page by page against the CRC of what the cluster's own Postgres left.
  @Test(arguments: backups)
  func changedPages(name: String, version: PostgresVersion, start: UInt64) throws {
    let backup = try Backup(name, version, start: start)
    var (kept, changed, different) = (0, 0, 0)
    for (relation, checksums) in backup.recovered {
      var isChanged = [Bool](repeating: false, count: checksums.count)
      let baseBlockCount = backup.blockCount(relation)
      var last: UInt32 = 0
      try backup.plan.forEachChangedRun(
        of: relation, baseBlockCount: baseBlockCount, in: 0..<UInt32(checksums.count),
        isUnlogged: backup.unlogged.contains(relation)
      ) { run in
        #expect(run.lowerBound >= last && run.lowerBound < run.upperBound)
        last = run.upperBound
        for block in run { isChanged[Int(block)] = true }
      }
      for (block, checksum) in checksums.enumerated() {
        let isSame =
          block < baseBlockCount && backup.checksum(relation, UInt32(block)) == checksum
        if isChanged[block] { changed += 1 } else { kept += 1 }
        if !isSame {
          different += 1
          #expect(isChanged[block], "block \(block) of \(relation)")
        }
      }
    }
    #expect(kept > 3000)
    #expect(different > 500)
    #expect(changed < 2 * different, "\(changed) for \(different)")
  }

  /// Goal: relations that a transaction drops are known. Method: those of which nothing is left in the
  /// plan and that are not written again do not exist after the recovery.
  @Test(arguments: backups)
  func droppedRelations(name: String, version: PostgresVersion, start: UInt64) throws {
    let backup = try Backup(name, version, start: start)
    let dropped = Set(backup.dropped)
    #expect(dropped.count > 3)
    let left = dropped.filter { backup.recovered[$0] != nil }
    #expect(left == [], "\(left)")
    for relation in dropped {
      let kept = backup.plan.keptBlockCount(
        of: relation, baseBlockCount: .max, blockCount: .max, isUnlogged: false)
      #expect(kept == 0)
    }
  }

  /// Goal: the pages that replay needs. Method: cleaning a hash index's overflow pages needs the
  /// primary bucket's page, four times; 14 and 17 copy a database by its files.
  @Test(arguments: backups)
  func neededPages(name: String, version: PostgresVersion, start: UInt64) throws {
    let backup = try Backup(name, version, start: start)
    var blocks = 0
    var databases: [UInt32] = []
    for need in backup.needs {
      switch need {
      case .block(let relation, let block):
        if block < backup.blockCount(relation) { blocks += 1 }
      case .database(let id): databases.append(id)
      case .files, .rest: Issue.record("\(need)")
      }
    }
    #expect(blocks == 4)
    #expect(Set(databases) == (version == .v16 ? [] : [16385]))
  }

  /// Goal: where replay may end early, all is needed that the WAL replaces or removes. Method: every
  /// block of the base that the whole replay changes is asked for, alone or with others.
  @Test(arguments: backups)
  func neededPagesOfAnEarlyEnd(name: String, version: PostgresVersion, start: UInt64) throws {
    let backup = try Backup(name, version, start: start, mayEndEarly: true)
    var blocks: [ReplayPlan.Relation: Set<UInt32>] = [:]
    var rests: [ReplayPlan.Relation: UInt32] = [:]
    var databases: Set<UInt32> = []
    for need in backup.needs {
      switch need {
      case .files: Issue.record("the plan does not know the base")
      case .block(let relation, let block): blocks[relation, default: []].insert(block)
      case .database(let id): databases.insert(id)
      case .rest(let relation, let first): rests[relation] = min(rests[relation] ?? .max, first)
      }
    }
    var changed = 0
    for relation in backup.pages.keys
    where !databases.contains(relation.databaseID) && !backup.unlogged.contains(relation) {
      let blockCount = backup.blockCount(relation)
      try backup.plan.forEachChangedRun(
        of: relation, baseBlockCount: blockCount, in: 0..<blockCount, isUnlogged: false
      ) { run in
        for block in run {
          changed += 1
          #expect(
            blocks[relation]?.contains(block) == true || block >= rests[relation] ?? .max,
            "block \(block) of \(relation)")
        }
      }
    }
    #expect(changed > 100)
  }
}

extension ReplayPlanTests {
  /// A table that holds so many bytes in memory, and more in a file in memory.
  fileprivate static func table(memoryLimit: Int = .max) -> TouchedTable {
    TouchedTable(memoryLimit: memoryLimit) { () throws(System.Failure) in
      try OutputFile(
        creating: "/dev/shm/touched-\(UInt64.random(in: 0 ... .max))", mode: 0o600)
    }
  }

  /// Goal: a plan that does not fit into memory says the same. Method: memory for two pieces.
  @Test(arguments: backups)
  func spilledPlan(name: String, version: PostgresVersion, start: UInt64) throws {
    let whole = try Backup(name, version, start: start)
    let spilled = try Backup(name, version, start: start, memoryLimit: 1)
    #expect(spilled.needs == whole.needs)
    var runCount = 0
    for relation in Set(whole.pages.keys).union(whole.recovered.keys) {
      func runs(_ plan: ReplayPlan) throws -> [Range<UInt32>] {
        var runs: [Range<UInt32>] = []
        let blockCount = UInt32(whole.recovered[relation]?.count ?? 0)
        try plan.forEachChangedRun(
          of: relation, baseBlockCount: whole.blockCount(relation), in: 0..<blockCount,
          isUnlogged: false
        ) { runs.append($0) }
        return runs
      }
      let expected = try runs(whole.plan)
      #expect(try runs(spilled.plan) == expected)
      runCount += expected.count
      for block in expected.joined() where block < 1000 {
        let isTouched = try whole.plan.touches(relation, block)
        #expect(try spilled.plan.touches(relation, block) == isTouched)
      }
    }
    #expect(runCount > 50)
  }
}

extension ReplayPlanTests {
  /// Adds changes to a plan, in records that name no block.
  private static func add(
    _ changes: [WALChange], to plan: inout ReplayPlan, _ body: (ReplayPlan.Need) -> Void
  ) throws {
    let tar = TestTar(decoding: try Fixture.bytes("online-16/pg_wal.tar"))
    let segment = try #require(tar.members.first { !$0.contents.isEmpty && $0.type == "0" })
    let found = WALSegmentName(
      firstPage: segment.contents.bytes, of: .v16, segmentSize: UInt32(segment.contents.count))
    let name = try #require(found)
    var decoder = try WALDecoder(
      version: .v16, systemIdentifier: segment.contents.bytes.littleEndian(at: 24),
      segmentSize: name.segmentSize, from: .firstRecord)
    decoder.begin(name)
    var rest = changes[...]
    try decoder.decode(segment.contents.bytes) { record in
      guard record.references.isEmpty, let change = rest.popFirst() else { return }
      try plan.add(record, change) { need, _ in body(need) }
    }
    #expect(rest.isEmpty)
  }

  /// Goal: the files of a relation are asked for at the first record that names it, whatever the record does,
  /// and of no other relation. Method: a relation for every kind of record, each twice; relations of copied,
  /// replaced and dropped databases; others, shared ones and those that the base does not have beside them.
  @Test func names() throws {
    func relation(_ database: UInt32, _ number: UInt32) -> ReplayPlan.Relation {
      ReplayPlan.Relation(databaseID: database, relationNumber: number)
    }
    var table = SegmentTable()
    let base = [(5, 1), (5, 2), (5, 3), (5, 4), (5, 90), (6, 1), (7, 1), (8, 1), (8, 2), (9, 1)]
      .map { relation($0, $1) }
    for relation in base {
      table.add(
        relation.segment(of: 0), blockCount: 1, highestLSN: LogSequenceNumber(rawValue: 0),
        block: 0,
        isNew: true)
    }
    var plan = ReplayPlan(base: try BaseSizes(table), touched: Self.table())
    func named(_ database: UInt32, _ number: UInt32) -> WALChange.Relation {
      .init(tablespaceID: 1663, databaseID: database, relationNumber: number)
    }
    func truncation(_ number: UInt32, _ forks: WALChange.Truncation.Forks) -> WALChange {
      .truncation(
        .init(
          tablespaceID: 1663, databaseID: 5, relationNumber: number, block: 3, forks: forks))
    }
    let changes: [WALChange] = [
      .relationCreation(named(5, 1)), truncation(2, .main), truncation(3, .visibilityMap),
      .relationRemoval([named(5, 4), named(5, 77), named(0, 1)]), .relationCreation(named(0, 1)),
      .databaseCopy(
        .init(databaseID: 7, tablespaceID: 1663, sourceDatabaseID: 6, sourceTablespaceID: 1663)),
      .databaseRemoval(databaseID: 8, tablespaceIDs: [1663]),
    ]
    var needs: [ReplayPlan.Need] = []
    for _ in 1...2 { try Self.add(changes, to: &plan) { needs.append($0) } }
    let files = [(5, 1), (5, 2), (5, 3), (5, 4), (6, 1)].map { relation($0, $1) }
    let later = [(7, 1), (8, 1), (8, 2)].map { relation($0, $1) }
    #expect(
      needs.prefix(9) == (files.map { .files($0) } + [.database(6)] + later.map { .files($0) })[...]
    )
    // A source is whole each time.
    #expect(needs.dropFirst(9) == [.database(6)])
    #expect(base.filter { plan.names($0) } == files + later)
    #expect(!plan.names(relation(5, 77)) && !plan.names(relation(0, 1)))
  }

  /// Goal: what is removed is not the base's afterwards, and nothing else. Method: a truncation of the
  /// visibility map alone, one of the main fork, a dropped relation, a dropped database whose id comes
  /// again, a database that is copied over another one's id, an unlogged relation; each with files that
  /// have the old number and length afterwards.
  @Test(arguments: [false, true]) func removals(mayEndEarly: Bool) throws {
    var plan = ReplayPlan(mayEndEarly: mayEndEarly, touched: Self.table())
    var needs: [ReplayPlan.Need] = []
    func relation(_ database: UInt32, _ number: UInt32) -> ReplayPlan.Relation {
      ReplayPlan.Relation(databaseID: database, relationNumber: number)
    }
    func truncation(_ number: UInt32, at block: UInt32, _ forks: WALChange.Truncation.Forks)
      -> WALChange
    {
      .truncation(
        WALChange.Truncation(
          tablespaceID: 1663, databaseID: 5, relationNumber: number, block: block, forks: forks))
    }
    let changes: [WALChange] = [
      truncation(1, at: 0, .visibilityMap), truncation(1, at: 0, .freeSpaceMap),
      truncation(2, at: 7, [.main, .visibilityMap]), truncation(2, at: 9, .main),
      .relationRemoval([.init(tablespaceID: 1663, databaseID: 5, relationNumber: 3)]),
      .databaseRemoval(databaseID: 6, tablespaceIDs: [1663]),
      .databaseCopy(
        .init(databaseID: 7, tablespaceID: 1663, sourceDatabaseID: 5, sourceTablespaceID: 1663)),
      // Of a copy, and of an id that has come again, nothing of the base is needed.
      .databaseCopy(
        .init(databaseID: 8, tablespaceID: 1663, sourceDatabaseID: 7, sourceTablespaceID: 1663)),
      .databaseCopy(
        .init(databaseID: 9, tablespaceID: 1663, sourceDatabaseID: 6, sourceTablespaceID: 1663)),
    ]
    try Self.add(changes, to: &plan) { needs.append($0) }
    let kept: [(ReplayPlan.Relation, Bool, UInt32)] = [
      (relation(5, 1), false, 20), (relation(5, 1), true, 0), (relation(5, 2), false, 7),
      (relation(5, 3), false, 0), (relation(6, 1), false, 0), (relation(7, 1), false, 0),
      (relation(8, 1), false, 0), (relation(9, 1), false, 0), (relation(10, 1), false, 20),
    ]
    for (relation, isUnlogged, blockCount) in kept {
      let found = plan.keptBlockCount(
        of: relation, baseBlockCount: 20, blockCount: 25, isUnlogged: isUnlogged)
      #expect(found == blockCount, "\(relation)")
      var runs: [Range<UInt32>] = []
      try plan.forEachChangedRun(
        of: relation, baseBlockCount: 20, in: 0..<25, isUnlogged: isUnlogged
      ) { runs.append($0) }
      #expect(runs == [blockCount..<25], "\(relation)")
    }
    // An early end keeps what would have been removed.
    let early: [ReplayPlan.Need] = [
      .rest(relation(5, 2), from: 7), .rest(relation(5, 3), from: 0), .database(6), .database(5),
      .database(7), .database(8), .database(9),
    ]
    #expect(needs == (mayEndEarly ? early : [.database(5)]))
  }
}

/// Blocks of many relations.
@Suite struct TouchedTableTests {
  /// Goal: a table says the same with little memory as with much, and takes no more. Method: against sets,
  /// with blocks from a generator (seed 2) in three relations, over several segments, and the last of all.
  @Test(arguments: [1, 3000, .max]) func blocks(memoryLimit: Int) throws {
    var generator = SeededGenerator(state: 2)
    var fileCount = 0
    let table = TouchedTable(memoryLimit: memoryLimit) { () throws(System.Failure) in
      fileCount += 1
      return try OutputFile(
        creating: "/dev/shm/touched-\(UInt64.random(in: 0 ... .max))", mode: 0o600)
    }
    var expected: [ReplayPlan.Relation: Set<UInt32>] = [:]
    for round in 0..<4000 {
      let relation = ReplayPlan.Relation(
        databaseID: 5, relationNumber: UInt32.random(in: 1...3, using: &generator))
      let block =
        round == 0
        ? UInt32.max - 1
        : round.isMultiple(of: 4)
          ? UInt32.random(in: 0..<3 << 17, using: &generator)
          : UInt32.random(in: 0..<5000, using: &generator)
      let isNew = expected[relation, default: []].insert(block).inserted
      #expect(try table.note(relation, block) == isNew)
    }
    #expect(fileCount == (memoryLimit == .max ? 0 : 1))
    for (relation, blocks) in expected {
      for end in [0, 1, 4000, RelationSegment.blockCount, 3 << 17, .max] as [UInt32] {
        var found: [UInt32] = []
        try table.forEachRun(of: relation, in: 0..<end) { found += Array($0) }
        #expect(found == blocks.filter { $0 < end }.sorted())
        found = []
        let part = end / 3..<end
        try table.forEachRun(of: relation, in: part) { found += Array($0) }
        #expect(found == blocks.filter { part.contains($0) }.sorted())
      }
      for block in 0..<6000 as Range<UInt32> {
        #expect(try table.contains(relation, block) == blocks.contains(block))
      }
    }
    let other = ReplayPlan.Relation(databaseID: 6, relationNumber: 1)
    #expect(try !table.contains(other, 0))
  }

  /// Goal: what a disk changed is found. Method: a byte of the file is changed after it was written; or
  /// a piece is zeros, as if it had never been.
  @Test(arguments: [[0xFF], [UInt8](repeating: 0, count: 68)]) func damage(bytes: [UInt8]) throws {
    let path = "/dev/shm/touched-\(UInt64.random(in: 0 ... .max))"
    let file = try OutputFile(creating: path, mode: 0o600)
    let table = TouchedTable(memoryLimit: 1) { file }
    for number in 1...9 as ClosedRange<UInt32> {
      _ = try table.note(ReplayPlan.Relation(databaseID: 5, relationNumber: number), 7)
    }
    try file.write(bytes.bytes, at: bytes.count == 1 ? 1 : 0)
    let codes = (1...9 as ClosedRange<UInt32>).map { number -> ErrorCode? in
      do throws(System.Failure) {
        _ = try table.contains(ReplayPlan.Relation(databaseID: 5, relationNumber: number), 7)
        return nil
      } catch { return error.code }
    }
    #expect(codes.compactMap(\.self) == [.writtenDataChanged])
  }
}

/// A bit a block.
@Suite struct TouchedBlocksTests {
  /// Goal: runs come in order, and a block is new once. Method: against a set, with blocks from a
  /// generator (seed 1), alone and in runs.
  @Test func runs() {
    var generator = SeededGenerator(state: 1)
    for end in [0, 1, 7, 64, 200, 1000] as [UInt32] {
      var blocks = TouchedBlocks()
      var expected: Set<UInt32> = []
      for _ in 0..<end / 9 {
        let first = UInt32.random(in: 0..<end, using: &generator)
        let count =
          Bool.random(using: &generator) ? 1 : UInt32.random(in: 1..<150, using: &generator)
        for block in first..<min(first + count, end) {
          #expect(blocks.note(block) == expected.insert(block).inserted)
        }
      }
      for limit in [0, end / 3, end, end + 70, .max] {
        var found: [UInt32] = []
        var runCount = 0
        blocks.forEachRun(in: 0..<limit) { run in
          found += Array(run)
          runCount += 1
        }
        let wanted = expected.filter { $0 < limit }.sorted()
        #expect(found == wanted)
        let gaps = zip(wanted, wanted.dropFirst()).filter { $0 + 1 != $1 }.count
        #expect(runCount == (wanted.isEmpty ? 0 : gaps + 1))
      }
      for block in 0..<end + 5 { #expect(blocks.contains(block) == expected.contains(block)) }
    }
  }
}
