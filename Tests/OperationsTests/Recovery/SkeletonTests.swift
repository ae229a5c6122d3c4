import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import System

/// Which files of main forks a skeleton has; what becomes of them, `RunningClusterTests` try.
struct SkeletonTests {
  private static func segment(
    _ database: UInt32, _ number: UInt32, _ segmentNumber: UInt32 = 0, _ fork: RelationFork = .main
  ) -> RelationSegment {
    RelationSegment(
      databaseID: database, relationNumber: number, fork: fork, segmentNumber: segmentNumber)
  }

  private static func sizes(_ segments: [(RelationSegment, UInt32)]) throws -> BaseSizes {
    var table = SegmentTable()
    for (segment, blockCount) in segments {
      table.add(
        segment, blockCount: blockCount, highestLSN: LogSequenceNumber(rawValue: 0), block: 0,
        isNew: true)
    }
    return try BaseSizes(table)
  }

  private static let full = RelationSegment.blockCount

  /// Goal: a file is made for every segment of the base, however its segments follow each other. Method: an
  /// empty relation, one of three segments, one that ends in an empty segment, one with a gap, one whose first
  /// segment is not full; other forks and shared relations have none.
  @Test func segments() throws {
    let base: [(RelationSegment, UInt32)] = [
      (Self.segment(5, 1), 0), (Self.segment(5, 2), Self.full), (Self.segment(5, 2, 1), Self.full),
      (Self.segment(5, 2, 2), 3), (Self.segment(5, 3), Self.full), (Self.segment(5, 3, 1), 0),
      (Self.segment(5, 4), Self.full), (Self.segment(5, 4, 2), 1), (Self.segment(5, 5), 9),
      (Self.segment(5, 5, 1), 2),
    ]
    let others: [(RelationSegment, UInt32)] = [
      (Self.segment(5, 1, 0, .freeSpaceMap), 3), (Self.segment(0, 1), 2),
    ]
    let sizes = try Self.sizes(base.reversed() + others)
    #expect(sizes.count == 5)
    for number in 1...5 as ClosedRange<UInt32> {
      let relation = ReplayPlan.Relation(databaseID: 5, relationNumber: number)
      let found = sizes.segments(of: relation)
      let expected = base.filter { $0.0.relationNumber == number }
      #expect(found.map(\.segment) == expected.map(\.0))
      #expect(found.map(\.blockCount) == expected.map(\.1))
    }
    #expect(sizes.segments(of: ReplayPlan.Relation(databaseID: 0, relationNumber: 1)).isEmpty)
    let error = #expect(throws: Failure.self) {
      try Self.sizes(base + [(Self.segment(5, 2, 1), Self.full)])
    }
    #expect(error?.message.contains("base/5/2.1") == true)
  }

  /// Goal: the files have the lengths of the base, and what is there stays. Method: a relation of two
  /// segments, the second of which is there, too short, and one that is there and longer.
  @Test func files() throws {
    let directory = try TemporaryDirectory()
    let scratch = try ScratchDirectory(in: directory.path, keep: false)
    let database = scratch.data + "/base/5"
    try FileManager.default.createDirectory(
      atPath: database, withIntermediateDirectories: true)
    for (name, byteCount) in [("2.1", 1), ("3", 8200), ("4_init", 0), ("4_vm", 8192)] {
      try Data(repeating: 1, count: byteCount).write(to: URL(filePath: database + "/" + name))
    }
    let files = try SkeletonFiles(scratch, owner: nil)
    var found: [UInt32] = []
    try files.forEachRelation { found.append($0.relationNumber) }
    #expect(found.sorted() == [2, 3])
    let sizes = try Self.sizes([
      (Self.segment(5, 1), 0), (Self.segment(5, 2), Self.full), (Self.segment(5, 2, 1), 3),
      (Self.segment(5, 3), 1), (Self.segment(6, 1), 1),
    ])
    for (relation, _) in sizes.relations {
      try files.make(relation, sizes.segments(of: relation))
    }
    func byteCount(_ name: String) throws -> UInt64? {
      try SystemCalls.status(at: database + "/" + name)?.byteCount
    }
    #expect(try byteCount("1") == 0)
    #expect(try byteCount("2") == 1 << 30)
    #expect(try byteCount("2.1") == 3 * 8192)
    #expect(try byteCount("3") == 8200)
    #expect(try SystemCalls.contents(of: database + "/2.1", limit: 1 << 20).first == 1)
    #expect(try SystemCalls.status(at: scratch.data + "/base/6") == nil)
    #expect(try files.hasInitFork(ReplayPlan.Relation(databaseID: 5, relationNumber: 4)))
    #expect(try !files.hasInitFork(ReplayPlan.Relation(databaseID: 5, relationNumber: 3)))
    #expect(try !files.hasInitFork(ReplayPlan.Relation(databaseID: 6, relationNumber: 1)))
  }
}
