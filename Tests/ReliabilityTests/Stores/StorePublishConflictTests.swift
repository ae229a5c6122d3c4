import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: of those who write to one timeline at once, none takes away what another has put and reported, and
/// each error says what helps. Method: one is held at a request while another does all of its work.
extension StorePublishTests {
  private static func only(_ shard: Int, _ generation: Int = 1) -> [String] {
    shards + ["--only-shards", "\(shard)", "--generation", "\(generation)"]
  }

  private static func hasExpected(_ scene: StoreScene) async throws -> Bool {
    let found = scene.timeline
    return try await expected.value.allSatisfy { found[$0.key] == $0.value }
  }

  /// Method: two publications; the first is held at shard 1's index or at shard 0's, until the second has ended and
  /// a pageserver has written an index.
  /// Without conditions, what is put at the very moment of a PUT is not noticed.
  @Test(arguments: [
    (1, true, true), (0, true, true), (1, false, true), (0, false, true), (1, true, false),
  ])
  func publishedTwice(shard: Int, keepsMarks: Bool, honoursConditions: Bool) async throws {
    let scene = try await Self.scene()
    scene.store.change { store in
      store.keepsMetadata = keepsMarks
      store.honoursConditions = honoursConditions
    }
    let run = try await Self.publish(scene) { request in
      if Self.isPut(request, of: Self.index(shard)) {
        Self.wait {
          let other = try await Self.publish(scene)
          #expect(other.exitCode == 0, "\(other.error)")
        }
        scene.store.change { $0.objects[StoreScene.prefix + Self.index(1, 2)] = [1] }
      }
      return nil
    }
    #expect(run.exitCode == 2 && run.error.contains("another publication"), "\(run.error)")
    #expect(try await Self.hasExpected(scene))
  }

  /// Method: the tenant has a manifest with another stripe size, at the start or when one is to be put; and in
  /// a directory.
  @Test(arguments: 0..<3) func otherStripeSize(when: Int) async throws {
    let manifest = "tenants/\(Scene.tenantID)-0102/tenant-manifest-00000001.json"
    func other(_ bytes: [UInt8]?) throws -> [UInt8] {
      let text = String(decoding: try #require(bytes), as: UTF8.self)
      let changed = text.replacing("\"stripe_size\":1", with: "\"stripe_size\":2")
      try #require(changed != text)
      return Array(changed.utf8)
    }
    let run: ProgramRun
    if when == 2 {
      let scene = try Scene()
      for shard in 0...1 {
        let run = try await scene.run(with: Self.only(shard))
        #expect(run.exitCode == 0, "\(run.error)")
      }
      let waiting =
        "pending/\(Scene.tenantID)-0102/\(Scene.timelineID)/tenant-manifest-00000001.json"
      let bytes = try #require(FileManager.default.contents(atPath: scene.output + "/" + waiting))
      try Data(try other(Array(bytes))).write(
        to: URL(filePath: scene.output + "/" + manifest))
      run = try await ProgramRun.run(["publish", scene.output + "/tenants/\(Scene.tenantID)"])
      #expect(!FileManager.default.fileExists(atPath: scene.output + "/" + Self.index(1)))
    } else {
      let scene = try await Self.scene()
      let waiting =
        "pre/pending/\(Scene.tenantID)-0102/\(Scene.timelineID)/tenant-manifest-00000001.json"
      let bytes = try other(scene.store.objects[waiting])
      let put: @Sendable () -> Void = {
        scene.store.change { $0.objects[StoreScene.prefix + manifest] = bytes }
      }
      if when == 0 { put() }
      run = try await Self.publish(scene) { request in
        if when == 1, Self.isPut(request, of: manifest) { put() }
        return nil
      }
      #expect(scene.timeline[Self.index(1)] == nil && scene.timeline[Self.index(0)] == nil)
    }
    #expect(run.exitCode == 65 && run.error.contains("[stripe-size-differs]"), "\(run.error)")
  }

  /// Goal: an interrupted publication is completed, and nothing else can be begun before that. Method: a
  /// publication is killed at shard 0's index; imports of both shards for the next generation, and of all.
  @Test func interrupted() async throws {
    let scene = try await Self.scene()
    let process = Atomic<Int32>(0)
    let killed = try await Self.publish(scene) { request in
      guard Self.isPut(request, of: Self.index(0)) else { return nil }
      kill(process.load(ordering: .relaxed), SIGKILL)
      return .silence
    } started: {
      process.store($0, ordering: .relaxed)
    }
    #expect(killed.signal == SIGKILL, "\(killed.error)")
    for shard in 0...1 {
      let run = try await scene.run(Self.only(shard, 2))
      #expect(run.exitCode == 2 && run.error.contains("'import-backup publish'"), "\(run.error)")
    }
    let run = try await scene.run(Self.shards)
    #expect(run.exitCode == 2 && run.error.contains("wait to be published"), "\(run.error)")
    let publication = try await Self.publish(scene)
    #expect(publication.exitCode == 0, "\(publication.error)")
    #expect(scene.timeline == (try await Self.expected.value))
  }

  /// Goal: an import for a higher generation and a publication do not both end well. Method: the import does
  /// all of its work while the publication is held at its first index.
  @Test func newerMeanwhile() async throws {
    let scene = try await Self.scene()
    let run = try await Self.publish(scene) { request in
      if Self.isPut(request, of: Self.index(1)) {
        Self.wait {
          let other = try await scene.run(Self.only(1, 2))
          #expect(other.exitCode == 0, "\(other.error)")
        }
      }
      return nil
    }
    #expect(run.exitCode == 2 && run.error.contains("[timeline-busy]"), "\(run.error)")
    #expect(scene.timeline[Self.index(1)] == nil && scene.timeline[Self.index(0)] == nil)
    #expect(scene.store.objects[Self.pending(1, 2)] != nil)
  }

  /// Goal: what waits for a higher generation is not passed over, and the hint works.
  @Test func newerWaits() async throws {
    let scene = try await Self.scene()
    let first = try await Self.publish(scene)
    #expect(first.exitCode == 0, "\(first.error)")
    scene.store.change { $0.objects[Self.pending(1, 2)] = $0.objects["pre/" + Self.index(1)] }
    let run = try await Self.publish(scene)
    #expect(run.exitCode == 65 && run.error.contains("[shards-differ]"), "\(run.error)")
    #expect(run.error.contains("remove that object"), "\(run.error)")
    scene.store.change { $0.objects[Self.pending(1, 2)] = nil }
    let again = try await Self.publish(scene)
    #expect(again.exitCode == 0, "\(again.error)")
  }

  /// Goal: an import succeeds if its shard is published before it ends, and takes nothing away. Method: a publication
  /// does all of its work, or is killed after its first index, when the import has put its index.
  @Test(arguments: [true, false]) func publishedMeanwhile(isKilled: Bool) async throws {
    let scene = try await Self.scene()
    scene.store.change { $0.objects[Self.pending(1)] = nil }
    let server = try TestServer { request in
      let reply = scene.store.answer(request)
      if Self.isPut(request, of: Self.pending(1)) {
        Self.wait {
          let process = Atomic<Int32>(0)
          let other = try await Self.publish(scene) { request in
            guard isKilled, Self.isPut(request, of: Self.index(0)) else { return nil }
            kill(process.load(ordering: .relaxed), SIGKILL)
            return .silence
          } started: {
            process.store($0, ordering: .relaxed)
          }
          #expect(isKilled ? other.signal == SIGKILL : other.exitCode == 0, "\(other.error)")
        }
      }
      return reply
    }
    let run = try await scene.run(server, Self.only(1))
    #expect(run.exitCode == 0, "\(run.error)")
    let again = try await Self.publish(scene)
    #expect(again.exitCode == 0, "\(again.error)")
    #expect(scene.timeline == (try await Self.expected.value))
  }

  /// Goal: shards that wait are replaced only with '--force' and a higher generation; and what cannot go with
  /// them is refused at the start.
  @Test func replaced() async throws {
    let scene = try await Self.scene()
    let other = try await scene.run([
      "--shards", "2", "--stripe-size", "2", "--only-shards", "1",
    ])
    #expect(other.exitCode == 65 && other.error.contains("[stripe-size-differs]"), "\(other.error)")
    let refused = try await scene.run(Self.shards)
    #expect(
      refused.exitCode == 2 && refused.error.contains("[timeline-exists]"), "\(refused.error)")
    let same = try await scene.run(Self.shards + ["--force"])
    #expect(same.exitCode == 64 && same.error.contains("'--generation 2'"), "\(same.error)")
    let run = try await scene.run(Self.shards + ["--force", "--generation", "2"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(scene.timeline.keys.allSatisfy { !$0.hasPrefix("pending/") })
    #expect(scene.timeline.keys.allSatisfy { !$0.hasSuffix("__") && !$0.contains("-00000001") })
    let publication = try await Self.publish(scene)
    #expect(publication.exitCode == 0, "\(publication.error)")
    #expect(publication.outputText.contains("\"publishedShardCount\":0"))
  }

  /// Goal: what an import of all shards has put that has not ended is not taken for a publication's. Method: one that
  /// is killed before shard 0's index, from the same backup as the shards that wait.
  @Test func killedWhole() async throws {
    let waiting = try await Self.scene().store.objects
    let scene = try StoreScene()
    let process = Atomic<Int32>(0)
    let server = try TestServer { request in
      guard Self.isPut(request, of: Self.index(0)) else { return scene.store.answer(request) }
      kill(process.load(ordering: .relaxed), SIGKILL)
      return .silence
    }
    let killed = try await scene.run(server, Self.shards) { process.store($0, ordering: .relaxed) }
    #expect(killed.signal == SIGKILL, "\(killed.error)")
    scene.store.change { $0.objects.merge(waiting) { old, _ in old } }
    let before = scene.timeline
    #expect(before[Self.index(1)] != nil)
    let run = try await Self.publish(scene)
    #expect(run.exitCode == 2 && run.error.contains("[timeline-busy]"), "\(run.error)")
    #expect(scene.timeline == before)
  }

  /// Goal: an import of all shards that loses takes away what it has put, and nothing else. Method: another index of
  /// shard 0 appears after its own of shard 1.
  @Test func wholeGivesWay() async throws {
    let scene = try StoreScene()
    let server = try TestServer { request in
      if Self.isPut(request, of: Self.index(1)) {
        scene.store.change { $0.objects["pre/" + Self.index(0)] = [1] }
      }
      return scene.store.answer(request)
    }
    let run = try await scene.run(server, Self.shards)
    #expect(run.exitCode == 2 && run.error.contains("[timeline-exists]"), "\(run.error)")
    #expect(scene.timeline[Self.index(1)] == nil && scene.timeline[Self.index(0)] == [1])
  }

  /// Goal: the reason is not lost if what was put cannot be taken away again. Method: DELETE is forbidden.
  @Test func cannotGiveWay() async throws {
    let scene = try await Self.scene()
    let run = try await Self.publish(scene) { request in
      if request.method == "DELETE", request.path.contains("index_part") {
        return TestStore.error(403, "AccessDenied")
      }
      guard Self.isPut(request, of: Self.index(0)) else { return nil }
      scene.store.change { $0.objects["pre/" + Self.index(1, 2)] = [1] }
      return nil
    }
    #expect(run.exitCode == 2 && run.error.contains("[timeline-busy]"), "\(run.error)")
    #expect(run.error.contains("could not be removed again"), "\(run.error)")
    #expect(run.error.contains("'--force'"), "\(run.error)")
  }
}
