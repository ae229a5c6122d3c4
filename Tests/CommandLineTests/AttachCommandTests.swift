import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// `attach` against a server that stands in for a storage service, with its traps.
@Suite struct AttachCommandTests {
  private static let ready = "is in service at LSN 0/215AD68"

  /// Runs `attach` with calls that are not waited for long.
  private static func attach(
    _ storage: ServiceStorage, _ servers: [String], _ more: [String] = [], place: String? = nil,
    environment: [String: String] = [:]
  ) async throws -> ProgramRun {
    try await ProgramRun.run(
      ["attach", place ?? storage.timelinePath] + servers + more, environment: environment,
      timeLimit: .seconds(300))
  }

  /// Runs `attach` again, and checks that it changes nothing.
  private static func requireNothingLeft(
    _ storage: ServiceStorage, _ service: StandIn, _ servers: [String], place: String? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) async throws {
    let (state, count) = (try service.state(of: storage), try service.calls().count)
    let again = try await attach(storage, servers, place: place)
    #expect(again.exitCode == 0, "\(again.error)", sourceLocation: location)
    #expect(again.error == "note: everything was in place already\n", sourceLocation: location)
    let calls = try service.calls().dropFirst(count)
    #expect(calls.allSatisfy { $0.isRead }, "\(calls)", sourceLocation: location)
    #expect(try service.state(of: storage) == state, sourceLocation: location)
    try service.requireNoHarm("", location)
  }

  // MARK: The way through

  /// Goal: a tenant that the service does not know is served, and a second run leaves it alone.
  @Test(arguments: [true, false]) func newTenant(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    let start = "timeline \(ServiceStorage.timeline) (Postgres 15) \(Self.ready): pageserver "
    #expect(run.outputText.hasPrefix(start + (hasController ? "1 at 127.0.0.1:" : "127.0.0.1, ")))
    #expect(run.outputText.hasSuffix(", safekeepers 1, 2, 3\n"), "\(run.outputText)")
    #expect(run.error.split(separator: "\n").allSatisfy { $0.hasPrefix("note: ") })
    try await Self.requireNothingLeft(storage, service, servers)
    // What the safekeepers have was made in a form that was tried.
    let changes = try service.calls().filter { !$0.isRead }
    #expect(changes.count == (hasController ? 2 : 4), "\(changes)")
  }

  /// Goal: a service that has just started is waited for; not with `--wait 0`.
  @Test func noPageserverYet() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path, options: ["--nodes-after", "20"])
    let servers = service.servers(true)
    let early = try await Self.attach(storage, servers, ["--wait", "0"])
    #expect(early.exitCode == 69 && early.error.contains("[service-not-ready]"), "\(early.error)")
    #expect(early.error.contains("Nothing was changed."))
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.hasPrefix("note: waiting: no pageserver has registered"), "\(run.error)")
    try await Self.requireNothingLeft(storage, service, servers)
  }

  /// Goal: a second timeline of a tenant in service is taken up, and the first goes on. Method: the
  /// pageserver reads its storage again; no new generation.
  @Test(arguments: [true, false]) func secondTimeline(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    let before = try service.state(of: storage)
    try await storage.add(.second)
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let count = try service.calls().count
    let run = try await Self.attach(storage, servers, place: place)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.contains(ServiceStorage.secondTimeline))
    let changes = try service.calls().dropFirst(count).filter { !$0.isRead }
    #expect(changes.first?.path.hasSuffix("/reset") == true, "\(changes)")
    #expect(changes.count == (hasController ? 2 : 4), "\(changes)")
    #expect(try service.state(of: storage).dropFirst() == before.dropFirst())
    try await Self.requireNothingLeft(storage, service, servers, place: storage.tenantPath)
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
    #expect(run.error.contains("or a pageserver's with '--pageserver'."), "\(run.error)")
  }

  /// Goal: files of a higher generation than that of the tenant, which no pageserver sees, are refused
  /// before anything is changed.
  @Test func newerGeneration() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(true)
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    try await storage.add(.newer)
    // The first is not of its generation.
    let first = try await Self.attach(storage, servers)
    #expect(first.exitCode == 0, "\(first.error)")
    #expect(first.error == "note: everything was in place already\n")
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let count = try service.calls().count
    for more in [[], ["--dry-run"]] {
      let run = try await Self.attach(storage, servers, more + ["--json"], place: place)
      #expect(run.exitCode == 69, "\(run.error)")
      #expect(
        run.error.contains("is attached at generation 2, and the files are of generation 5"))
      #expect(
        run.error.contains(
          "Import again, with '--generation 2' or less and another '--timeline-id'."),
        "\(run.error)")
    }
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
    let run = try await Self.attach(storage, service.servers(true), options + ["--json"])
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
    let run = try await Self.attach(storage, servers, ["--wait", "0"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try service.calls().count { $0.method == method && $0.path == path } == 1)
    try await Self.requireNothingLeft(storage, service, servers)
  }

  /// Goal: a tenant that the controller has not attached yet is waited for.
  @Test func notAttachedYet() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let path = "/debug/v1/tenant/\(ServiceStorage.tenant)/locate"
    try service.fail("GET", path, .status(400), count: 2)
    let run = try await Self.attach(storage, service.servers(true))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("has not attached '\(ServiceStorage.tenant)' yet"), "\(run.error)")
    try service.fail("GET", path, .status(400))
    let plan = try await Self.attach(storage, service.servers(true), ["--dry-run", "--json"])
    #expect(plan.exitCode == 69 && plan.error.contains("[service-not-ready]"), "\(plan.error)")
    try service.requireNoHarm()
  }

  /// Goal: a whole tenant, and one with shards, is taken up, by each of its directories.
  @Test(arguments: [(2, 0), (1, 4), (2, 2)], [true, false])
  func tenants(counts: (timelines: Int, shards: Int), hasController: Bool) async throws {
    let storage = try await ServiceStorage(timelines: counts.timelines, shards: counts.shards)
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await Self.attach(storage, servers, ["--json"], place: storage.tenantPath)
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
    try await Self.requireNothingLeft(storage, service, servers, place: last)
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
    let run = try await Self.attach(
      storage, service.servers(true), ["--json"],
      place: "s3://\(TestStore.bucket)/pageserver/v1/\(prefix)",
      environment: TestStore.environment(server.url))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(
      run.outputText.contains("\"tenantPath\":\"s3://\(TestStore.bucket)/pageserver/v1/tenants"))
    try service.requireNoHarm()
  }

  // MARK: Traps

  /// Goal: without a controller, a tenant that is attached too low is attached again; if it is in use,
  /// only on request, as its settings are replaced.
  @Test func lowGeneration() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    let tenant = "\(service.pageserver)/v1/tenant/\(ServiceStorage.tenant)"
    func put(_ generation: Int) throws {
      try service.call(
        "PUT", tenant + "/location_config",
        #"{"mode":"AttachedSingle","generation":\#(generation),"tenant_conf":{}}"#)
    }
    try put(0)
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("attached \(ServiceStorage.tenant) at generation 1 "))
    try await Self.requireNothingLeft(storage, service, servers)

    try await storage.add(.newer)
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let refused = try await Self.attach(storage, servers, place: place)
    #expect(refused.exitCode == 69, "\(refused.error)")
    #expect(refused.error.contains("is attached at generation 1"), "\(refused.error)")
    let low = try await Self.attach(storage, servers, ["--attach-generation", "4"], place: place)
    #expect(low.exitCode == 64 && low.error.contains("must be 5 or more"), "\(low.error)")
    let asked = try await Self.attach(storage, servers, ["--attach-generation", "7"], place: place)
    #expect(asked.exitCode == 0, "\(asked.error)")
    try await Self.requireNothingLeft(storage, service, servers, place: storage.tenantPath)
  }

  /// Goal: a tenant that is loading is not taken for an empty one, which could be attached again.
  @Test func loading() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    try await storage.add(.newer)
    let (count, place) = (try service.calls().count, storage.tenantPath)
    let path = "/v1/tenant/\(ServiceStorage.tenant)"
    try service.fail("GET", path, .loading)
    let plan = try await Self.attach(storage, servers, ["--dry-run", "--json"], place: place)
    #expect(plan.error.contains("is not active on the pageserver yet"), "\(plan.error)")
    try service.fail("GET", path, .loading, count: 3)
    let run = try await Self.attach(storage, servers, ["--json"], place: place)
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("is attached at generation 1"), "\(run.error)")
    #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead))
  }

  /// Goal: without a controller, files that a pageserver has written are attached only at a generation
  /// that a person gives, and get on safekeepers only where others have them already.
  @Test func writtenFiles() async throws {
    let storage = try await ServiceStorage()
    try storage.addWrittenLayer()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    for more in [[], ["--dry-run"]] {
      let run = try await Self.attach(storage, servers, more + ["--json"])
      #expect(run.exitCode == 64, "\(run.error)")
      #expect(run.error.contains("'--attach-generation' is required"), "\(run.error)")
    }
    #expect(try service.calls().allSatisfy(\.isRead))
    let words = "none of the safekeepers has timeline '\(ServiceStorage.timeline)', to which a"
    for more in [["--attach-generation", "4"], [], ["--dry-run"]] {
      let run = try await Self.attach(storage, servers, more + ["--json"])
      #expect(run.exitCode == 69 && run.error.contains(words), "\(run.error)")
    }
    let changes = try service.calls().filter { !$0.isRead }
    #expect(changes.map(\.method) == ["PUT"], "\(changes)")

    let members = (1...3).map { #"{"id":\#($0),"host":"h","pg_port":1}"# }.joined(separator: ",")
    func make(on safekeeper: Int, from start: String) throws {
      try service.call(
        "POST", service.safekeeper(safekeeper) + "/v1/tenant/timeline",
        #"{"tenant_id":"\#(ServiceStorage.tenant)","timeline_id":"\#(ServiceStorage.timeline)","#
          + #""mconf":{"generation":1,"members":[\#(members)],"new_members":null},"#
          + #""pg_version":150000,"system_id":null,"wal_seg_size":null,"#
          + #""start_lsn":"\#(start)","commit_lsn":null}"#)
    }
    try make(on: 1, from: ServiceStorage.importLSN)
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    let starts = try service.calls().filter { $0.server > 2 && $0.method == "POST" }
    #expect(starts.count == 2, "\(starts)")
    #expect(
      starts.allSatisfy { $0.body.contains("\"start_lsn\":\"\(ServiceStorage.importLSN)\"") })
    try await Self.requireNothingLeft(storage, service, servers)
  }

  /// Goal: safekeepers that begin a timeline at different LSNs are left to a person.
  @Test func differentStarts() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    for (safekeeper, start) in [(1, "0/215AD68"), (2, ServiceStorage.importLSN)] {
      try service.call(
        "POST", service.safekeeper(safekeeper) + "/v1/tenant/timeline",
        #"{"tenant_id":"\#(ServiceStorage.tenant)","timeline_id":"\#(ServiceStorage.timeline)","#
          + #""mconf":{"generation":1,"members":[{"id":1,"host":"h","pg_port":1},"#
          + #"{"id":2,"host":"h","pg_port":1},{"id":3,"host":"h","pg_port":1}],"#
          + #""new_members":null},"pg_version":150000,"system_id":null,"wal_seg_size":null,"#
          + #""start_lsn":"\#(start)","commit_lsn":null}"#)
    }
    try storage.addWrittenLayer()
    for command in [["attach", "--attach-generation", "2"], ["attach", "--dry-run"], ["status"]] {
      let run = try await ProgramRun.run(command + [storage.timelinePath, "--json"] + servers)
      #expect(run.exitCode == 65, "\(run.error)")
      #expect(
        run.error.contains("begins at different LSNs on its safekeepers: 0/215ACF0, 0/215AD68"))
    }
    #expect(try service.calls().allSatisfy { $0.isRead || $0.method == "PUT" || $0.server < 4 })
  }

  /// Goal: other data under the same ids is refused, and nothing is changed. Method: files that differ
  /// from those of the service in one thing each.
  @Test(
    arguments: [
      ("\"0/215AD68\"", "\"0/315AD68\"", "ends at 0/215AD68, the files at 0/315AD68"),
      ("\"0/215ACF0\"", "\"0/214ACF0\"", "begins at 0/215ACF0, the files at 0/214ACF0"),
      ("\"pg_version\":15", "\"pg_version\":16", "is of Postgres 15, the files of 16"),
    ], [true, false])
  func otherData(change: (old: String, new: String, words: String), hasController: Bool)
    async throws
  {
    let storage = try await ServiceStorage()
    let other = try await ServiceStorage()
    try other.changeIndex(change.old, to: change.new)
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await Self.attach(other, servers)
    #expect(run.exitCode == 65 && run.error.contains("[timeline-conflict]"), "\(run.error)")
    #expect(run.error.contains(change.words), "\(run.error)")
    #expect(run.error.contains("In place: "))
    #expect(
      try service.calls().allSatisfy {
        $0.isRead || $0.path.hasSuffix("/import") || $0.method == "PUT"
      })
    try service.requireNoHarm()
    // And once it is served.
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    let count = try service.calls().count
    let late = try await Self.attach(other, servers)
    #expect(late.exitCode == 65, "\(late.error)")
    #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead))
    try service.requireNoHarm()
  }

  /// Goal: a safekeeper that has the timeline with another start, which answers 200 all the same, is
  /// noticed. Method: the start, the version, and, without a controller, the members.
  @Test(
    arguments: [
      ("150000", "0/1000000", "begins at 0/1000000, not at 0/215AD68"),
      ("160000", "0/215AD68", "is of Postgres 16, not of 15"),
    ], [true, false])
  func otherSafekeeper(kind: (version: String, start: String, words: String), hasController: Bool)
    async throws
  {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    try service.call(
      "POST", service.safekeeper(2) + "/v1/tenant/timeline",
      #"{"tenant_id":"\#(ServiceStorage.tenant)","timeline_id":"\#(ServiceStorage.timeline)","#
        + #""mconf":{"generation":1,"members":[{"id":1,"host":"a","pg_port":1}],"new_members":null},"#
        + #""pg_version":\#(kind.version),"system_id":null,"wal_seg_size":null,"#
        + #""start_lsn":"\#(kind.start)","commit_lsn":null}"#)
    let run = try await Self.attach(storage, service.servers(hasController))
    #expect(run.exitCode == 65 && run.error.contains("[timeline-conflict]"), "\(run.error)")
    #expect(run.error.contains("on safekeeper 2 ("), "\(run.error)")
    #expect(run.error.contains(kind.words), "\(run.error)")
    #expect(run.error.contains("timeline \(ServiceStorage.timeline) is active at 0/215AD68"))
    try service.requireNoHarm()
  }

  /// Goal: without a controller, a timeline that is on other safekeepers than those given is refused.
  @Test func otherMembers() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    let run = try await Self.attach(storage, servers.dropLast(2))
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(run.error.contains("is on safekeepers 1, 2, 3, not on 1,"), "\(run.error)")
    try service.requireNoHarm()
  }

  /// Goal: what the service answers that no other try changes has its code, its words, and what is in
  /// place.
  @Test(
    arguments: [
      (
        "POST", "/debug/v1/tenant/\(ServiceStorage.tenant)/import", 404, 66, "not-in-remote-storage"
      ),
      ("POST", "/debug/v1/tenant/\(ServiceStorage.tenant)/import", 405, 69, "service-failed"),
      ("POST", "/v1/tenant/\(ServiceStorage.tenant)/timeline", 409, 65, "timeline-conflict"),
      ("POST", "/v1/tenant/\(ServiceStorage.tenant)/timeline", 406, 69, "service-failed"),
      ("GET", "/v1/tenant/\(ServiceStorage.tenant)/timeline", 403, 77, "token-refused"),
      ("GET", "/control/v1/node", 418, 69, "service-failed"),
    ] as [(String, String, Int, Int32, String)])
  func refusals(
    method: String, path: String, status: Int, exitCode: Int32, code: String
  ) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    try service.fail(method, path, .status(status))
    let run = try await Self.attach(storage, service.servers(true), ["--json"])
    #expect(run.exitCode == exitCode, "\(run.error)")
    #expect(run.error.contains("[\(code)]"), "\(run.error)")
    #expect(run.error.contains("error: \(method) \(service.controller)\(path)"), "\(run.error)")
    #expect(run.error.contains("was answered with \(status): made to fail"), "\(run.error)")
    #expect(run.outputText.contains("\"code\":\"\(code)\""), "\(run.outputText)")
    try service.requireNoHarm()
    // It was that one call.
    #expect(try await Self.attach(storage, service.servers(true)).exitCode == 0)
    try await Self.requireNothingLeft(storage, service, service.servers(true))
  }

  /// Goal: a storage that does not have the files is said to be another one.
  @Test(arguments: [true, false]) func otherStorage(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let empty = try TemporaryDirectory()
    let service = try StandIn(empty.path)
    let run = try await Self.attach(storage, service.servers(hasController), ["--wait", "1"])
    #expect(run.exitCode == 66, "\(run.error)")
    #expect(run.error.contains("[not-in-remote-storage]"), "\(run.error)")
    try service.requireNoHarm()
  }

  /// Goal: a controller that makes nothing on safekeepers is noticed.
  @Test func noSafekeepers() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path, safekeepers: 0)
    let run = try await Self.attach(storage, service.servers(true))
    #expect(run.exitCode == 69 && run.error.contains("[safekeepers-missing]"), "\(run.error)")
    #expect(run.error.contains("timeline \(ServiceStorage.timeline) is active at 0/215AD68"))
    let alone = try await Self.attach(storage, service.servers(false))
    #expect(alone.exitCode == 0, "\(alone.error)")
    let status = try await ProgramRun.run(
      ["status", storage.timelinePath, "--json"] + service.servers(false))
    #expect(status.exitCode == 1, "\(status.error)")
    #expect(status.error.contains("it is on no safekeeper"), "\(status.error)")
    try service.requireNoHarm()
  }

  /// Goal: most of the safekeepers are enough, and the other is named. Method: a tenant with shards, as
  /// only safekeepers are asked for it by that path.
  @Test(arguments: [StandIn.Fault.status(404), .cut]) func mostSafekeepers(fault: StandIn.Fault)
    async throws
  {
    let storage = try await ServiceStorage(shards: 2)
    let service = try StandIn(storage.path)
    let servers = service.servers(true)
    #expect(try await Self.attach(storage, servers).exitCode == 0)
    let path = "/v1/tenant/\(ServiceStorage.tenant)/timeline/\(ServiceStorage.timeline)"
    // As often as such a call is tried.
    try service.fail("GET", path, fault, count: fault.isAnswer ? 1 : 4)
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    let words = fault.isAnswer ? "does not have" : "did not answer about"
    #expect(run.error.contains("note: safekeeper 1 ("), "\(run.error)")
    #expect(run.error.contains(") \(words) timeline"), "\(run.error)")
    #expect(run.outputText.hasSuffix(", safekeepers 2, 3\n"), "\(run.outputText)")
    try service.requireNoHarm()
  }

  /// Goal: safekeepers that a controller names and that do not take its token are not looked at, which
  /// is said. Method: a tenant with shards, for the same reason.
  @Test func safekeepersRefuse() async throws {
    let storage = try await ServiceStorage(shards: 2)
    let service = try StandIn(storage.path)
    let servers = service.servers(true)
    let path = "/v1/tenant/\(ServiceStorage.tenant)/timeline/\(ServiceStorage.timeline)"
    try service.fail("GET", path, .status(403), count: 3)
    let run = try await Self.attach(storage, servers)
    #expect(run.exitCode == 0, "\(run.error)")
    for number in 1...3 {
      #expect(
        run.error.contains(
          "note: safekeeper \(number) (\(service.safekeeper(number))) does not take"))
    }
    try service.fail("GET", path, .status(401), count: 3)
    let status = try await ProgramRun.run(["status", storage.timelinePath] + servers)
    #expect(status.exitCode == 0, "\(status.error)")
    #expect(status.outputText.contains("3 (does not take the token)"), "\(status.outputText)")
    // Without a controller, the token is meant for them.
    try service.fail("GET", path, .status(403))
    let alone = try await Self.attach(storage, service.servers(false))
    #expect(alone.exitCode == 77, "\(alone.error)")
    try service.requireNoHarm()
  }

  /// Goal: a proxy of the environment gets no call by plain HTTP, from the program or the commands.
  @Test func proxy() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let proxy = ["http_proxy": "http://127.0.0.1:1", "no_proxy": ""]
    let plan = try await Self.attach(
      storage, service.servers(true), ["--dry-run"], environment: proxy)
    #expect(plan.exitCode == 0, "\(plan.error)")
    let script = try await ProgramRun.run(
      [], script: "set -e\n" + plan.outputText, environment: proxy)
    #expect(script.exitCode == 0, "\(script.error)")
    let run = try await Self.attach(storage, service.servers(true), environment: proxy)
    #expect(run.error == "note: everything was in place already\n")
  }

  // MARK: Files

  /// Goal: files that are not whole are refused before the first call.
  @Test(
    arguments: [
      ("rm -r tenants/*-0104", 65, "-0104'"),
      ("rm tenants/*/tenant-manifest*", 65, "[stripe-size-unknown]"),
      ("rm tenants/*-0004/tenant-manifest*", 65, "[stripe-size-unknown]"),
      ("rm -r tenants/*-0204/timelines/*", 65, "only 3 of 4 shards have timeline"),
      ("rm tenants/*-0004/timelines/*/0000*", 65, "is missing"),
      ("rm -r tenants/*/timelines/*/index*", 66, "has no 'index_part.json-…'"),
      ("rm -r tenants", 66, "does not exist"),
    ] as [(String, Int32, String)])
  func brokenFiles(command: String, code: Int32, words: String) async throws {
    let storage = try await ServiceStorage(shards: 4)
    let service = try StandIn(storage.path)
    _ = try Shell.output("bash", "-c", command, directory: storage.path)
    let run = try await Self.attach(
      storage, service.servers(true), ["--json"], place: storage.tenantPath)
    #expect(run.exitCode == code && run.error.contains(words), "\(run.error)")
    #expect(try service.calls().isEmpty)
  }

  /// Goal: a service with other shards is noticed. Method: the service's storage has two, the files four.
  @Test func otherShards() async throws {
    let storage = try await ServiceStorage(shards: 2)
    let files = try await ServiceStorage(shards: 4)
    let service = try StandIn(storage.path)
    let run = try await Self.attach(files, service.servers(true))
    #expect(run.exitCode == 65 && run.error.contains("[shard-conflict]"), "\(run.error)")
    #expect(run.error.contains("as 2 shards, the files as 4 shards"), "\(run.error)")
    for shard in storage.shardNames {
      try storage.write(
        #"{"version":2,"stripe_size":128,"offloaded_timelines":[]}"#,
        to: "tenants/\(shard)/tenant-manifest-00000002.json")
    }
    let same = try await ServiceStorage(shards: 2)
    let other = try StandIn(storage.path)
    let stripes = try await Self.attach(same, other.servers(true))
    #expect(stripes.exitCode == 65, "\(stripes.error)")
    #expect(stripes.error.contains("with stripes of 128 pages, the files have 2048"))
    try service.requireNoHarm()
  }

  /// Goal: a command line that cannot be right is refused.
  @Test(
    arguments: [
      ([], "no server given"), (["--controller", "host:1"], "is not the URL of a server"),
      (["--controller", "http://a@b"], "contains a name or a password"),
      (["--controller", "http://h", "--pageserver", "http://h"], "cannot be used with"),
      (["--pageserver", "http://h", "--safekeeper", "http://h,0"], "does not end with a port"),
      (["--controller", "http://h", "--region", "x"], "are for timelines in an object store"),
      (["--pageserver", "http://h", "--attach-generation", "0"], "must be a number"),
    ] as [([String], String)])
  func commandLine(options: [String], words: String) async throws {
    let storage = try await ServiceStorage()
    let run = try await Self.attach(storage, options, ["--json"])
    #expect(run.exitCode == 64 && run.error.contains(words), "\(run.error)")
  }

  // MARK: Tokens

  /// Goal: a token goes with every call, from a file or a variable, and is never shown; without the right
  /// one the exit code is 77.
  @Test(arguments: [true, false]) func tokens(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let token = "eyJhbGciOiJFZERTQSJ9.a-secret_token.x=="
    let service = try StandIn(storage.path, options: ["--token", token])
    let servers = service.servers(hasController)
    let directory = try TemporaryDirectory()
    let file = directory.path + "/token"
    try (token + "\n").write(toFile: file, atomically: false, encoding: .utf8)
    try "wrong.token".write(toFile: directory.path + "/wrong", atomically: false, encoding: .utf8)
    let variable = ServiceArguments.tokenVariable
    for (options, environment) in [
      ([], [:]), (["--token-file", directory.path + "/wrong"], [variable: token]),
      ([], [variable: "wrong"]),
    ] as [([String], [String: String])] {
      let run = try await Self.attach(storage, servers, options, environment: environment)
      #expect(run.exitCode == 77 && run.error.contains("[token-refused]"), "\(run.error)")
      #expect(run.error.contains("JWT") || run.error.contains("missing authorization header"))
    }
    for (options, environment) in [
      (["--token-file", file], [:]), ([], [variable: token]),
      (["--token-file", file], [variable: "wrong"]),
    ] as [([String], [String: String])] {
      for command in ["attach", "status"] {
        let run = try await ProgramRun.run(
          [command, storage.timelinePath, "--json"] + servers + options, environment: environment)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(!(run.outputText + run.error).contains(token))
      }
    }
    try service.requireNoHarm()
    for (text, words) in [
      ("a b", "does not contain a bearer token"), ("", "does not contain a bearer token"),
    ] {
      try text.write(toFile: file, atomically: false, encoding: .utf8)
      let run = try await Self.attach(storage, servers, ["--token-file", file])
      #expect(run.exitCode == 64 && run.error.contains(words), "\(run.error)")
    }
  }

  /// Goal: a server whose certificate nobody knows gets no call.
  @Test(.enabled(if: StoreServer.areInstalled, "'make deps stores' installs the server"))
  func certificates() async throws {
    let storage = try await ServiceStorage()
    let server = try await StoreServer.shared(.motoTLS)
    let words = ["status", storage.timelinePath, "--controller", server.url, "--json"]
    let refused = try await ProgramRun.run(words)
    #expect(refused.error.contains("[certificate-refused]"), "\(refused.error)")
    let run = try await ProgramRun.run(words + ["--ca-bundle", server.authority])
    #expect(!run.error.contains("[certificate-refused]") && run.exitCode != 0, "\(run.error)")
  }

  // MARK: Import

  /// Goal: an import takes its timeline into service, in one object; if that fails, the timeline is
  /// there, and the object says both.
  @Test func importAndAttach() async throws {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    let output = directory.path + "/out"
    let service = try StandIn(output)
    let run = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", service.controller, "--json", "--tenant-id",
      ServiceStorage.tenant,
    ])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.contains("\"service\":{"))
    #expect(run.outputText.contains("\"isInService\":true"))
    let text = try await ProgramRun.run([backup, "-o", output, "--attach-to", service.controller])
    #expect(text.exitCode == 0, "\(text.error)")
    #expect(text.outputText.contains("is in service at LSN 0/215AD68"), "\(text.outputText)")
    #expect(!text.error.contains("next: "))
    #expect(text.error.contains("note: attached tenant "), "\(text.error)")
    try service.requireNoHarm()

    let silent = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", "http://127.0.0.1:1", "--json",
    ])
    #expect(silent.exitCode == 69, "\(silent.error)")
    #expect(silent.error.contains("is complete; only the command 'attach' has to be run again."))
    #expect(silent.outputText.contains("\"timelinePath\""))
    // The tenant is attached at generation 2, which does not see this one.
    let newer = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", service.controller, "--generation", "5", "--tenant-id",
      ServiceStorage.tenant,
    ])
    #expect(newer.exitCode == 69, "\(newer.error)")
    #expect(
      newer.error.contains("is complete. Import again, with '--generation "), "\(newer.error)")
    let both = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", "http://127.0.0.1:1", "--dry-run",
    ])
    #expect(both.exitCode == 64, "\(both.error)")
    let lonely = try await ProgramRun.run([backup, "-o", output, "--token-file", backup])
    #expect(lonely.exitCode == 64, "\(lonely.error)")
  }
}
