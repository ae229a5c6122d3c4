import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Relations of more than one segment, which would be GiBs in a real backup.
@Suite struct SegmentTableTests {
  private static let full = RelationSegment.blockCount
  private static let end = LogSequenceNumber(rawValue: 0x100_0000)

  /// Goal: changed pages, whose runs never end a file, are counted for their own segments, however many they
  /// are. Method: runs of three segments and of another relation, each almost full.
  @Test func changedPages() throws {
    var table = SegmentTable()
    let segments =
      (0..<3).map { number in
        RelationSegment(
          databaseID: 5, relationNumber: 16384, fork: .main, segmentNumber: UInt32(number))
      } + [RelationSegment(databaseID: 5, relationNumber: 16385, fork: .main, segmentNumber: 0)]
    for segment in segments {
      for part in 0..<3 as Range<UInt32> {
        var pages = PageRuns(checksPages: false)
        pages.beginRun(
          of: .relation(segment, isInImageLayer: false),
          at: segment.segmentNumber * RelationSegment.blockCount + part * 43_000)
        var run = try #require(pages.runs.first)
        run.pageCount = 40_000
        run.highestLSN = LogSequenceNumber(rawValue: UInt64(1 + part))
        table.add(run)
      }
    }
    #expect(table.count == 4)
  }

  /// A table of one fork's segments, in the order given: number and blocks of each.
  private static func table(_ segments: [(number: UInt32, blocks: UInt32)]) -> SegmentTable {
    var table = SegmentTable()
    for (number, blocks) in segments {
      table.add(
        RelationSegment(databaseID: 5, relationNumber: 16384, fork: .main, segmentNumber: number),
        blockCount: blocks, highestLSN: end, block: 0, isNew: true)
    }
    return table
  }

  /// Goal: the size is that of all segments up to the first that is not full, in whatever order
  /// they come, and empty ones behind it count for nothing.
  @Test(
    arguments: [
      ([(0, 7)], 7),
      ([(0, full)], full),
      ([(1, 3), (0, full)], full + 3),
      ([(2, 1), (0, full), (1, full)], 2 * full + 1),
      ([(0, full), (1, 0)], full),
      ([(3, 0), (2, 0), (0, full), (1, 9)], full + 9),
      ([(0, 0), (1, 0), (2, 0)], 0),
    ] as [([(UInt32, UInt32)], UInt32)])
  func sizes(segments: [(UInt32, UInt32)], blockCount: UInt32) throws {
    var table = Self.table(segments.map { (number: $0.0, blocks: $0.1) })
    let relations = try table.relations(upTo: Self.end)
    #expect(relations.map(\.blockCount) == [blockCount])
  }

  /// Goal: a hole in the segments, a short one before others and one that appears twice are refused
  /// by name.
  @Test(
    arguments: [
      ([(1, 1)], "'base/5/16384' is missing"),
      ([(0, full), (2, 1)], "'base/5/16384.1' is missing"),
      ([(0, full), (1, 5), (2, 1)], "is not full, but is followed by"),
      ([(0, full), (1, 0), (2, 1)], "is not full, but is followed by"),
      ([(0, full), (1, 1), (1, 1)], "'base/5/16384.1' appears twice"),
    ] as [([(UInt32, UInt32)], String)])
  func refusals(segments: [(UInt32, UInt32)], message: String) {
    Self.expectRefusal(of: segments, message)
  }

  /// Goal: so is a relation that would have block 2^32 - 1.
  @Test func tooLong() {
    Self.expectRefusal(of: (0..<32768).map { ($0, Self.full) }, "longer than 2^32 - 1")
  }

  private static func expectRefusal(of segments: [(UInt32, UInt32)], _ message: String) {
    var table = Self.table(segments.map { (number: $0.0, blocks: $0.1) })
    #expect {
      try table.relations(upTo: end)
    } throws: { error in
      (error as? Failure)?.exitCode == .damaged
        && (error as? Failure)?.message.contains(message) == true
    }
  }

  /// Goal: a page newer than the end is refused, unless the relation is unlogged.
  @Test func newerPages() throws {
    var table = Self.table([(0, 4)])
    let before = LogSequenceNumber(rawValue: Self.end.rawValue - 1)
    var withoutInit = table
    #expect(throws: Failure.self) { try withoutInit.relations(upTo: before) }
    table.add(
      RelationSegment(
        databaseID: 5, relationNumber: 16384, fork: .initialisation, segmentNumber: 0),
      blockCount: 1, highestLSN: LogSequenceNumber(rawValue: 0), block: 0, isNew: true)
    #expect(try table.relations(upTo: before).map(\.id.fork) == [.main, .initialisation])
  }

  /// Goal: relations come in the order of the keys with their own sizes, in whatever order their
  /// files came, also where there are more than one piece of the table holds.
  /// Method: 200,000 files shuffled with a fixed seed, the shared relations among them.
  @Test func manyRelations() throws {
    let databaseIDs: [UInt32] = [0, 1, 5, 3_000_000_000]
    var segments: [RelationSegment] = []
    for relationNumber in 1...UInt32(25_000) {
      for databaseID in databaseIDs {
        for fork in [RelationFork.main, .freeSpaceMap] {
          segments.append(
            RelationSegment(
              databaseID: databaseID, relationNumber: relationNumber, fork: fork, segmentNumber: 0))
        }
      }
    }
    var generator = SeededGenerator(state: 7)
    segments.shuffle(using: &generator)
    var table = SegmentTable()
    for segment in segments {
      table.add(
        segment, blockCount: segment.relationNumber, highestLSN: Self.end, block: 0, isNew: true)
    }
    let relations = try table.relations(upTo: Self.end)
    #expect(relations.map(\.id) == segments.map(\.relation).sorted())
    #expect(relations.allSatisfy { $0.blockCount == $0.id.relationNumber })
  }
}
