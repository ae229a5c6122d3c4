import Foundation
import TestSupport
import Testing

/// An import into several shards is killed: shard 0's index is only there with the whole timeline, and
/// the next run ends as if nothing had happened.
@Suite(.serialized) struct ShardKillTests {
  private static let shards = ["--shards", "2", "--stripe-size", "1"]
  private static let firstIndex =
    "tenants/\(Scene.tenantID)-0002/timelines/\(Scene.timelineID)/index_part.json-00000001"

  /// The output of an import without faults, and that of one with other settings.
  private static let expected = Task { try await result([]) }
  private static let uncompressed = Task { try await result(["--compression-level", "0"]) }

  private static func result(_ more: [String]) async throws -> [String: [UInt8]] {
    let scene = try Scene()
    let run = try await scene.run(with: shards + more)
    try #require(run.exitCode == 0, "\(run.error)")
    return try #require(try scene.files())
  }

  /// Goal: the program may be killed at any call. Method: SIGKILL after each call that an import makes on
  /// its output, of those before the commit after every twelfth (in a soak, each), into an empty directory
  /// and, with `--force`, over a timeline of the same names and other bytes.
  @Test(arguments: [false, true]) func atEveryCall(replaces: Bool) async throws {
    let old = replaces ? try await Self.uncompressed.value : nil
    let scene = try Scene()
    if let old { try scene.put(old) }
    let options = Self.shards + (old == nil ? [] : ["--force"])
    let undisturbed = try await scene.run([], with: options)
    try #require(undisturbed.exitCode == 0, "\(undisturbed.error)")
    let calls = try scene.calls()
    #expect(calls.count > 120, "the import makes few calls on its output")
    let commit = try #require(
      calls.firstIndex {
        $0.kind == "rename" || $0.kind == "unlink" && !$0.path.hasSuffix(".import-temp")
      })
    #expect(calls.count - commit > 20, "the commit makes few calls")
    let numbers = (1...calls.count).filter {
      Soak.isOn || $0.isMultiple(of: 12) || $0 >= commit
    }
    try await inParallel(numbers) { number in
      let fault = Fault(kind: "any", call: .number(number), action: .killAfter)
      let scene = try Scene()
      if let old { try scene.put(old) }
      let run = try await scene.run([fault], with: options)
      #expect(!run.wasKilled, "it hangs: \(fault)")
      #expect(run.signal == SIGKILL || run.exitCode == 0, "\(fault): \(run.error)")
      try await Self.checkRemains(of: scene, over: old, "\(fault)")
    }
  }

  private static func checkRemains(
    of scene: Scene, over old: [String: [UInt8]]?, _ comment: String
  ) async throws {
    let expected = try await expected.value
    let remains = try scene.files()?.withoutTemporaryFiles ?? [:]
    let timeline = remains.withoutReceipts
    let isComplete = timeline == expected.withoutReceipts
    #expect(
      isComplete || timeline == old?.withoutReceipts || timeline[firstIndex] == nil,
      "\(comment) leaves shard 0's index, and not its timeline")
    if remains[Scene.receipt] != nil {
      #expect(remains == expected || remains == old, "\(comment) leaves another's receipt")
    }
    // Without --force, only a timeline that is complete is refused: the old one, or the new one.
    let again = try await scene.run(with: shards)
    if isComplete || timeline == old?.withoutReceipts {
      #expect(again.exitCode == 2, "\(comment), and again: \(again.error)")
      #expect(try scene.files()?.withoutTemporaryFiles == remains)
    } else {
      #expect(again.exitCode == 0, "\(comment), and again: \(again.error)")
      #expect(try scene.files() == expected, "\(comment), and again, is another timeline")
    }
  }

  /// Goal: what fails leaves no index, or all of them. Method: each rename, fsync and unlink fails, and
  /// then all that follow as well.
  @Test(arguments: ["rename", "fsync"]) func failingCalls(kind: String) async throws {
    let counting = try Scene()
    _ = try await counting.run([], with: Self.shards)
    let count = try counting.calls().count { $0.kind == kind }
    #expect(count > 8)
    let expected = try await Self.expected.value.withoutReceipts
    try await inParallel(1...count) { number in
      let scene = try Scene()
      let fault = Fault(kind: kind, call: .number(number), action: .error(EIO))
      let run = try await scene.run([fault], with: Self.shards)
      let files = (try scene.files() ?? [:]).withoutTemporaryFiles.withoutReceipts
      #expect(files == expected || files.isEmpty, "\(fault): \(files.keys.sorted())")
      #expect(run.exitCode == 74 || run.exitCode == 0 && !files.isEmpty, "\(fault)")
    }
  }
}
