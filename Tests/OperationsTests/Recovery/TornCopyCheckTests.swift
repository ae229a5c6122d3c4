import LayerFormat
import PostgresFormat
import System
import TestSupport
import Testing

@testable import Operations

/// What shows that a copy is torn. Method: the WAL of real clusters under load, as if all of it was before
/// a copy's checkpoint, and copies that the test makes up.
@Suite struct TornCopyCheckTests {
  /// A cluster of `Tests/Fixtures`.
  enum Backup: String, CaseIterable, CustomTestStringConvertible {
    case online14 = "online-14"
    case online16 = "online-16"
    case online17 = "online-17"
    var testDescription: String { rawValue }
    var version: PostgresVersion {
      switch self {
      case .online14: .v14
      case .online16: .v16
      case .online17: .v17
      }
    }
  }

  private typealias Block = (relation: ReplayPlan.Relation, block: UInt32)

  /// The check of all records, without those that end transactions if asked; the relations that were
  /// dropped; and the end of the last record.
  private static func check(
    _ backup: Backup, withCommits: Bool = true
  ) throws -> (TornCopyCheck, dropped: Set<ReplayPlan.Relation>, end: LogSequenceNumber) {
    let tar = TestTar(decoding: try Fixture.bytes(backup.rawValue + "/pg_wal.tar"))
    let segments = tar.members.filter { !$0.contents.isEmpty }.compactMap { member in
      member.name.split(separator: "/").last.flatMap {
        WALSegmentName($0, segmentSize: UInt32(member.contents.count))
      }.map { ($0, member.contents) }
    }.sorted { $0.0.number < $1.0.number }
    let first = segments[0].1
    let identifier: UInt64 = first.bytes.littleEndian(at: 24)
    var decoder = try WALDecoder(
      version: backup.version, systemIdentifier: identifier,
      segmentSize: segments[0].0.segmentSize, from: .firstRecord)
    var check = TornCopyCheck()
    var dropped: Set<ReplayPlan.Relation> = []
    for (name, bytes) in segments {
      let found = WALSegmentName(
        firstPage: bytes.bytes, of: backup.version, segmentSize: name.segmentSize)
      #expect(found == name)
      decoder.begin(name)
      try decoder.decode(bytes.bytes) { record in
        let change = try record.change()
        guard withCommits || record.resourceManager != .transaction else { return }
        try check.add(record, change, isEarlier: true)
        guard case .relationRemoval(let relations) = change else { return }
        for removed in relations {
          dropped.insert(
            ReplayPlan.Relation(
              databaseID: removed.databaseID, relationNumber: removed.relationNumber))
        }
      }
    }
    return (check, dropped, try decoder.finish().position)
  }

  private static func failure(_ body: () throws -> Void) -> Failure? {
    do {
      try body()
      return nil
    } catch { return error as? Failure }
  }

  /// Goal: a copy passes whose pages are all as new as their records, and none in which one is older.
  /// Method: every page at the end; then one after another 8 bytes before its record's end, which is
  /// found by the error of a page without an LSN.
  @Test(arguments: Backup.allCases) func pages(of backup: Backup) throws {
    let (check, dropped, end) = try Self.check(backup)
    var asked: [Block] = []
    let count = try check.requireOneMoment(knowsLaterRecords: true) { relation, block in
      asked.append((relation, block))
      return .inUse(end)
    }
    #expect(count == asked.count && count > 100)
    #expect(asked.allSatisfy { !dropped.contains($0.relation) })
    for (relation, block) in asked.prefix(50) {
      let failure = Self.failure {
        _ = try check.requireOneMoment(knowsLaterRecords: false) {
          $0 == relation && $1 == block ? .inUse(PageHeader.bootstrapLSN) : .inUse(end)
        }
      }
      #expect(failure?.code == .tornCopy)
      let name = "block \(block) of 'base/\(relation.databaseID)/\(relation.relationNumber)'"
      #expect(failure?.message.contains(name) == true, "\(failure?.message ?? "")")
      let last = failure?.message.split(separator: " ").last.map {
        LogSequenceNumber(String($0)[...])
      }
      let lsn = try #require(last ?? nil)
      for (offset, isTorn) in [(0, false), (8, true)] as [(UInt64, Bool)] {
        let failure = Self.failure {
          _ = try check.requireOneMoment(knowsLaterRecords: true) {
            $0 == relation && $1 == block
              ? .inUse(LogSequenceNumber(rawValue: lsn.rawValue - offset)) : .inUse(end)
          }
        }
        #expect((failure?.code == .tornCopy) == isTorn)
      }
    }
  }

  /// Goal: what is not there shows that a copy is torn only if nothing else can have removed it.
  /// Method: copies without files, with short files, and the same if later records are not known, or no
  /// transaction is known to have been committed.
  @Test(arguments: Backup.allCases) func missing(in backup: Backup) throws {
    let (check, _, end) = try Self.check(backup)
    for page in [TornCopyCheck.Page.unused, .noFile] {
      #expect(try check.requireOneMoment(knowsLaterRecords: false) { _, _ in page } == 0)
      let failure = Self.failure {
        _ = try check.requireOneMoment(knowsLaterRecords: true) { _, _ in page }
      }
      #expect(failure?.code == .tornCopy)
    }
    // A database that is being dropped loses its changes before a record says so.
    var databases: Set<UInt32> = []
    _ = try check.requireOneMoment(knowsLaterRecords: true) { relation, _ in
      databases.insert(relation.databaseID)
      return .inUse(end)
    }
    for id in databases {
      var without = check
      without.remove(databases: [id])
      var asked: Set<UInt32> = []
      _ = try without.requireOneMoment(knowsLaterRecords: true) { relation, _ in
        asked.insert(relation.databaseID)
        return .inUse(end)
      }
      #expect(asked == databases.subtracting([id]))
    }
    // Blocks of transactions whose end is not known do not count; those of VACUUM do.
    let (uncommitted, _, _) = try Self.check(backup, withCommits: false)
    var counting: [Block] = []
    var all: [Block] = []
    _ = try uncommitted.requireOneMoment(knowsLaterRecords: true) { relation, block in
      all.append((relation, block))
      return .inUse(end)
    }
    for (relation, block) in all.prefix(200) {
      let failure = Self.failure {
        _ = try uncommitted.requireOneMoment(knowsLaterRecords: true) {
          $0 == relation && $1 == block ? .unused : .inUse(end)
        }
      }
      if failure != nil { counting.append((relation, block)) }
    }
    #expect(counting.count > 0 && counting.count < min(all.count, 200))
    #expect(TornCopyCheck.Page.beyond(0) == .unused)
    #expect(TornCopyCheck.Page.beyond(17) == .unused)
    #expect(TornCopyCheck.Page.beyond(RelationSegment.blockCount) == .noFile)
  }
}
