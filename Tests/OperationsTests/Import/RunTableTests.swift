import Foundation
import LayerFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// The list of what a spool holds, sorted.
@Suite struct RunTableTests {
  private static func runs(_ count: Int, seed: UInt64) -> [RunTable.Run] {
    var generator = SeededGenerator(state: seed)
    return (0..<count).map { index in
      let relation = UInt32.random(in: 1...50_000, using: &generator)
      let block = UInt32.random(in: 0..<1000, using: &generator)
      return RunTable.Run(
        firstKey: Key(0, 1663, 5, relation, 0, block),
        shard: UInt8.random(in: 0..<4, using: &generator), checksum: UInt32(index),
        offset: UInt64(index) << 33, byteCount: UInt32(index) + 1, pageCount: 3)
    }
  }

  /// Goal: whatever comes in goes out sorted, all of it, also by way of the file. Method: 5,000 random runs,
  /// spilled never, once, and 11 times; against a sorted array; twice with the same table.
  @Test(arguments: [5001, 5000, 450]) func sorted(spillingAfter limit: Int) throws {
    let directory = try TemporaryDirectory()
    var table = RunTable()
    for seed in [UInt64(3), 4] {
      let runs = Self.runs(5000, seed: seed)
      for run in runs {
        table.append(run)
        guard table.countInMemory == limit else { continue }
        try table.spill { () throws(Failure) in
          try OutputFile(creating: directory.path + "/table", mode: 0o600)
        }
      }
      var drained: [RunTable.Run] = []
      try table.drain { drained.append($0) }
      let expected = runs.sorted { $0.place < $1.place }
      #expect(drained.count == expected.count)
      #expect(zip(drained, expected).allSatisfy { $0.place == $1.place })
      let text: (RunTable.Run) -> String = { "\($0)" }
      #expect(Set(drained.map(text)) == Set(runs.map(text)))
      #expect(table.isEmpty)
    }
    #expect(try directory.files().isEmpty)
  }

  /// Goal: a disk that gives back something else is noticed. Method: a byte is changed by another name of
  /// the file.
  @Test func damage() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/table"
    var table = RunTable()
    for run in Self.runs(700, seed: 5) { table.append(run) }
    try table.spill { () throws(Failure) in
      let file = try OutputFile(creating: path, mode: 0o600)
      try? FileManager.default.linkItem(atPath: path, toPath: path + "-too")
      return file
    }
    let handle = try FileHandle(forUpdating: URL(filePath: path + "-too"))
    try handle.seek(toOffset: 20_000)
    try handle.write(contentsOf: [0xAB, 0xCD])
    try handle.close()
    let error = #expect(throws: Failure.self) { try table.drain { _ in } }
    #expect(error?.code == .writtenDataChanged)
  }
}
