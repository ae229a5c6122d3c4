import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// `attach` against a server that stands in for a storage service: the way through, with its waits.
@Suite struct AttachCommandTests {
  /// Goal: a tenant that the service does not know is served, and a second run leaves it alone.
  @Test(arguments: [true, false]) func newTenant(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await storage.attach(servers)
    #expect(run.exitCode == 0, "\(run.error)")
    let start =
      "timeline \(ServiceStorage.timeline) (Postgres 15) \(ServiceStorage.ready): pageserver "
    #expect(run.outputText.hasPrefix(start + (hasController ? "1 at 127.0.0.1:" : "127.0.0.1, ")))
    #expect(run.outputText.hasSuffix(", safekeepers 1, 2, 3\n"), "\(run.outputText)")
    #expect(run.error.split(separator: "\n").allSatisfy { $0.hasPrefix("note: ") })
    try await storage.requireNothingLeft(service, servers)
    // What the safekeepers have was made in a form that was tried.
    let changes = try service.calls().filter { !$0.isRead }
    #expect(changes.count == (hasController ? 2 : 4), "\(changes)")
  }

  /// Goal: a service that has just started is waited for; not with `--wait 0`.
  @Test func noPageserverYet() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path, options: ["--nodes-after", "20"])
    let servers = service.servers(true)
    let early = try await storage.attach(servers, ["--wait", "0"])
    #expect(early.exitCode == 69 && early.error.contains("[service-not-ready]"), "\(early.error)")
    #expect(early.error.contains("Nothing was changed."))
    let run = try await storage.attach(servers)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.hasPrefix("note: waiting: no pageserver has registered"), "\(run.error)")
    try await storage.requireNothingLeft(service, servers)
  }

  /// Goal: a second timeline of a tenant in service is taken up, and the first goes on. Method: the
  /// pageserver reads its storage again; no new generation.
  @Test(arguments: [true, false]) func secondTimeline(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    #expect(try await storage.attach(servers).exitCode == 0)
    let before = try service.state(of: storage)
    try await storage.add(.second)
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let count = try service.calls().count
    let run = try await storage.attach(servers, place: place)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.contains(ServiceStorage.secondTimeline))
    let changes = try service.calls().dropFirst(count).filter { !$0.isRead }
    #expect(changes.first?.path.hasSuffix("/reset") == true, "\(changes)")
    #expect(changes.count == (hasController ? 2 : 4), "\(changes)")
    #expect(try service.state(of: storage).dropFirst() == before.dropFirst())
    try await storage.requireNothingLeft(service, servers, place: storage.tenantPath)
  }

  /// Goal: a server of another kind is not waited for. Method: a pageserver in place of the controller.
  @Test(arguments: [["attach"], ["attach", "--dry-run"], ["status"]])
  func otherServer(command: [String]) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let run = try await ProgramRun.run(
      command + [storage.timelinePath, "--controller", service.pageserver])
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("is not a storage controller: "), "\(run.error)")
    #expect(run.error.contains("a pageserver's with '--pageserver'."), "\(run.error)")
  }

  /// Goal: a controller is not asked to make a tenant. Method: its URL in place of a pageserver's.
  @Test(arguments: [["attach"], ["attach", "--dry-run"], ["status"]])
  func noPageserver(command: [String]) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let run = try await ProgramRun.run(
      command + [storage.timelinePath, "--pageserver", service.controller])
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("is a storage controller, not a pageserver"), "\(run.error)")
    #expect(try service.calls().allSatisfy(\.isRead))
  }

  /// Goal: a pageserver need not let anyone look for a controller there. Method: it refuses that call.
  @Test func refusedLook() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    try service.fail("GET", "/control/v1/node", .status(403))
    let run = try await storage.attach(service.servers(false))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try service.calls().contains { $0.path == "/control/v1/node" && $0.status == 403 })
  }

  /// Goal: files of a higher generation than that of the tenant, which no pageserver sees, are refused
  /// before anything is changed.
  @Test func newerGeneration() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(true)
    #expect(try await storage.attach(servers).exitCode == 0)
    try await storage.add(.newer)
    // The first is not of its generation.
    let first = try await storage.attach(servers)
    #expect(first.exitCode == 0, "\(first.error)")
    #expect(first.error == "note: everything was in place already\n")
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let count = try service.calls().count
    for more in [[], ["--dry-run"]] {
      let run = try await storage.attach(servers, more + ["--json"], place: place)
      #expect(run.exitCode == 69, "\(run.error)")
      #expect(
        run.error.contains(
          "is attached at generation 2, and timeline '\(ServiceStorage.secondTimeline)' is of generation 5"
        ))
      #expect(
        run.error.contains(
          "Import again, with '--generation 2' or less and another '--timeline-id'."),
        "\(run.error)")
    }
    let all = try await storage.attach(servers, place: storage.tenantPath)
    #expect(
      all.error.contains("give one of the others: '\(storage.timelinePath)'."), "\(all.error)")
    #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead))
    try service.requireNoHarm()
  }

  /// Goal: a controller that does not know the tenant right after an import gets no second one, even if
  /// it never does.
  @Test(arguments: [(3, []), (500, ["--wait", "1"])] as [(Int, [String])])
  func unknownAfterImport(failureCount: Int, options: [String]) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    try service.fail("GET", "/control/v1/tenant/", .status(404), count: failureCount)
    let run = try await storage.attach(service.servers(true), options + ["--json"])
    #expect(run.exitCode == (options.isEmpty ? 0 : 69), "\(run.error)")
    #expect(options.isEmpty || run.error.contains("does not know tenant"), "\(run.error)")
    #expect(try service.calls().count { $0.path.hasSuffix("/import") } == 1)
    try service.requireNoHarm()
  }

  /// Goal: a call that the server is still busy with after the connection was lost is not sent again,
  /// and is waited for even without `--wait`.
  @Test(
    arguments: [
      (true, "POST", "/debug/v1/tenant/\(ServiceStorage.tenant)/import"),
      (true, "POST", "/v1/tenant/\(ServiceStorage.tenant)/timeline"),
      (false, "PUT", "/v1/tenant/\(ServiceStorage.tenant)/location_config"),
    ])
  func late(hasController: Bool, method: String, path: String) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    try service.fail(method, path, .late)
    let run = try await storage.attach(servers, ["--wait", "0"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try service.calls().count { $0.method == method && $0.path == path } == 1)
    try await storage.requireNothingLeft(service, servers)
  }

  /// Goal: a tenant that the controller has not attached yet is waited for.
  @Test func notAttachedYet() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let path = "/debug/v1/tenant/\(ServiceStorage.tenant)/locate"
    try service.fail("GET", path, .status(400), count: 2)
    let run = try await storage.attach(service.servers(true))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("has not attached '\(ServiceStorage.tenant)' yet"), "\(run.error)")
    try service.fail("GET", path, .status(400))
    let plan = try await storage.attach(service.servers(true), ["--dry-run", "--json"])
    #expect(plan.exitCode == 69 && plan.error.contains("[service-not-ready]"), "\(plan.error)")
    try service.requireNoHarm()
  }

  /// Goal: a whole tenant, and one with shards, is taken up, by each of its directories.
  @Test(arguments: [(2, 0), (1, 4), (2, 2)], [true, false])
  func tenants(counts: (timelines: Int, shards: Int), hasController: Bool) async throws {
    let storage = try await ServiceStorage(timelines: counts.timelines, shards: counts.shards)
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await storage.attach(servers, ["--json"], place: storage.tenantPath)
    #expect(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(AttachSummary.self, from: run.output)
    #expect(summary.served.count == counts.timelines && summary.isInService)
    #expect(summary.shardCount == max(1, counts.shards))
    #expect(summary.stripeSize == 2048)
    #expect(
      summary.shards.map(\.shard)
        == storage.shardNames.map { name in
          counts.shards == 0 ? nil : String(name.suffix(4))
        })
    #expect(summary.tenantPath == "\(storage.path)/tenants/\(ServiceStorage.tenant)")
    for call in try service.calls() where call.method == "PUT" {
      #expect(call.body.contains("\"shard_count\":\(counts.shards)") == (counts.shards > 0))
    }
    let last = "\(storage.path)/tenants/\(storage.shardNames.last ?? "")/"
    try await storage.requireNothingLeft(service, servers, place: last)
  }

  /// Goal: a timeline in an object store is read there.
  @Test func store() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let prefix = "tenants/\(ServiceStorage.tenant)/"
    var objects: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: storage.tenantPath) {
      guard let bytes = try? Data(contentsOf: URL(filePath: storage.tenantPath + "/" + name)) else {
        continue
      }
      objects["pageserver/v1/" + prefix + name] = Array(bytes)
    }
    let store = TestStore(objects)
    let server = try TestServer { store.answer($0) }
    let run = try await storage.attach(
      service.servers(true), ["--json"],
      place: "s3://\(TestStore.bucket)/pageserver/v1/\(prefix)",
      environment: TestStore.environment(server.url))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(
      run.outputText.contains("\"tenantPath\":\"s3://\(TestStore.bucket)/pageserver/v1/tenants"))
    try service.requireNoHarm()
  }
}
