import Foundation
import FuzzTargets
import TestSupport
import Testing

struct FuzzTests {
  /// Goal: fuzzing starts with inputs that the readers accept. Method: each seed, a part of a real
  /// backup, is accepted by its target. With `FUZZ_SEEDS=DIR`, the seeds are written there, a
  /// directory per target, for `make fuzz`.
  @Test(arguments: FuzzTarget.allCases) func seeds(target: FuzzTarget) async throws {
    let seeds = try await FuzzSeeds.all(of: target)
    #expect(!seeds.isEmpty)
    for (name, bytes) in seeds {
      let isAccepted = target.run(bytes.bytes)
      #expect(isAccepted, "\(name)")
      #expect(bytes.count < 20_000, "\(name) of \(bytes.count) bytes is slow to fuzz")
    }
    guard let parent = ProcessInfo.processInfo.environment["FUZZ_SEEDS"] else { return }
    let directory = URL(filePath: parent).appending(path: target.rawValue)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    for (name, bytes) in seeds { try Data(bytes).write(to: directory.appending(path: name)) }
  }

  /// Goal: faults found by fuzzing do not come back. Method: run every input under `Fuzz/Corpus`
  /// through its target; a trap ends the whole run.
  @Test(arguments: FuzzTarget.allCases) func corpus(target: FuzzTarget) throws {
    let directory = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fuzz/Corpus/\(target.rawValue)").standardizedFileURL
    let path = directory.path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path) else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      let bytes = Array(try Data(contentsOf: directory.appending(path: name)))
      _ = target.run(bytes.bytes)
    }
  }

  /// Goal: the short form loses nothing. Method: a file of three blocks, one empty and one full,
  /// both ways.
  @Test(arguments: [ShortForm.archiveBlock, ShortForm.layerBlock]) func shortForm(block: Int) {
    let zeros = [UInt8](repeating: 0, count: block)
    var generator = SeededGenerator(state: 1)
    let file = [1, 2] + zeros.dropFirst(2) + zeros + generator.bytes(block - 1) + [7]
    let short = ShortForm.encode(file, blockByteCount: block)
    let decoded = ShortForm.decode(short.bytes, blockByteCount: block)
    #expect(decoded == file)
  }
}
