import Foundation
import TestSupport
import Testing

/// Imports into the same timeline directory at the same time.
@Suite(.serialized) struct TwoAtOnceTests {
  /// Goal: one wins, the others exit with 2 at once, and nothing is mixed. Method: start five; each
  /// needs two seconds once it has the lock.
  @Test func oneWins() async throws {
    let scene = try Scene()
    let delay = Fault(kind: "fsync", call: .number(1), action: .delay(milliseconds: 2000))
    let runs = try await Self.runs(5, of: scene, [delay])
    #expect(runs.count { $0.exitCode == 0 } == 1)
    for run in runs where run.exitCode != 0 {
      #expect(run.exitCode == 2)
      #expect(run.error.contains("another import is writing to"), "\(run.error)")
    }
    #expect(try scene.files() == (try await Scene.expected.value))
  }

  /// Goal: the same if imports fail and remove their directories while others lock them. Method:
  /// many rounds of two imports that fail and two that do not.
  @Test func someFail() async throws {
    let expected = try await Scene.expected.value
    for round in 0..<20 {
      let scene = try Scene()
      let failure = Fault(kind: "pwrite", call: .number(round % 4 + 1), action: .error(EIO))
      async let failed = Self.runs(2, of: scene, [failure])
      async let others = Self.runs(2, of: scene, [])
      let (failedRuns, otherRuns) = try await (failed, others)
      #expect(failedRuns.allSatisfy { [2, 73, 74].contains($0.exitCode) })
      // 73 if a directory is removed after it was created and before the next one is.
      #expect(otherRuns.allSatisfy { [0, 2, 73].contains($0.exitCode) })
      let isDone = otherRuns.contains { $0.exitCode == 0 }
      #expect(otherRuns.count { $0.exitCode == 0 } <= 1)
      // Directories may stay: the process that created one may not be the one that locked it.
      #expect(try scene.files() ?? [:] == (isDone ? expected : [:]), "round \(round)")
    }
  }

  /// Goal: imports of two timelines of one tenant do not block each other.
  @Test func neighbours() async throws {
    let scene = try Scene()
    let neighbour = ["--timeline-id", "33333333333333333333333333333333"]
    async let one = scene.run()
    async let other = scene.run(with: neighbour)
    let (first, second) = try await (one, other)
    #expect(first.exitCode == 0 && second.exitCode == 0, "\(first.error)\(second.error)")
    // The manifest of the tenant is that of both.
    #expect(try scene.files()?.count == 2 * (try await Scene.expected.value).count - 1)
  }

  private static func runs(
    _ count: Int, of scene: Scene, _ faults: [Fault]
  ) async throws -> [ProgramRun] {
    try await withThrowingTaskGroup(of: ProgramRun.self) { group in
      for _ in 0..<count { group.addTask { try await scene.run(faults) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }
}
