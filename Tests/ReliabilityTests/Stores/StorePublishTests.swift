import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: shards that several imports have sent to a bucket become a timeline at once, or not at all.
/// Method: a server within the test; each shard is imported by a run of its own.
@Suite(.serialized) struct StorePublishTests {
  private static let shards = ["--shards", "2", "--stripe-size", "1"]
  private static func index(_ shard: Int, _ generation: Int = 1) -> String {
    "tenants/\(Scene.tenantID)-0\(shard)02/timelines/\(Scene.timelineID)/index_part.json-0000000\(generation)"
  }
  private static let tenant = "s3://\(TestStore.bucket)/pre/tenants/\(Scene.tenantID)"

  /// What one import to disk writes.
  private static let expected = Task {
    let scene = try Scene()
    let run = try await scene.run(with: shards)
    try #require(run.exitCode == 0, "\(run.error)")
    return try #require(try scene.files()).withoutReceipts
  }

  /// The objects when all shards wait.
  private static let waiting = Task {
    let scene = try StoreScene()
    for shard in ["0", "1"] {
      let run = try await scene.run(shards + ["--only-shards", shard])
      try #require(run.exitCode == 0, "\(run.error)")
    }
    return scene.store.objects
  }

  private static func scene() async throws -> StoreScene {
    try StoreScene(TestStore(try await waiting.value))
  }

  /// Publishes the shards, and calls `before` and `after` each request.
  private static func publish(
    _ scene: StoreScene, before: @escaping @Sendable (TestServer.Request) -> Void = { _ in },
    after: @escaping @Sendable (TestServer.Request) -> Void = { _ in },
    started: (@Sendable (Int32) -> Void)? = nil
  ) async throws -> ProgramRun {
    let server = try TestServer { request in
      before(request)
      let reply = scene.store.answer(request)
      after(request)
      return reply
    }
    return try await ProgramRun.run(
      ["publish", tenant, "--json"], environment: TestStore.environment(server.url),
      started: started)
  }

  /// Checks that shard 0 has an index only with the whole timeline, and that a publication completes it.
  private static func check(_ scene: StoreScene, _ comment: String) async throws {
    let expected = try await expected.value
    let remains = scene.timeline
    if remains[index(0)] != nil {
      for (name, bytes) in expected {
        #expect(remains[name] == bytes, "\(comment): \(name) differs or is missing")
      }
    }
    let again = try await publish(scene)
    #expect(again.exitCode == 0, "\(comment), and again: \(again.error)")
    #expect(scene.timeline == expected, "\(comment), and again, is another timeline")
  }

  /// Whether a request changes something that stays.
  private static func isChange(_ request: TestServer.Request) -> Bool {
    ["PUT", "DELETE"].contains(request.method) && !request.path.contains("import-probe-")
  }

  /// Method: SIGKILL at each change that a publication makes, before it is done and after.
  @Test func killedAtEveryChange() async throws {
    let counted = try await Self.scene()
    let count = Atomic<Int>(0)
    let run = try await Self.publish(counted) { request in
      if Self.isChange(request) { count.add(1, ordering: .relaxed) }
    }
    try #require(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.contains("\"publishedShardCount\":2"))
    #expect(counted.timeline == (try await Self.expected.value))
    let total = count.load(ordering: .relaxed)
    #expect(total == 8)
    try await inParallel((0..<total).flatMap { [($0, true), ($0, false)] }) { number, isBefore in
      let scene = try await Self.scene()
      let process = Atomic<Int32>(0)
      let next = Atomic<Int>(0)
      let strike: @Sendable (TestServer.Request) -> Void = { request in
        guard Self.isChange(request), next.add(1, ordering: .relaxed).oldValue == number else {
          return
        }
        kill(process.load(ordering: .relaxed), SIGKILL)
      }
      let run = try await Self.publish(
        scene, before: { if isBefore { strike($0) } }, after: { if !isBefore { strike($0) } },
        started: { process.store($0, ordering: .relaxed) })
      #expect(run.signal == SIGKILL || run.exitCode == 0, "\(run.error)")
      try await Self.check(scene, "killed at change \(number), before it: \(isBefore)")
    }
  }

  /// Goal: an import of a shard can be killed when it puts its index, and run again. Method: SIGKILL before
  /// the PUT is done, and after; then the same import, and a publication.
  @Test(arguments: [true, false]) func killedImport(isBefore: Bool) async throws {
    let scene = try await Self.scene()
    let index = "pre/pending/\(Scene.tenantID)-0102/\(Scene.timelineID)/index_part.json-00000001"
    scene.store.change { bucket in bucket.objects[index] = nil }
    let process = Atomic<Int32>(0)
    let server = try TestServer { request in
      let isHere = request.method == "PUT" && request.path.hasSuffix(index)
      let reply = isHere && isBefore ? .silence : scene.store.answer(request)
      if isHere { kill(process.load(ordering: .relaxed), SIGKILL) }
      return reply
    }
    let more = Self.shards + ["--only-shards", "1"]
    let run = try await scene.run(server, more) { process.store($0, ordering: .relaxed) }
    #expect(run.signal == SIGKILL, "\(run.error)")
    #expect((scene.store.objects[index] == nil) == isBefore)
    if isBefore {
      let early = try await Self.publish(scene)
      #expect(early.exitCode == 65 && early.error.contains("[shard-missing]"), "\(early.error)")
    }
    let again = try await scene.run(more)
    #expect(again.exitCode == 0, "\(again.error)")
    #expect(scene.timeline.keys.allSatisfy { !$0.hasPrefix("tenants/") || !$0.contains("index_") })
    try await Self.check(scene, "killed import")
  }

  /// Goal: a publication gives way to whoever else writes to the timeline, and shard 0 has no index then.
  /// Method: at shard 1's index or at shard 0's, another index appears, or a layer disappears; and an index
  /// of an import that has not ended.
  @Test(arguments: 0..<5) func givesWay(what: Int) async throws {
    let scene = try await Self.scene()
    let place = StoreScene.prefix + Self.index(what % 2)
    if what == 4 {
      let server = try TestServer { scene.store.answer($0) }
      // As a whole import would.
      let whole = try await scene.run(server, Self.shards + ["--dry-run"])
      #expect(whole.exitCode == 0, "\(whole.error)")
      scene.store.change { bucket in
        bucket.objects[StoreScene.prefix + Self.index(1)] = [1]
      }
    }
    let run = try await Self.publish(
      scene,
      after: { request in
        guard what < 4, request.method == "PUT", request.path.hasSuffix(place) else { return }
        scene.store.change { bucket in
          if what < 2 {
            bucket.objects[StoreScene.prefix + Self.index(0, 2)] = [1]
          } else {
            let layer = bucket.objects.keys.filter { $0.contains("__") }.max() ?? ""
            bucket.objects[layer] = nil
          }
        }
      })
    #expect([2, 65].contains(run.exitCode), "\(run.error)")
    let code = what == 4 ? "[index-damaged]" : what < 2 ? "[timeline-busy]" : "[layer-of-other-run]"
    #expect(run.error.contains(code), "\(run.error)")
    #expect(scene.timeline[Self.index(0)] == nil)
    #expect(scene.timeline.keys.count { $0.hasPrefix("pending/") } == 4)
  }

  /// Goal: an import gives way to a publication, and removes nothing of it; a publication leaves what is of a
  /// higher generation. Method: an import for generation 2 that waits before its index while generation 1 is
  /// published; and one that has ended before.
  @Test(arguments: [true, false]) func importedMeanwhile(isHeld: Bool) async throws {
    let scene = try await Self.scene()
    let more = Self.shards + ["--only-shards", "1", "--generation", "2"]
    let index = "pending/\(Scene.tenantID)-0102/\(Scene.timelineID)/index_part.json-00000002"
    if !isHeld {
      let run = try await scene.run(more)
      #expect(run.exitCode == 0, "\(run.error)")
      let published = try await Self.publish(scene)
      #expect(published.exitCode == 65, "\(published.error)")
      #expect(published.error.contains("[shards-differ]"), "\(published.error)")
      let older = try await scene.run(Self.shards + ["--only-shards", "1"])
      #expect(older.exitCode == 64 && older.error.contains("'--generation 2'"), "\(older.error)")
      let other = try await scene.run(
        Self.shards + ["--only-shards", "0", "--generation", "2"])
      #expect(other.exitCode == 0, "\(other.error)")
      let complete = try await Self.publish(scene)
      #expect(complete.exitCode == 0, "\(complete.error)")
      let expected = try await Self.expected.value.map {
        ($0.key.replacing("-00000001", with: "-00000002"), $0.value.count)
      }
      // The indexes say the generation as well.
      #expect(
        scene.timeline.mapValues(\.count) == Dictionary(uniqueKeysWithValues: expected))
      return
    }
    let server = try TestServer { request in
      if request.method == "PUT", request.path.hasSuffix(index) {
        let isDone = DispatchSemaphore(value: 0)
        Task {
          let run = try await Self.publish(scene)
          #expect(run.exitCode == 0, "\(run.error)")
          isDone.signal()
        }
        isDone.wait()
      }
      return scene.store.answer(request)
    }
    let run = try await scene.run(server, more)
    #expect(run.exitCode == 2 && run.error.contains("[timeline-exists]"), "\(run.error)")
    #expect(!run.error.contains("--force"), "\(run.error)")
    let published = scene.timeline
    #expect(published[index] == nil)
    for (name, bytes) in try await Self.expected.value { #expect(published[name] == bytes) }
  }
}
