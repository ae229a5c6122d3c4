import Foundation
import TestSupport
import Testing

/// Whatever becomes of a call, `attach` ends as if nothing had happened, at the latest when it is run
/// again.
@Suite struct AttachFaultTests {
  /// Every way for a call that changes something; for one that only looks, two of them, in turn.
  private static func faults(of call: StandIn.Call, number: Int) -> [StandIn.Fault] {
    let looks: [[StandIn.Fault]] = [[.status(503), .drop], [.cut, .hang]]
    return call.isRead ? looks[number % 2] : looks.flatMap(\.self)
  }

  /// A way to the end: which calls are made depends on it.
  struct Way: Sendable, CustomTestStringConvertible {
    var hasController: Bool
    /// Whether another timeline of the tenant is in service already.
    var isSecond = false

    var testDescription: String {
      (hasController ? "controller" : "pageserver") + (isSecond ? ", second timeline" : "")
    }

    static let all = [true, false].flatMap { hasController in
      [false, true].map { Way(hasController: hasController, isSecond: $0) }
    }

    /// A service that is about to go this way, and the arguments of the program.
    func start() async throws -> (ServiceStorage, StandIn, [String]) {
      let storage = try await ServiceStorage()
      let service = try StandIn(storage.path)
      var place = storage.timelinePath
      let options = service.servers(hasController) + ["--call-timeout", "2", "--quiet"]
      if isSecond {
        let run = try await ProgramRun.run(["attach", place] + options)
        try #require(run.exitCode == 0, "\(run.error)")
        try await storage.add(.second)
        place = "\(storage.tenantPath)/timelines/\(ServiceStorage.secondTimeline)"
      }
      return (storage, service, ["attach", place] + options)
    }

    /// The calls of an undisturbed run, each kind once, for a second timeline only those that change
    /// something; and what the servers have after it, without ports.
    func undisturbed() async throws -> (calls: [StandIn.Call], state: [String]) {
      let (storage, service, arguments) = try await start()
      let count = try service.calls().count
      let run = try await ProgramRun.run(arguments)
      try #require(run.exitCode == 0, "\(run.error)")
      var calls: [StandIn.Call] = []
      for call in try service.calls().dropFirst(count)
      where !(isSecond && call.isRead)
        && !calls.contains(where: { $0.method == call.method && $0.path == call.path })
      {
        calls.append(call)
      }
      return (calls, Self.comparable(try service.state(of: storage)))
    }

    static func comparable(_ state: [String]) -> [String] {
      state.map {
        $0.replacing(/"pg_port": ?\d+/, with: "").replacing(/"generation": ?\d+/, with: "")
      }
    }
  }

  /// Goal: every call may fail once, in each way. Method: one fault at a time; the state of all servers
  /// is that of an undisturbed run, and a second run changes nothing.
  @Test(.timeLimit(.minutes(10)), arguments: Way.all) func everyCall(way: Way) async throws {
    let (calls, state) = try await way.undisturbed()
    #expect(calls.count >= (way.isSecond ? 2 : 5))
    for (number, call) in calls.enumerated() {
      for fault in Self.faults(of: call, number: number) {
        let (storage, service, arguments) = try await way.start()
        try service.fail(call.method, call.path, fault)
        let comment = "\(call), \(fault)"
        let run = try await ProgramRun.run(arguments)
        #expect(run.exitCode == 0, "\(comment): \(run.error)")
        #expect(Way.comparable(try service.state(of: storage)) == state, "\(comment)")
        let count = try service.calls().count
        let again = try await ProgramRun.run(arguments)
        #expect(again.exitCode == 0, "\(comment), and again: \(again.error)")
        #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead), "\(comment)")
        try service.requireNoHarm(comment)
      }
    }
  }

  /// Goal: the program may be killed at any call, done or not. Method: the call does not end; the program
  /// is killed when the server has got it, and run again.
  @Test(.timeLimit(.minutes(10)), arguments: Way.all) func killed(way: Way) async throws {
    let (calls, state) = try await way.undisturbed()
    for call in calls {
      let (storage, service, arguments) = try await way.start()
      try service.fail(call.method, call.path, .hang)
      let count = try service.calls().count
      let run = try await ProgramRun.run(
        arguments.map { $0 == "2" ? "60" : $0 },
        started: { process in
          Thread.detachNewThread {
            for _ in 0..<3000 {
              let seen = (try? service.calls().dropFirst(count)) ?? []
              if seen.contains(where: { $0.method == call.method && $0.path == call.path }) {
                break
              }
              usleep(10_000)
            }
            kill(process, SIGKILL)
          }
        })
      #expect(run.signal == SIGKILL, "\(call): \(run.error)")
      let again = try await ProgramRun.run(arguments)
      #expect(again.exitCode == 0, "\(call): \(again.error)")
      #expect(Way.comparable(try service.state(of: storage)) == state, "\(call)")
      try service.requireNoHarm("\(call)")
    }
  }

  /// Goal: a signal ends it while it waits, and says so.
  @Test func signalled() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path, options: ["--nodes-after", "3600"])
    let run = try await ProgramRun.run(
      ["attach", storage.timelinePath, "--json"] + service.servers(true),
      started: { process in
        Thread.detachNewThread {
          for _ in 0..<3000 {
            if let calls = try? service.calls(),
              calls.contains(where: { $0.path == "/control/v1/node" })
            {
              break
            }
            usleep(10_000)
          }
          kill(process, SIGTERM)
        }
      })
    #expect(run.exitCode == 143, "\(run.error)")
    #expect(run.error.contains("terminated by a signal [terminated]"), "\(run.error)")
    try service.requireNoHarm()
  }

  /// Goal: a service that fails for good is given up in time, with its own words and what is in place.
  @Test func neverAgain() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    try service.fail(
      "POST", "/v1/tenant/\(ServiceStorage.tenant)/timeline", .status(503), count: 200)
    let run = try await ProgramRun.run(
      ["attach", storage.timelinePath, "--wait", "1", "--json"] + service.servers(true))
    #expect(run.exitCode == 69 && run.error.contains("[service-unavailable]"), "\(run.error)")
    #expect(run.error.contains("was answered with 503: made to fail"), "\(run.error)")
    #expect(run.error.contains("timeline \(ServiceStorage.timeline) is active at 0/215AD68"))
    try service.requireNoHarm()
  }
}
