import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import PostgresFormat
@testable import System

/// What shows that a server has replayed all of the WAL. Method: the WAL of a real cluster, of which the
/// records up to one are taken for those that were to be replayed, and the others for the server's own.
@Suite struct ReplayEndTests {
  private static let size: UInt32 = 1 << 20

  private static func isShown(
    _ segments: [(name: String, bytes: [UInt8])],
    after last: (LogSequenceNumber, LogSequenceNumber),
    checkPoint: LogSequenceNumber
  ) throws -> Bool {
    let directory = try TemporaryDirectory(inMemory: true)
    for (name, bytes) in segments {
      try Data(bytes).write(to: URL(filePath: directory.path + "/" + name))
    }
    let control = try WriteAheadLogCheckTests.controlFile(
      systemIdentifier: WriteAheadLogCheckTests.segments()[0].bytes.littleEndian(at: 24),
      checkPoint: checkPoint)
    return try ReplayEnd.isShown(
      after: last, in: DirectoryHandle(path: directory.path), control)
  }

  /// Goal: only a sound chain of records from the last one to the checkpoint shows it. Method: the last
  /// record but 20 of a segment, with a checkpoint after it, in the same segment and in the next; then the
  /// one before it, a checkpoint before the end, a changed byte in the record after the last, and a segment
  /// that is missing.
  @Test func chain() throws {
    let segments = try WriteAheadLogCheckTests.segments()
    var decoder = try WALDecoder(
      version: .v16, systemIdentifier: segments[0].bytes.littleEndian(at: 24),
      segmentSize: Self.size, from: .firstRecord)
    var records: [(start: LogSequenceNumber, end: LogSequenceNumber)] = []
    for (name, bytes) in segments {
      decoder.begin(try #require(WALSegmentName(name, segmentSize: Self.size)))
      decoder.decode(bytes.bytes) { records.append(($0.start, $0.end)) }
    }
    let boundary = UInt64(0x39) << 20
    let next = try #require(records.firstIndex { $0.start.rawValue >= boundary })
    let last = records[next - 20]
    for checkPoint in [records[next - 19], records[next - 10], records[next + 10]] {
      #expect(try Self.isShown(segments, after: last, checkPoint: checkPoint.start))
    }
    let checkPoint = records[next + 10].start
    #expect(
      try !Self.isShown(
        segments, after: (records[next - 21].start, last.end), checkPoint: checkPoint))
    #expect(try !Self.isShown(segments, after: last, checkPoint: records[next - 30].start))
    #expect(try !Self.isShown(segments, after: last, checkPoint: last.start))
    var changed = segments
    let place = Int((records[next - 19].end.rawValue - 9) % UInt64(Self.size))
    changed[1].bytes[place] ^= 1
    #expect(changed[1].name.hasSuffix("38"))
    #expect(try !Self.isShown(changed, after: last, checkPoint: checkPoint))
    var missing = segments
    missing.remove(at: 2)
    #expect(try !Self.isShown(missing, after: last, checkPoint: checkPoint))
  }
}
