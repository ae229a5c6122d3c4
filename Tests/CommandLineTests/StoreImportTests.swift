import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: an import into a bucket keeps what it promises, and says in plain words why it does not begin.
/// Method: the built program, and a server within the test.
@Suite struct StoreImportTests {
  private static let index = StoredTimeline.path + "/index_part.json-00000001"
  private static let place = "s3://\(TestStore.bucket)"

  private static func run(
    _ store: WritableStore, _ more: [String] = [], ids: Bool = true,
    backup: String = StoredTimeline.backup,
    before: @escaping @Sendable (TestServer.Request) -> TestServer.Reply? = { _ in nil }
  ) async throws -> (ProgramRun, [TestServer.Request]) {
    let server = try TestServer { before($0) ?? store.answer($0) }
    let ids =
      ids
      ? ["--tenant-id", StoredTimeline.tenantID, "--timeline-id", StoredTimeline.timelineID] : []
    let words =
      [
        backup, "--output", place, "--small-relation-size", "512K", "--chunk-size", "2M", "--quiet",
      ] + ids + more
    let run = try await ProgramRun.run(words, environment: TestStore.environment(server.url))
    return (run, server.received)
  }

  /// The objects of the timeline and its tenant.
  private static func tenants(_ store: WritableStore) -> [String: [UInt8]] {
    store.objects.filter { $0.key.hasPrefix("tenants/") }
  }

  private static func expected() async throws -> [String: [UInt8]] {
    try await StoredTimeline.shared.value.files().filter { $0.key.hasPrefix("tenants/") }
  }

  /// Goal: every object is put once, with the right hashes, and only if there is none. Method: the
  /// requests; the receipt checks the copy.
  @Test func requests() async throws {
    let store = WritableStore()
    let (run, requests) = try await Self.run(store)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(Self.tenants(store) == (try await Self.expected()))
    let layers = requests.filter { $0.method == "PUT" && $0.path.contains("__") }
    #expect(layers.count == 22)
    for request in layers {
      #expect(request.headers["if-none-match"] == "*")
      #expect(request.headers["x-amz-meta-sha256"]?.count == 64)
      #expect(request.headers["x-amz-meta-sha256"] == request.headers["x-amz-content-sha256"])
      #expect(request.headers["authorization"]?.contains("x-amz-content-sha256") == true)
    }
    let names = requests.filter { $0.method == "PUT" }.map(\.path)
    let end = names.suffix(3).map { $0.components(separatedBy: "/").last ?? "" }
    #expect(end[0] == "index_part.json-00000001")
    #expect(end[1].hasSuffix(".json.sha256") && end[2].hasSuffix("00000001.json"))
    let directory = try TemporaryDirectory()
    let receipt = try #require(
      store.objects.first { $0.key.hasPrefix("receipts/") && $0.key.hasSuffix("-00000001.json") })
    try Data(receipt.value).write(to: URL(filePath: directory.path + "/receipt"))
    let server = try TestServer { store.answer($0) }
    let verified = try await ProgramRun.run(
      ["verify", Self.place + "/" + StoredTimeline.path, "--receipt", directory.path + "/receipt"],
      environment: TestStore.environment(server.url))
    #expect(verified.exitCode == 0, "\(verified.error)")
  }

  /// Goal: a run goes on with what an earlier one has sent, and removes what is not part of the timeline.
  /// Method: some layers of the timeline, with their hashes and without, and layers of other options.
  @Test(arguments: [true, false]) func resumed(keepsMetadata: Bool) async throws {
    var first = TestStore([:])
    first.keepsMetadata = keepsMetadata
    let store = WritableStore(first)
    _ = try await Self.run(store)
    let kept = Self.tenants(store).keys.filter { $0.contains("__") }.sorted().prefix(10)
    let stray =
      StoredTimeline.path + "/"
      + (kept[0].components(separatedBy: "/").last ?? "")
      .replacing("-00000001", with: "-00000000")
    store.change { bucket in
      bucket.objects = bucket.objects.filter { kept.contains($0.key) }
      bucket.objects[stray] = [1]
      bucket.objects[StoredTimeline.path + "/initdb.tar.zst"] = [2]
    }
    let (run, requests) = try await Self.run(store)
    #expect(run.exitCode == 0, "\(run.error)")
    let puts = requests.filter { $0.method == "PUT" && $0.path.contains("__") }
    #expect(puts.count == 22 - kept.count)
    var expected = try await Self.expected()
    expected[StoredTimeline.path + "/initdb.tar.zst"] = [2]
    #expect(Self.tenants(store) == expected)
  }

  /// Method: a layer of the same name and other bytes, of the same length and of another.
  @Test(arguments: [false, true]) func otherRun(isLonger: Bool) async throws {
    var bucket = TestStore([:])
    bucket.keepsMetadata = false
    let store = WritableStore(bucket)
    _ = try await Self.run(store)
    let key = try #require(store.objects.keys.filter { $0.contains("__") }.min())
    store.change { bucket in
      bucket.objects = [key: (bucket.objects[key] ?? []).reversed() + (isLonger ? [0] : [])]
    }
    let (run, _) = try await Self.run(store)
    #expect(run.exitCode == 2, "\(run.error)")
    #expect(run.error.contains("[layer-of-other-run]"), "\(run.error)")
    #expect(!run.error.contains("To go on with it"), "\(run.error)")
    #expect(store.objects[Self.index] == nil)
    #expect(store.objects[key] != nil)
    try await Self.followHint(of: run, in: store)
  }

  /// Goal: of a recovery that was interrupted the error says that no other can go on with it, and what
  /// works. Method: one without its index, and with a layer that is not the same again, as of another second.
  @Test(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
  func recoveredAgain() async throws {
    let programs = try #require(PostgresServer.programs)
    var bucket = TestStore([:])
    bucket.keepsMetadata = false
    let store = WritableStore(bucket)
    let recovering = ["--recover-with", programs] + Sandboxing.options
    let backup = Fixture.path("online-15")
    let (first, _) = try await Self.run(store, recovering, backup: backup)
    #expect(first.exitCode == 0, "\(first.error)")
    let key = try #require(store.objects.keys.filter { $0.contains("__") }.max())
    store.change { bucket in
      bucket.objects[Self.index] = nil
      bucket.objects[key] = bucket.objects[key]?.reversed()
    }
    let (run, _) = try await Self.run(store, recovering, backup: backup)
    #expect(run.exitCode == 2, "\(run.error)")
    #expect(run.error.contains("with which a recovery cannot go on"), "\(run.error)")
    #expect(!run.error.contains("another backup"), "\(run.error)")
    try await Self.followHint(of: run, in: store, recovering, backup: backup)
  }

  /// Imports again as the error of a run of generation 1 says, and expects that nothing of that generation
  /// is left.
  private static func followHint(
    of run: ProgramRun, in store: WritableStore, _ more: [String] = [],
    backup: String = StoredTimeline.backup
  ) async throws {
    #expect(run.error.contains("'--generation 2'"), "\(run.error)")
    let (again, _) = try await Self.run(store, more + ["--generation", "2"], backup: backup)
    #expect(again.exitCode == 0, "\(again.error)")
    #expect(store.objects[index.replacing("00000001", with: "00000002")] != nil)
    let left = store.objects.keys.filter { $0.contains("__") && !$0.hasSuffix("-00000002") }
    #expect(left == [])
  }

  /// Goal: an existing timeline is replaced only by a higher generation, and what was not there at the
  /// start stays. Method: imports one over the other, and objects that come or change meanwhile.
  @Test func replaced() async throws {
    let store = WritableStore()
    _ = try await Self.run(store)
    let before = store.objects
    let cases: [([String], Int32, String)] = [
      ([], 2, "[timeline-exists]"), (["--generation", "2"], 2, "[timeline-exists]"),
      (["--force"], 64, "'--generation 2'"),
      (["--dry-run"], 2, "[timeline-exists]"),
    ]
    for (more, code, word) in cases {
      let (run, requests) = try await Self.run(store, more)
      #expect(run.exitCode == code && run.error.contains(word), "\(run.error)")
      #expect(requests.allSatisfy { $0.method == "GET" })
    }
    #expect(store.objects == before)
    let young = StoredTimeline.path + "/index_part.json-00000001.young"
    let layers = before.keys.filter { $0.contains("__") }.sorted()
    let new = layers[1].replacing("-00000001", with: "-00000002")
    let higher = layers[1].replacing("-00000001", with: "-0000000b")
    store.change { bucket in
      bucket.objects[young] = [1]
      bucket.objects[higher] = [1]
    }
    let (run, _) = try await Self.run(
      store, ["--force", "--generation", "10"],
      before: { request in
        guard request.method == "PUT", request.path.contains("__") else { return nil }
        store.change { bucket in
          bucket.objects[layers[0]] = [1, 2]
          bucket.objects[new] = [1]
        }
        return nil
      })
    #expect(run.exitCode == 0, "\(run.error)")
    let kept = store.objects.keys.filter { $0.contains("__") && !$0.hasSuffix("-0000000a") }
    #expect(kept.sorted() == [layers[0], new, higher].sorted())
    #expect(store.objects[Self.index] == nil)
    #expect(store.objects[StoredTimeline.path + "/index_part.json-0000000a"] != nil)
    let receipts = store.objects.keys.filter { $0.hasPrefix("receipts/") }
    #expect(receipts.count == 2 && receipts.allSatisfy { $0.contains("-0000000a.json") })
  }

  /// Goal: stores that cannot serve a pageserver are refused. Method: one without tags, one that takes no
  /// long keys, one that ignores conditions, one that has none.
  @Test func stores() async throws {
    var bucket = TestStore([:])
    bucket.givesTags = false
    let untagged = WritableStore(bucket)
    let (refused, _) = try await Self.run(untagged)
    #expect(refused.exitCode == 69, "\(refused.error)")
    #expect(refused.error.contains("without ETag") && refused.error.contains("--keep-etag"))
    #expect(untagged.objects.isEmpty)
    let (allowed, _) = try await Self.run(untagged, ["--allow-any-store"])
    #expect(allowed.exitCode == 0, "\(allowed.error)")
    #expect(Self.tenants(untagged) == (try await Self.expected()))

    bucket = TestStore([:])
    bucket.keyLimit = 200
    let short = WritableStore(bucket)
    let (long, _) = try await Self.run(short)
    #expect(long.exitCode == 69 && long.error.contains("takes no keys of"), "\(long.error)")
    #expect(short.objects.isEmpty)

    bucket = TestStore([:])
    bucket.honoursConditions = false
    let careless = WritableStore(bucket)
    let (noted, _) = try await Self.run(careless, ["--json"])
    #expect(noted.exitCode == 0, "\(noted.error)")
    #expect(noted.outputText.contains("unconditional-store"))
    #expect(noted.error.contains("warning: the store of "), "\(noted.error)")
    #expect(Self.tenants(careless) == (try await Self.expected()))

    let old = WritableStore()
    let server = try TestServer { request in
      request.headers["if-none-match"] != nil
        ? TestStore.error(501, "NotImplemented") : old.answer(request)
    }
    let run = try await ProgramRun.run(
      [StoredTimeline.backup, "--output", Self.place, "--json"],
      environment: TestStore.environment(server.url))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.contains("unconditional-store"))
  }

  /// Goal: a busy store is not called unsuitable, and what it was tried with is removed. Method: one that
  /// is busy at each long key.
  @Test func busyProbe() async throws {
    let store = WritableStore()
    let (run, _) = try await Self.run(
      store,
      before: { request in
        request.method == "PUT" && request.path.contains("----")
          ? TestStore.error(503, "SlowDown") : nil
      })
    #expect(run.exitCode == 74 && run.error.contains("[store-busy]"), "\(run.error)")
    #expect(run.error.contains("'--uploads'") && store.objects.isEmpty, "\(run.error)")
  }

  /// Goal: of two imports for different generations one wins, with all its layers. Method: one that waits
  /// before its first index until the other has ended.
  @Test(arguments: [1, 2], [1, 2]) func generations(held: Int, shards: Int) async throws {
    let store = WritableStore()
    let isHere = Atomic<Bool>(false)
    let mayGoOn = Atomic<Bool>(false)
    let more = shards == 1 ? [] : ["--shards", "\(shards)", "--stripe-size", "8"]
    async let waiting = Self.run(
      store, more + ["--generation", "\(held)"],
      before: { request in
        if request.method == "PUT", request.path.contains("/index_part") {
          isHere.store(true, ordering: .relaxed)
          while !mayGoOn.load(ordering: .relaxed) { usleep(10_000) }
        }
        return nil
      })
    while !isHere.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(10)) }
    let (winner, _) = try await Self.run(store, more + ["--generation", "\(3 - held)"])
    let before = store.objects
    mayGoOn.store(true, ordering: .relaxed)
    let (loser, _) = try await waiting
    #expect(winner.exitCode == 0, "\(winner.error)")
    #expect(loser.exitCode == 2 && loser.error.contains("[timeline-exists]"), "\(loser.error)")
    #expect(!loser.error.contains("To go on with it"), "\(loser.error)")
    #expect(store.objects == before)
    #expect(before.keys.count { $0.contains("/index_part") } == shards)
    if held == 2 && shards == 1 {
      let named = Self.tenants(store).filter { $0.key.hasSuffix("-00000001") }
      let expected = try await Self.expected().filter { $0.key.hasSuffix("-00000001") }
      #expect(named == expected)
    }
  }

  /// Goal: a store that ignores conditions is listed before the index and after it. Method: another index
  /// appears when the last layer has been put; a layer is replaced, or removed; the index is replaced when
  /// it has been put, or a layer is removed then.
  @Test(arguments: 0..<5) func noticed(what: Int) async throws {
    var bucket = TestStore([:])
    bucket.honoursConditions = false
    let store = WritableStore(bucket)
    let server = try TestServer { request in
      let reply = store.answer(request)
      if request.method == "PUT",
        request.path.contains(what < 3 ? "tenant-manifest" : "/index_part")
      {
        store.change { bucket in
          let layer = bucket.objects.keys.filter { $0.contains("__") }.max() ?? ""
          switch what {
          case 0, 3: bucket.objects[Self.index] = [1]
          case 1: bucket.objects[layer] = bucket.objects[layer]?.reversed()
          default: bucket.objects[layer] = nil
          }
        }
      }
      return reply
    }
    let run = try await ProgramRun.run(
      [
        StoredTimeline.backup, "--output", Self.place, "--tenant-id", StoredTimeline.tenantID,
        "--timeline-id", StoredTimeline.timelineID, "--quiet",
      ], environment: TestStore.environment(server.url))
    #expect(run.exitCode == 2, "\(run.error)")
    #expect(store.objects[Self.index] == (what % 3 == 0 ? [1] : nil))
    if what == 1 { try await Self.followHint(of: run, in: store) }
  }

  /// Goal: an import that fails leaves what another may own, and nothing of what nobody else can know.
  /// Method: a backup that is cut off, with ids and without; the answer to the first layer is lost.
  @Test(arguments: [true, false]) func failed(ids: Bool) async throws {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup.tar"
    let whole = try Fixture.bytes("clean-15.tar")
    try Data(whole.prefix(whole.count * 3 / 4)).write(to: URL(filePath: backup))
    let store = WritableStore()
    let isFirst = Atomic<Bool>(true)
    let (run, requests) = try await Self.run(
      store, ids: ids, backup: backup,
      before: { request in
        guard request.method == "PUT", request.path.contains("__"),
          isFirst.exchange(false, ordering: .relaxed)
        else { return nil }
        _ = store.answer(request)
        return .cut(status: 200, body: [1, 2, 3], after: 0, reset: true)
      })
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(requests.contains { $0.method == "PUT" && $0.path.contains("__") })
    #expect(store.objects.isEmpty == !ids)
    #expect(store.objects[Self.index] == nil)
    #expect(run.error.contains("'--tenant-id \(StoredTimeline.tenantID)") == ids, "\(run.error)")
  }

  /// Goal: layers may wait in memory. Method: small ones; and sizes that do not fit.
  @Test func withoutScratch() async throws {
    let store = WritableStore()
    let (run, _) = try await Self.run(
      store,
      ["--scratch", "none", "--uploads", "2", "--image-layer-size", "16M", "--memory", "320M"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(store.objects[Self.index] != nil)
    let cases: [([String], String)] = [
      (["--scratch", "none"], "'--memory' of at least"),
      (["--scratch", "none", "--memory", "4G", "--layout", "sorted"], "'--layout sorted'"),
      (["--scratch", "none", "--recover-with", "/bin"], "'--scratch none'"),
      (["--image-layer-size", "6G"], "at most 5G"), (["--chunk-size", "6G"], "at most 5G"),
      (["--output-owner", "root"], "'--output-owner'"),
      (["--endpoint-url", "https://a.blob.core.windows.net"], "Azure"),
      (["--output", "az://a/b"], "local directory first"),
      (["--output", "s3:a/b"], "A bucket is given as s3://a/b"),
      (["--output", "S3:/a"], "A bucket is given as s3://a"),
      (["--receipt", "s3://a/b"], "A receipt is a local file"),
      (["--output", "out", "--uploads", "2"], "'--uploads'"),
      (["--output", "out", "--scratch", "none"], "'--scratch none'"),
      (["--output", "out", "--allow-any-store"], "'--allow-any-store'"),
    ]
    for (more, word) in cases {
      let (run, requests) = try await Self.run(WritableStore(), more)
      #expect(run.exitCode == 64 && run.error.contains(word), "\(more): \(run.error)")
      #expect(requests.isEmpty, "\(more)")
    }
    let (single, _) = try await Self.run(
      WritableStore(), ["--scratch", "none", "--uploads", "1"])
    #expect(single.exitCode == 64 && !single.error.contains("'--uploads'"), "\(single.error)")
    let (missing, requests) = try await Self.run(WritableStore(), ["--scratch", "/no/such"])
    #expect(missing.exitCode == 73, "\(missing.error)")
    #expect(missing.error.contains("scratch directory '/no/such' does not exist"))
    #expect(requests.isEmpty)
    for output in [Self.place, "out"] {
      let run = try await ProgramRun.run(
        [StoredTimeline.backup, "--output", output, "--recover-with", "/bin"],
        environment: ["IMPORT_BACKUP_SCRATCH": "none"])
      #expect(run.exitCode == 64, "\(run.error)")
      #expect(run.error.contains("variable IMPORT_BACKUP_SCRATCH=none cannot"), "\(run.error)")
    }
  }

  /// Goal: a signal before the index leaves none, and one during it changes nothing. Method: SIGTERM at the
  /// first layer, and at the index.
  @Test(arguments: [true, false]) func interrupted(isEarly: Bool) async throws {
    let store = WritableStore()
    let process = Atomic<Int32>(0)
    let server = try TestServer { request in
      let name = isEarly ? "__" : "index_part"
      if request.method == "PUT", request.path.contains(name) {
        kill(process.load(ordering: .relaxed), SIGTERM)
        usleep(300_000)
      }
      return store.answer(request)
    }
    let run = try await ProgramRun.run(
      [
        StoredTimeline.backup, "--output", Self.place, "--tenant-id", StoredTimeline.tenantID,
        "--timeline-id", StoredTimeline.timelineID, "--quiet",
      ], environment: TestStore.environment(server.url)
    ) { process.store($0, ordering: .relaxed) }
    #expect(run.exitCode == (isEarly ? 143 : 0), "\(run.error)")
    #expect((store.objects[Self.index] == nil) == isEarly)
  }
}
