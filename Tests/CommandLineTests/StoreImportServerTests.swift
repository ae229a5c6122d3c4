import Foundation
import TestSupport
import Testing

/// Goal: the timeline that an import writes to a real object store is the one that it writes to disk, byte
/// for byte. Method: both, with the same ids; the objects are fetched by curl.
@Suite(
  .enabled(if: StoreServer.areInstalled, "'make deps stores' installs the servers"), .serialized)
struct StoreImportServerTests {
  private static let stores: [StoreServer.Kind] = [.ceph, .juicefs]
  private static let ids = [
    "--tenant-id", StoredTimeline.tenantID, "--timeline-id", StoredTimeline.timelineID, "--quiet",
  ]

  /// The objects of a bucket below `tenants` and `pending`, by key.
  private static func objects(
    _ server: StoreServer, _ bucket: String
  ) throws -> [String: [UInt8]] {
    let directory = try TemporaryDirectory(inMemory: true)
    try server.download(bucket, to: directory.path + "/out")
    return try timeline(directory)
  }

  private static func timeline(_ directory: TemporaryDirectory) throws -> [String: [UInt8]] {
    try directory.files().filter { !$0.key.contains("/receipts/") }
  }

  private static let layouts: [(name: String, options: [String])] = [
    ("plain", ["--small-relation-size", "512K", "--chunk-size", "2M"]),
    ("sorted", ["--layout", "sorted"]),
    // L0s are taken back, and read back from the store.
    ("auto", ["--chunk-size", "1M", "--compression-level", "0", "--small-relation-size", "1G"]),
    ("shards", ["--shards", "3", "--stripe-size", "8"]),
  ]

  @Test(arguments: stores, layouts.indices) func sameAsOnDisk(
    kind: StoreServer.Kind, number: Int
  ) async throws {
    let server = try await StoreServer.shared(kind)
    let (name, options) = Self.layouts[number]
    let bucket = "import-\(name)"
    try server.make(bucket)
    let directory = try TemporaryDirectory(inMemory: true)
    let onDisk = try await ProgramRun.run(
      [StoredTimeline.backup, "--output", directory.path + "/out"] + Self.ids + options)
    try #require(onDisk.exitCode == 0, "\(onDisk.error)")
    let run = try await ProgramRun.run(
      [StoredTimeline.backup, "--output", "s3://\(bucket)", "--scratch", directory.path]
        + ["--uploads", number == 0 ? "1" : "4"] + Self.ids + options,
      environment: server.environment)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try Self.objects(server, bucket) == Self.timeline(directory))
    let verified = try await ProgramRun.run(
      [
        "verify", "s3://\(bucket)/tenants/\(StoredTimeline.tenantID)", "--against",
        StoredTimeline.backup,
      ], environment: server.environment)
    #expect(verified.exitCode == 0, "\(verified.error)")

    // And again: it is there; and over it; and what is left is one timeline.
    let again = try await ProgramRun.run(
      [StoredTimeline.backup, "--output", "s3://\(bucket)"] + Self.ids + options,
      environment: server.environment)
    #expect(again.exitCode == 2, "\(again.error)")
    guard name == "shards" else { return }
    let over = try await ProgramRun.run(
      [StoredTimeline.backup, "--output", "s3://\(bucket)", "--force", "--generation", "2"]
        + Self.ids + options, environment: server.environment)
    #expect(over.exitCode == 0, "\(over.error)")
    let names = try Self.objects(server, bucket).keys
    #expect(names.filter { $0.hasSuffix("-00000001") } == [])
    #expect(names.count { $0.contains("index_part.json-00000002") } == 3)
  }

  /// Goal: a run that is killed is completed by the next. Method: some of the objects, without hashes.
  @Test(arguments: stores) func resumed(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let timeline = try await StoredTimeline.shared.value
    let directory = try TemporaryDirectory(inMemory: true)
    let part = directory.path + "/" + StoredTimeline.path
    _ = try Shell.output(
      "bash", "-c",
      "mkdir -p '\(part)' && cp $(ls -d '\(timeline.timeline)'/0* | head -n 9) '\(part)'")
    try server.upload(directory.path, to: "resumed")
    let run = try await ProgramRun.run(
      [
        StoredTimeline.backup, "--output", "s3://resumed", "--small-relation-size", "512K",
        "--chunk-size", "2M",
      ] + Self.ids, environment: server.environment)
    #expect(run.exitCode == 0, "\(run.error)")
    let expected = try timeline.files().filter { $0.key.hasPrefix("tenants/") }
    #expect(
      try Self.objects(server, "resumed")
        == Dictionary(uniqueKeysWithValues: expected.map { ("out/" + $0.key, $0.value) }))
  }

  /// Goal: shards that several imports send to a bucket are invisible until they are published, and then the
  /// timeline of one import. Method: two imports at once, one shard twice; `list`, `verify` and `publish`
  /// before all are there, and after.
  @Test(arguments: stores) func published(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    try server.make("published")
    let directory = try TemporaryDirectory(inMemory: true)
    let tenant = "s3://published/pre/tenants/\(StoredTimeline.tenantID)"
    let words = [StoredTimeline.backup, "--shards", "3", "--stripe-size", "8"] + Self.ids
    let onDisk = try await ProgramRun.run(words + ["--output", directory.path + "/out/pre"])
    try #require(onDisk.exitCode == 0, "\(onDisk.error)")
    func run(_ words: [String]) async throws -> ProgramRun {
      try await ProgramRun.run(words, environment: server.environment)
    }
    func importing(_ shards: String) async throws -> ProgramRun {
      try await run(words + ["--output", "s3://published/pre", "--only-shards", shards])
    }
    func expectInvisible(_ problem: String?, _ code: String) async throws {
      let list = try await run(["list", "s3://published"])
      #expect(list.exitCode == 0 && list.outputText.contains("  unpublished  15"), "\(list)")
      #expect(problem.map(list.error.contains) ?? list.error.isEmpty, "\(list.error)")
      let verified = try await run(["verify", tenant])
      #expect([65, 66].contains(verified.exitCode), "\(verified.error)")
      #expect(verified.error.contains(code), "\(verified.error)")
    }
    async let first = importing("0,2")
    async let second = importing("0")
    let codes = [try await first, try await second]
    #expect(codes.allSatisfy { $0.exitCode == 0 }, "\(codes)")
    try await expectInvisible("shard 1 of 3 is missing", "[shard-missing]")
    let early = try await run(["publish", tenant])
    #expect(early.exitCode == 65, "\(early.error)")
    #expect(early.error.contains("'--only-shards 1'"), "\(early.error)")
    let last = try await importing("1")
    #expect(last.exitCode == 0, "\(last.error)")
    try await expectInvisible(nil, "publish")
    for count in [3, 0] {
      let published = try await run(["publish", tenant, "--json"])
      #expect(published.exitCode == 0, "\(published.error)")
      #expect(published.outputText.contains("\"publishedShardCount\":\(count),"))
      #expect(published.outputText.contains("\"stripeSize\":8,"))
    }
    #expect(try Self.objects(server, "published") == Self.timeline(directory))
    let again = try await importing("1")
    #expect(again.exitCode == 2 && again.error.contains("[timeline-exists]"), "\(again.error)")
    let verified = try await run(["verify", tenant, "--against", StoredTimeline.backup])
    #expect(verified.exitCode == 0, "\(verified.error)")
  }

  /// Goal: a real store from which no pageserver could read is refused, and written to if one insists.
  /// Method: the JuiceFS gateway without ETags.
  @Test func untagged() async throws {
    let server = try await StoreServer.shared(.juicefsUntagged)
    try server.make("untagged")
    let words = [StoredTimeline.backup, "--output", "s3://untagged"] + Self.ids
    let refused = try await ProgramRun.run(words, environment: server.environment)
    #expect(refused.exitCode == 69 && refused.error.contains("'--keep-etag'"), "\(refused.error)")
    let list = try await ProgramRun.run(["list", "s3://untagged"], environment: server.environment)
    #expect(list.outputText.contains("no timelines"), "\(list)")
    let run = try await ProgramRun.run(
      words + ["--allow-any-store"], environment: server.environment)
    #expect(run.exitCode == 0, "\(run.error)")
    let verified = try await ProgramRun.run(
      ["verify", "s3://untagged/" + StoredTimeline.path, "--against", StoredTimeline.backup],
      environment: server.environment)
    #expect(verified.exitCode == 0, "\(verified.error)")
  }

  /// Goal: a timeline is written over TLS, and nothing to a server that is not trusted. Method: one whose
  /// authority nobody knows, without that and with it.
  @Test func overTLS() async throws {
    let server = try await StoreServer.shared(.motoTLS)
    _ = try Shell.output(
      "curl", "--silent", "--show-error", "--fail", "--cacert", server.authority, "--request",
      "PUT",
      server.url + "/over-tls")
    var environment = server.environment
    environment["AWS_ENDPOINT_URL_S3"] = ""
    let place = ["--endpoint-url", server.url]
    let trust = ["--ca-bundle", server.authority]
    let words = [StoredTimeline.backup, "--output", "s3://over-tls"] + place + Self.ids
    let refused = try await ProgramRun.run(words, environment: environment)
    #expect(refused.exitCode == 74, "\(refused.error)")
    #expect(refused.error.contains("[certificate-refused]"), "\(refused.error)")
    let list = try await ProgramRun.run(
      ["list", "s3://over-tls"] + place + trust, environment: environment)
    #expect(list.outputText.contains("no timelines"), "\(list)")
    let run = try await ProgramRun.run(words + trust, environment: environment)
    #expect(run.exitCode == 0, "\(run.error)")
    let verified = try await ProgramRun.run(
      ["verify", "s3://over-tls/" + StoredTimeline.path, "--against", StoredTimeline.backup]
        + place + trust, environment: environment)
    #expect(verified.exitCode == 0, "\(verified.error)")
  }

  /// Goal: of three imports at once one wins and the others notice. Method: Ceph, whose conditions are
  /// atomic.
  @Test func severalAtOnce() async throws {
    let server = try await StoreServer.shared(.ceph)
    try server.make("several")
    let codes = try await withThrowingTaskGroup(of: Int32?.self) { group in
      for _ in 1...3 {
        group.addTask {
          try await ProgramRun.run(
            [StoredTimeline.backup, "--output", "s3://several"] + Self.ids,
            environment: server.environment
          ).exitCode
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(codes.count { $0 == 0 } == 1, "\(codes)")
    #expect(codes.allSatisfy { $0 == 0 || $0 == 2 }, "\(codes)")
  }

  /// Goal: a recovery reads pages back from the store. Method: a backup under load, both ways, also
  /// sharded.
  @Test(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
  func recovered() async throws {
    let server = try await StoreServer.shared(.ceph)
    try server.make("recovered")
    let cluster = try LoadedCluster(
      programs: try #require(PostgresServer.programs), checksums: true, settings: "")
    for shards in [[], ["--shards", "2", "--stripe-size", "8"]] {
      let directory = try TemporaryDirectory()
      let prefix = "recovered-\(shards.count)"
      let words =
        [cluster.path(.tars), "--chunk-size", "1M"] + cluster.arguments(.tars) + Self.ids + shards
      let onDisk = try await ProgramRun.run(words + ["--output", directory.path + "/out"])
      try #require(onDisk.exitCode == 0, "\(onDisk.error)")
      let run = try await ProgramRun.run(
        words + ["--output", "s3://recovered/" + prefix, "--scratch", directory.path],
        environment: server.environment)
      #expect(run.exitCode == 0, "\(run.error)")
      let verified = try await ProgramRun.run(
        ["verify", "s3://recovered/\(prefix)/tenants/\(StoredTimeline.tenantID)", "--json"],
        environment: server.environment)
      #expect(verified.exitCode == 0, "\(verified.error)")
      let tenant = "/tenants/\(StoredTimeline.tenantID)"
      let export = try await ProgramRun.run(
        ["export", "s3://recovered/" + prefix + tenant, "--quiet"], environment: server.environment)
      let expected = try await ProgramRun.run(
        ["export", directory.path + "/out" + tenant, "--quiet"])
      #expect(expected.exitCode == 0 && export.exitCode == 0, "\(export.error)")
      #expect(export.output.count == expected.output.count)
      // Those of the base; what comes above has the times of the recovery.
      let isBase: (String) -> Bool = { $0.contains("__0000000000080000-") }
      let stored = try Self.objects(server, "recovered").filter { key, _ in
        isBase(key) && key.contains("/\(prefix)/")
      }
      let files = try directory.files().filter { isBase($0.key) }
      #expect(stored.count > 1)
      #expect(
        Dictionary(
          uniqueKeysWithValues: stored.map {
            ($0.key.replacing("/\(prefix)/", with: "/"), $0.value)
          })
          == files)
    }

    // One that fails when layers have been sent leaves no index; a full copy of a higher generation takes
    // its place.
    let directory = try TemporaryDirectory()
    let words =
      [cluster.path(.tars), "--output", "s3://recovered/full", "--scratch", directory.path]
      + ["--chunk-size", "1M"] + cluster.arguments(.tars) + Self.ids
    func names() throws -> [String] {
      try Self.objects(server, "recovered").keys.filter { $0.contains("/full/") }
    }
    let failed = try await ProgramRun.run(
      words + ["--recovery-target", "lsn=FFFF/0"], environment: server.environment)
    #expect(failed.exitCode == 65, "\(failed.error)")
    #expect(failed.error.contains("'--generation 2'"), "\(failed.error)")
    #expect(try names().contains { $0.contains("__") })
    #expect(try !names().contains { $0.contains("index_part") })
    let copied = try await ProgramRun.run(
      words + ["--full-copy", "--generation", "2"], environment: server.environment)
    #expect(copied.exitCode == 0, "\(copied.error)")
    #expect(try names().allSatisfy { $0.contains("-00000002") || $0.contains("manifest") })
    let verified = try await ProgramRun.run(
      ["verify", "s3://recovered/full/tenants/\(StoredTimeline.tenantID)"],
      environment: server.environment)
    #expect(verified.exitCode == 0, "\(verified.error)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }
}
