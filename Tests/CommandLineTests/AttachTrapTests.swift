import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// `attach` against a service with what makes it lose data, or a person's time.
@Suite struct AttachTrapTests {
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
    let run = try await storage.attach(servers)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("attached \(ServiceStorage.tenant) at generation 1 "))
    try await storage.requireNothingLeft(service, servers)

    try await storage.add(.newer)
    let place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
    let refused = try await storage.attach(servers, place: place)
    #expect(refused.exitCode == 69, "\(refused.error)")
    #expect(refused.error.contains("is attached at generation 1"), "\(refused.error)")
    let low = try await storage.attach(servers, ["--attach-generation", "4"], place: place)
    #expect(low.exitCode == 64 && low.error.contains("must be 5 or more"), "\(low.error)")
    let asked = try await storage.attach(servers, ["--attach-generation", "7"], place: place)
    #expect(asked.exitCode == 0, "\(asked.error)")
    try await storage.requireNothingLeft(service, servers, place: storage.tenantPath)
  }

  /// Goal: a tenant that is loading is not taken for an empty one, which could be attached again.
  @Test func loading() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    #expect(try await storage.attach(servers).exitCode == 0)
    try await storage.add(.newer)
    let (count, place) = (try service.calls().count, storage.tenantPath)
    let path = "/v1/tenant/\(ServiceStorage.tenant)"
    try service.fail("GET", path, .loading)
    let plan = try await storage.attach(servers, ["--dry-run", "--json"], place: place)
    #expect(plan.error.contains("is not active on the pageserver yet"), "\(plan.error)")
    try service.fail("GET", path, .loading, count: 3)
    let run = try await storage.attach(servers, ["--json"], place: place)
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
      let run = try await storage.attach(servers, more + ["--json"])
      #expect(run.exitCode == 64, "\(run.error)")
      #expect(run.error.contains("'--attach-generation' is required"), "\(run.error)")
    }
    #expect(try service.calls().allSatisfy(\.isRead))
    let words = "none of the safekeepers has timeline '\(ServiceStorage.timeline)', to which a"
    for more in [["--attach-generation", "4"], [], ["--dry-run"]] {
      let run = try await storage.attach(servers, more + ["--json"])
      #expect(run.exitCode == 69 && run.error.contains(words), "\(run.error)")
    }
    let changes = try service.calls().filter { !$0.isRead }
    #expect(changes.map(\.method) == ["PUT"], "\(changes)")

    let members = Self.members(of: service)
    func make(on safekeeper: Int, from start: String) throws {
      try service.call(
        "POST", service.safekeeper(safekeeper) + "/v1/tenant/timeline",
        #"{"tenant_id":"\#(ServiceStorage.tenant)","timeline_id":"\#(ServiceStorage.timeline)","#
          + #""mconf":{"generation":1,"members":[\#(members)],"new_members":null},"#
          + #""pg_version":150000,"system_id":null,"wal_seg_size":null,"#
          + #""start_lsn":"\#(start)","commit_lsn":null}"#)
    }
    try make(on: 1, from: ServiceStorage.importLSN)
    let run = try await storage.attach(servers)
    #expect(run.exitCode == 0, "\(run.error)")
    let starts = try service.calls().filter { $0.server > 2 && $0.method == "POST" }
    #expect(starts.count == 2, "\(starts)")
    #expect(
      starts.allSatisfy { $0.body.contains("\"start_lsn\":\"\(ServiceStorage.importLSN)\"") })
    try await storage.requireNothingLeft(service, servers)
  }

  /// All safekeepers, as one is told of them.
  private static func members(of service: StandIn) -> String {
    (1...3).map { #"{"id":\#($0),"host":"h","pg_port":\#(service.walPort($0))}"# }
      .joined(separator: ",")
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
          + #""mconf":{"generation":1,"members":[\#(Self.members(of: service))],"#
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
    let run = try await other.attach(servers)
    #expect(run.exitCode == 65 && run.error.contains("[timeline-conflict]"), "\(run.error)")
    #expect(run.error.contains(change.words), "\(run.error)")
    #expect(run.error.contains("In place: "))
    #expect(
      try service.calls().allSatisfy {
        $0.isRead || $0.path.hasSuffix("/import") || $0.method == "PUT"
      })
    try service.requireNoHarm()
    // And once it is served.
    #expect(try await storage.attach(servers).exitCode == 0)
    let count = try service.calls().count
    let late = try await other.attach(servers)
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
    let run = try await storage.attach(service.servers(hasController))
    #expect(run.exitCode == 65 && run.error.contains("[timeline-conflict]"), "\(run.error)")
    #expect(run.error.contains("on safekeeper 2 ("), "\(run.error)")
    #expect(run.error.contains(kind.words), "\(run.error)")
    #expect(run.error.contains("timeline \(ServiceStorage.timeline) is active at 0/215AD68"))
    try service.requireNoHarm()
  }

  /// Goal: without a controller, a timeline that is on other safekeepers, or at other ports, than those given is
  /// refused.
  @Test func otherMembers() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(false)
    #expect(try await storage.attach(servers).exitCode == 0)
    let run = try await storage.attach(servers.dropLast(2))
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(run.error.contains("is on safekeepers 1, 2, 3, not on 1,"), "\(run.error)")
    let port = try await storage.attach(
      servers.dropLast() + ["\(service.safekeeper(3)),7777"])
    #expect(port.exitCode == 65, "\(port.error)")
    #expect(port.error.contains("for WAL of safekeeper 3, not 7777"), "\(port.error)")
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
    let run = try await storage.attach(service.servers(true), ["--json"])
    #expect(run.exitCode == exitCode, "\(run.error)")
    #expect(run.error.contains("[\(code)]"), "\(run.error)")
    #expect(run.error.contains("error: \(method) \(service.controller)\(path)"), "\(run.error)")
    #expect(run.error.contains("was answered with \(status): made to fail"), "\(run.error)")
    #expect(run.outputText.contains("\"code\":\"\(code)\""), "\(run.outputText)")
    try service.requireNoHarm()
    // It was that one call.
    #expect(try await storage.attach(service.servers(true)).exitCode == 0)
    try await storage.requireNothingLeft(service, service.servers(true))
  }

  /// Goal: a storage that does not have the files is said to be another one.
  @Test(arguments: [true, false]) func otherStorage(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let empty = try TemporaryDirectory()
    let service = try StandIn(empty.path)
    let run = try await storage.attach(service.servers(hasController), ["--wait", "1"])
    #expect(run.exitCode == 66, "\(run.error)")
    #expect(run.error.contains("[not-in-remote-storage]"), "\(run.error)")
    try service.requireNoHarm()
  }

  /// Goal: a controller that makes nothing on safekeepers is noticed.
  @Test func noSafekeepers() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path, safekeepers: 0)
    let run = try await storage.attach(service.servers(true))
    #expect(run.exitCode == 69 && run.error.contains("[safekeepers-missing]"), "\(run.error)")
    #expect(run.error.contains("timeline \(ServiceStorage.timeline) is active at 0/215AD68"))
    let alone = try await storage.attach(service.servers(false))
    #expect(alone.exitCode == 0, "\(alone.error)")
    let status = try await ProgramRun.run(
      ["status", storage.timelinePath, "--json"] + service.servers(false))
    #expect(status.exitCode == 1, "\(status.error)")
    #expect(status.error.contains("no safekeepers were given"), "\(status.error)")
    try service.requireNoHarm()
  }

  /// Goal: most of the safekeepers are enough, and the other is named. Method: a tenant with shards, as
  /// only safekeepers are asked for it by that path.
  @Test(arguments: [
    (StandIn.Fault.status(404), "safekeeper-missing", "does not have"),
    (.cut, "safekeeper-unreachable", "did not answer about"),
  ]) func mostSafekeepers(fault: StandIn.Fault, code: String, words: String) async throws {
    let storage = try await ServiceStorage(shards: 2)
    let service = try StandIn(storage.path)
    let servers = service.servers(true)
    #expect(try await storage.attach(servers).exitCode == 0)
    let path = "/v1/tenant/\(ServiceStorage.tenant)/timeline/\(ServiceStorage.timeline)"
    // As often as such a call is tried.
    try service.fail("GET", path, fault, count: fault.isAnswer ? 1 : 4)
    let run = try await storage.attach(servers)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("warning: safekeeper 1 ("), "\(run.error)")
    #expect(run.error.contains(") \(words) timeline"), "\(run.error)")
    #expect(run.outputText.hasSuffix(", safekeepers 2, 3\n"), "\(run.outputText)")
    try service.fail("GET", path, fault, count: fault.isAnswer ? 1 : 4)
    let object = try await storage.attach(servers, ["--json"])
    #expect(object.error.hasPrefix("warning: safekeeper 1 ("), "\(object.error)")
    let summary = try JSONDecoder().decode(AttachSummary.self, from: object.output)
    #expect(summary.warnings.map(\.code.rawValue) == [code])
    #expect(
      summary.inPlace.map(\.code.rawValue) == [
        "tenant-attached", "timeline-active", "timeline-on-safekeepers",
      ])
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
    let run = try await storage.attach(servers, ["--json"])
    #expect(run.exitCode == 0, "\(run.error)")
    let warnings = try JSONDecoder().decode(AttachSummary.self, from: run.output).warnings
    #expect(warnings.map(\.code.rawValue) == .init(repeating: "safekeeper-refused", count: 3))
    for number in 1...3 {
      #expect(
        run.error.contains(
          "warning: safekeeper \(number) (\(service.safekeeper(number))) does not take"))
    }
    try service.fail("GET", path, .status(401), count: 3)
    let status = try await ProgramRun.run(["status", storage.timelinePath] + servers)
    #expect(status.exitCode == 0, "\(status.error)")
    // The line may be broken where the terminal ends.
    let words = status.outputText.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(words.contains("3 (does not take the token)"), "\(status.outputText)")
    // Without a controller, the token is meant for them.
    try service.fail("GET", path, .status(403))
    let alone = try await storage.attach(service.servers(false))
    #expect(alone.exitCode == 77, "\(alone.error)")
    try service.requireNoHarm()
  }

  /// Goal: a proxy of the environment gets no call by plain HTTP, from the program or the commands.
  @Test func proxy() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let proxy = ["http_proxy": "http://127.0.0.1:1", "no_proxy": ""]
    let plan = try await storage.attach(service.servers(true), ["--dry-run"], environment: proxy)
    #expect(plan.exitCode == 0, "\(plan.error)")
    let script = try await ProgramRun.run(
      [], script: "set -e\n" + plan.outputText, environment: proxy)
    #expect(script.exitCode == 0, "\(script.error)")
    let run = try await storage.attach(service.servers(true), environment: proxy)
    #expect(run.error == "note: everything was in place already\n")
  }
}
