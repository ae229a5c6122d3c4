import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Goal: how far a server has replayed is seen from the outside, and never goes back.
struct ReplayPositionTests {
  private static let start = LogSequenceNumber(rawValue: 0x100_0028)

  /// Method: another program has a WAL segment open, then another one, then none; a segment of
  /// another directory does not count.
  @Test func openSegment() throws {
    let directory = try TemporaryDirectory()
    let log = directory.path + "/data/pg_wal"
    try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: true)
    func position(with names: [String]) throws -> LogSequenceNumber {
      let process = Process()
      process.executableURL = URL(filePath: "/bin/bash")
      let opening = names.enumerated().map { "exec \($0 + 5)<> '\($1)'; " }.joined()
      process.arguments = ["-c", opening + "echo; read"]
      let (input, output) = (Pipe(), Pipe())
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      _ = try output.fileHandleForReading.read(upToCount: 1)
      defer {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
      }
      let position = ReplayPosition(in: directory.path, from: Self.start, 16 << 20) { nil }
      position.watch(process.processIdentifier)
      return position.current()
    }
    #expect(try position(with: []) == Self.start)
    #expect(
      try position(with: [log + "/000000020000000000000003", log + "/000000010000000000000002"])
        == LogSequenceNumber(rawValue: 0x300_0000))
    #expect(
      try position(with: [log + "/RECOVERYXLOG", log + "/000000010000000000000000"]) == Self.start)
    #expect(try position(with: [directory.path + "/000000020000000000000003"]) == Self.start)
  }

  /// Method: a control file that says it, one that is being written, and a server that has not
  /// started.
  @Test func recoveryPoint() throws {
    let reached = LogSequenceNumber(rawValue: 0x123_4568)
    let tar = SmallBackup.withControlFile { bytes in
      for index in 0..<8 {
        bytes[136 + index] = UInt8(truncatingIfNeeded: reached.rawValue >> (8 * index))
      }
    }
    let control = try ControlFile(decoding: tar["global/pg_control"].contents.bytes)
    #expect(control.minRecoveryPoint == reached)
    for (file, expected) in [(control, reached), (nil, Self.start)] {
      let position = ReplayPosition(in: "/nowhere", from: Self.start, 16 << 20) { file }
      #expect(position.current() == Self.start)
      position.watch(.max)
      #expect(position.current() == expected)
    }
  }

  /// Method: what is known of the end counts when the server has replayed all.
  @Test func end() throws {
    let position = ReplayPosition(in: "/nowhere", from: Self.start, 16 << 20) { nil }
    position.watch(.max)
    #expect(position.current() == Self.start)
    let segment = try #require(WALSegmentName("000000010000000000000001", segmentSize: 16 << 20))
    position.reach(segment)
    #expect(position.current() == Self.start)
    position.finish(at: nil)
    #expect(position.current() == Self.start)
    position.finish(at: Self.start + 5)
    #expect(position.current() == Self.start + 5)
  }
}
