import Foundation
import Synchronization
import TestSupport
import Testing

/// The program is killed: it leaves a complete timeline or no index, a receipt only of a complete
/// timeline, and the next run ends as if nothing had happened.
@Suite(.serialized) struct KillTests {
  /// Goal: the program may be killed at any call. Method: SIGKILL after each call that an import makes on
  /// its output; what it leaves before the next call is the same.
  @Test func atEveryCall() async throws {
    try await Self.killAtEveryCall(over: nil)
  }

  /// Goal: the same if the import replaces a timeline: the old one or the new one is complete, or
  /// there is no index. Method: as above, over a timeline of the same names and other bytes.
  @Test func atEveryCallOverAnotherTimeline() async throws {
    try await Self.killAtEveryCall(over: try await Scene.uncompressed.value)
  }

  /// Goal: the same at any other moment. Method: SIGKILL at random moments, with a fixed seed, of the time that
  /// an import takes here; 40 of them, 700 with `IMPORT_BACKUP_SOAK`.
  @Test func atAnyMoment() async throws {
    try await Self.killAtRandom(count: Soak.isOn ? 700 : 40)
  }

  static func killAtEveryCall(over old: [String: [UInt8]]?) async throws {
    let scene = try Scene()
    if let old { try scene.put(old) }
    let undisturbed = try await scene.run([], with: old == nil ? [] : ["--force"])
    try #require(undisturbed.exitCode == 0, "\(undisturbed.error)")
    let callCount = try scene.calls().count
    #expect(callCount > 70, "the import makes few calls on its output")
    try await inParallel(1...callCount) { number in
      let fault = Fault(kind: "any", call: .number(number), action: .killAfter)
      let scene = try Scene()
      if let old { try scene.put(old) }
      let run = try await scene.run([fault], with: old == nil ? [] : ["--force"])
      #expect(!run.wasKilled, "it hangs: \(fault)")
      // The number of calls may differ by a few, as reads depend on what was written before.
      #expect(run.signal == SIGKILL || run.exitCode == 0, "\(fault): \(run.error)")
      try await Self.checkRemains(of: scene, over: old, "\(fault)")
    }
  }

  static func killAtRandom(count: Int) async throws {
    var generator = SeededGenerator(state: 7)
    var shortest = Duration.seconds(60)
    for _ in 1...3 {
      let scene = try Scene()
      let start = ContinuousClock.now
      #expect(try await scene.run().exitCode == 0)
      shortest = min(shortest, ContinuousClock.now - start)
    }
    let duration = shortest
    let killCount = Mutex(0)
    let parts = (0..<count).map { _ in Double.random(in: 0..<1, using: &generator) }
    try await inParallel(parts) { part in
      let scene = try Scene()
      let run = try await scene.run(timeLimit: duration * part)
      if run.wasKilled { killCount.withLock { $0 += 1 } }
      try await Self.checkRemains(of: scene, over: nil, "killed after \(duration * part)")
    }
    #expect(killCount.withLock { $0 } > 0, "every import ended before it was killed")
  }

  /// Checks the remains of a killed run, runs again, and checks the result.
  private static func checkRemains(
    of scene: Scene, over old: [String: [UInt8]]?, _ comment: String
  ) async throws {
    let expected = try await Scene.expected.value
    let remains = try scene.files()?.withoutTemporaryFiles ?? [:]
    let timeline = remains.withoutReceipts
    let isComplete = timeline == expected.withoutReceipts
    #expect(
      isComplete || timeline == old?.withoutReceipts || timeline[Scene.index] == nil,
      "\(comment) leaves an index, and not its timeline")
    if remains[Scene.receipt] != nil {
      #expect(
        remains == expected || remains == old, "\(comment) leaves a receipt of another timeline")
    }

    if isComplete {
      let refused = try await scene.run()
      #expect(refused.exitCode == 2, "\(comment), and again: \(refused.error)")
      #expect(try scene.files()?.withoutTemporaryFiles == remains)
    }
    if !isComplete || old != nil {
      let again = try await scene.run(with: old == nil ? [] : ["--force"])
      #expect(again.exitCode == 0, "\(comment), and again: \(again.error)")
      #expect(try scene.files() == expected, "\(comment), and again, is another timeline")
    }
  }
}
