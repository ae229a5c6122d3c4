import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: shards that several imports have sent to a bucket become a timeline at once, or not at all.
/// Method: a server within the test; each shard is imported by a run of its own.
@Suite(.serialized) struct StorePublishTests {
  static let shards = ["--shards", "2", "--stripe-size", "1"]
  static func index(_ shard: Int, _ generation: Int = 1) -> String {
    "tenants/\(Scene.tenantID)-0\(shard)02/timelines/\(Scene.timelineID)/index_part.json-0000000\(generation)"
  }
  /// The key of an index that waits.
  static func pending(_ shard: Int, _ generation: Int = 1) -> String {
    "pre/pending/\(Scene.tenantID)-0\(shard)02/\(Scene.timelineID)/index_part.json-0000000\(generation)"
  }
  private static let tenant = "s3://\(TestStore.bucket)/pre/tenants/\(Scene.tenantID)"

  /// What one import to disk writes.
  static let expected = Task {
    let scene = try Scene()
    let run = try await scene.run(with: shards)
    try #require(run.exitCode == 0, "\(run.error)")
    return try #require(try scene.files()).withoutReceipts
  }

  /// The bucket when all shards wait.
  private static let waiting = Task {
    let scene = try StoreScene()
    for shard in ["0", "1"] {
      let run = try await scene.run(shards + ["--only-shards", shard])
      try #require(run.exitCode == 0, "\(run.error)")
    }
    var store = TestStore([:])
    scene.store.change { store = $0 }
    return store
  }

  static func scene() async throws -> StoreScene { try StoreScene(try await waiting.value) }

  /// Publishes the shards; `reply` answers a request instead of the store.
  static func publish(
    _ scene: StoreScene,
    reply: @escaping @Sendable (TestServer.Request) -> TestServer.Reply? = { _ in nil },
    started: (@Sendable (Int32) -> Void)? = nil
  ) async throws -> ProgramRun {
    let server = try TestServer { request in reply(request) ?? scene.store.answer(request) }
    return try await ProgramRun.run(
      ["publish", tenant, "--json"], environment: TestStore.environment(server.url),
      started: started)
  }

  /// Waits for something that is done while a request is held.
  static func wait(_ body: @escaping @Sendable () async throws -> Void) {
    let isDone = DispatchSemaphore(value: 0)
    Task {
      await #expect(throws: Never.self) { try await body() }
      isDone.signal()
    }
    isDone.wait()
  }

  static func isPut(_ request: TestServer.Request, of key: String) -> Bool {
    request.method == "PUT" && request.path.hasSuffix(key)
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
      return nil
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
      let run = try await Self.publish(scene) { request in
        guard Self.isChange(request), next.add(1, ordering: .relaxed).oldValue == number else {
          return nil
        }
        let reply = isBefore ? .silence : scene.store.answer(request)
        kill(process.load(ordering: .relaxed), SIGKILL)
        return reply
      } started: {
        process.store($0, ordering: .relaxed)
      }
      #expect(run.signal == SIGKILL || run.exitCode == 0, "\(run.error)")
      try await Self.check(scene, "killed at change \(number), before it: \(isBefore)")
    }
  }

  /// Goal: what a complete timeline cannot be rid of, and a store that ignores conditions, are warnings, and the next
  /// publication removes what waits. Method: DELETE is forbidden but for what the store is tried with.
  @Test func warnings() async throws {
    let scene = try await Self.scene()
    scene.store.change { $0.honoursConditions = false }
    let run = try await Self.publish(scene) { request in
      request.method == "DELETE" && Self.isChange(request)
        ? TestStore.error(403, "AccessDenied") : nil
    }
    #expect(run.exitCode == 0, "\(run.error)")
    for code in ["unconditional-store", "remains-not-removed"] {
      #expect(run.outputText.contains("\"code\":\"\(code)\""), "\(run.outputText)")
    }
    #expect(run.error.contains("warning: the store of 's3://\(TestStore.bucket)/pre'"))
    let warning =
      "warning: the timeline is complete, but what it no longer needs could not be removed: "
    #expect(run.error.contains(warning), "\(run.error)")
    let waiting = scene.timeline.keys.filter { $0.hasPrefix("pending/") }
    #expect(waiting.count == 4 && waiting.contains { run.error.contains($0) }, "\(run.error)")
    let again = try await Self.publish(scene)
    #expect(again.exitCode == 0 && again.outputText.contains("\"warnings\":[]"), "\(again.error)")
    #expect(scene.timeline == (try await Self.expected.value))
  }

  /// Goal: an import of a shard can be killed when it puts its index, and run again. Method: SIGKILL before
  /// the PUT is done, and after; then the same import, and a publication.
  @Test(arguments: [true, false]) func killedImport(isBefore: Bool) async throws {
    let scene = try await Self.scene()
    let index = Self.pending(1)
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

  /// Goal: a publication gives way to whoever else writes to the timeline, and takes away all that it has put.
  /// Method: at shard 1's index or at shard 0's, another index appears, or a layer disappears or is replaced.
  @Test(arguments: 0..<6) func givesWay(what: Int) async throws {
    let scene = try await Self.scene()
    let place = StoreScene.prefix + Self.index(what % 2)
    let run = try await Self.publish(scene) { request in
      guard Self.isPut(request, of: place) else { return nil }
      let reply = scene.store.answer(request)
      scene.store.change { bucket in
        let layer = bucket.objects.keys.filter { $0.contains("__") }.max() ?? ""
        switch what / 2 {
        case 0: bucket.objects[StoreScene.prefix + Self.index(0, 2)] = [1]
        case 1: bucket.objects[layer] = nil
        default: bucket.objects[layer]?[0] ^= 1
        }
      }
      return reply
    }
    #expect(run.exitCode == 2, "\(run.error)")
    #expect(
      run.error.contains(what < 2 ? "[timeline-busy]" : "[layer-of-other-run]"), "\(run.error)")
    #expect(scene.timeline[Self.index(0)] == nil)
    #expect(scene.timeline[Self.index(1)] == nil)
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
      if Self.isPut(request, of: index) {
        Self.wait {
          let run = try await Self.publish(scene)
          #expect(run.exitCode == 0, "\(run.error)")
        }
      }
      return scene.store.answer(request)
    }
    let run = try await scene.run(server, more)
    #expect(run.exitCode == 2 && run.error.contains("[timeline-exists]"), "\(run.error)")
    let published = scene.timeline
    #expect(published[index] == nil)
    for (name, bytes) in try await Self.expected.value { #expect(published[name] == bytes) }
  }
}
