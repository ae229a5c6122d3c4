import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// `attach --dry-run`, whose commands are run, and `status`.
@Suite struct AttachPlanTests {
  /// Goal: the commands that a dry run prints do what `attach` does. Method: bash runs them; then
  /// everything is in service, and `attach` finds nothing to do. A dry run itself changes nothing.
  @Test(
    arguments: [(1, 0, false), (2, 0, false), (1, 2, false), (1, 0, true)], [true, false])
  func commands(scene: (timelines: Int, shards: Int, isSecond: Bool), hasController: Bool)
    async throws
  {
    let storage = try await ServiceStorage(timelines: scene.timelines, shards: scene.shards)
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    if scene.isSecond {
      let run = try await ProgramRun.run(["attach", storage.tenantPath] + servers)
      #expect(run.exitCode == 0, "\(run.error)")
      try await storage.add(.second)
    }
    let count = try service.calls().count
    let plan = try await ProgramRun.run(["attach", storage.tenantPath, "--dry-run"] + servers)
    #expect(plan.exitCode == 0, "\(plan.error)")
    #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead))
    let script = try await ProgramRun.run([], script: "set -e\n" + plan.outputText)
    #expect(script.exitCode == 0, "\(plan.outputText)\n\(script.error)")
    // Where the shards are is known only after the first call.
    let hasMore = hasController && scene.shards > 0
    #expect(plan.outputText.contains("run --dry-run again") == hasMore)
    if hasMore {
      let rest = try await ProgramRun.run(["attach", storage.tenantPath, "--dry-run"] + servers)
      for shard in storage.shardNames {
        // Before the call, and after it.
        let url = "\(service.pageserver)/v1/tenant/\(shard)/timeline/\(ServiceStorage.timeline)"
        #expect(rest.outputText.split(separator: url).count == 3, "\(rest.outputText)")
      }
      let script = try await ProgramRun.run([], script: "set -e\n" + rest.outputText)
      #expect(script.exitCode == 0, "\(rest.outputText)\n\(script.error)")
    }
    let status = try await ProgramRun.run(["status", storage.tenantPath, "--json"] + servers)
    #expect(status.exitCode == 0, "\(status.error)")
    let again = try await ProgramRun.run(["attach", storage.tenantPath] + servers)
    #expect(again.error == "note: everything was in place already\n")
    let nothing = try await ProgramRun.run(["attach", storage.tenantPath, "-n"] + servers)
    #expect(
      nothing.outputText.hasPrefix("# tenant \(ServiceStorage.tenant): everything is in place;"))
    #expect(!nothing.outputText.contains("-X"))
    try service.requireNoHarm()
  }

  /// Goal: a command that is run too early makes nothing. Method: the last that changes something, run
  /// alone, while the pageserver has the tenant and not the timeline.
  @Test(arguments: [true, false]) func tooEarly(hasController: Bool) async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let servers = service.servers(hasController)
    let run = try await ProgramRun.run(["attach", storage.tenantPath] + servers)
    #expect(run.exitCode == 0, "\(run.error)")
    try await storage.add(.second)
    let plan = try await ProgramRun.run(
      ["attach", storage.tenantPath, "--dry-run", "--json"] + servers)
    struct Plan: Decodable {
      struct Call: Decodable {
        var method: String
        var command: String
      }
      var calls: [Call]
    }
    let calls = try JSONDecoder().decode(Plan.self, from: plan.output).calls
    let last = try #require(calls.last { $0.method == "POST" })
    let count = try service.calls().count
    let script = try await ProgramRun.run(
      [], script: last.command.replacing("--retry 10", with: "--retry 0"))
    #expect(script.exitCode != 0, "\(last.command)")
    #expect(try service.calls().dropFirst(count).allSatisfy(\.isRead))
    try service.requireNoHarm()
  }

  /// Goal: the commands take a token from where it was given, and it is not in them.
  @Test(arguments: [true, false]) func token(isInFile: Bool) async throws {
    let storage = try await ServiceStorage()
    let token = "a-secret.token"
    let service = try StandIn(storage.path, options: ["--token", token])
    let directory = try TemporaryDirectory()
    let file = directory.path + "/the token's file"
    try (token + "\n").write(toFile: file, atomically: false, encoding: .utf8)
    let options = isInFile ? ["--token-file", file] : []
    let environment = isInFile ? [:] : [ServiceArguments.tokenVariable: token]
    let plan = try await ProgramRun.run(
      ["attach", storage.timelinePath, "--dry-run"] + service.servers(true) + options,
      environment: environment)
    #expect(plan.exitCode == 0 && !plan.outputText.contains(token), "\(plan.error)")
    // What the processes that the shell starts see of it.
    let script = try await ProgramRun.run(
      [], script: "set -ex\n" + plan.outputText, environment: environment)
    #expect(script.exitCode == 0, "\(script.error)")
    #expect(
      script.error.split(separator: "\n").filter { $0.contains(token) }.allSatisfy {
        $0.contains("+ printf ")
      }, "\(script.error)")
    let status = try await ProgramRun.run(
      ["status", storage.timelinePath] + service.servers(true) + options, environment: environment)
    #expect(status.exitCode == 0, "\(status.error)")
  }

  // MARK: Status

  /// Goal: `status` says how far a timeline is, and changes nothing. Method: before, between and after
  /// the steps.
  @Test func status() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let arguments = ["status", storage.timelinePath] + service.servers(true)
    func status(_ lack: String) async throws -> AttachSummary {
      let run = try await ProgramRun.run(arguments + ["--json"])
      #expect(run.exitCode == (lack.isEmpty ? 0 : 1), "\(run.error)")
      #expect(lack.isEmpty || run.error.contains(lack), "\(run.error)")
      return try JSONDecoder().decode(AttachSummary.self, from: run.output)
    }
    let before = try await status(
      "is not in service: the pageserver does not have it [not-in-service]")
    #expect(before.shards.isEmpty && before.served[0].l0LayerCount > 0)
    #expect(try service.calls().allSatisfy(\.isRead))
    try service.call(
      "POST", "\(service.controller)/debug/v1/tenant/\(ServiceStorage.tenant)/import")
    let attached = try await status("is not in service: it is on no safekeeper")
    #expect(attached.served[0].state == "active" && attached.shards.count == 1)
    try service.call(
      "POST", "\(service.controller)/v1/tenant/\(ServiceStorage.tenant)/timeline",
      "{\"new_timeline_id\":\"\(ServiceStorage.timeline)\",\"pg_version\":15}")
    let after = try await status("")
    #expect(after.served[0].safekeepers.map(\.state) == [.ready, .ready, .ready])
    #expect(after.served[0].lastRecordLSN == "0/215AD68")
    #expect(after.served[0].notUploadedByteCount == 0)
    let text = try await ProgramRun.run(arguments)
    #expect(text.exitCode == 0)
    for line in [
      "  in service        yes", "  LSN               0/215AD68", "  WAL not uploaded  0 bytes",
      "  safekeepers       1 (from 0/215AD68), 2 (from 0/215AD68), 3 (from 0/215AD68)",
    ] { #expect(text.outputText.contains("\n\(line)\n"), "\(text.outputText)") }
    try service.requireNoHarm()
  }

  /// Goal: with a pageserver alone, `attach` and `status` agree that the timeline is not in service, and
  /// what they say to do takes it there.
  @Test func withoutSafekeepers() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let all = service.servers(false)
    let pageserver = Array(all.prefix(2))
    #expect(pageserver[0] == "--pageserver")
    for _ in 0..<2 {
      let attach = try await ProgramRun.run(["attach", storage.timelinePath] + pageserver)
      #expect(attach.exitCode == 0, "\(attach.error)")
      #expect(
        attach.outputText.contains("is attached at LSN 0/215AD68: pageserver "),
        "\(attach.outputText)")
      #expect(
        attach.error.contains(
          "warning: no safekeepers were given, so computes can only read timeline"),
        "\(attach.error)")
    }
    let status = try await ProgramRun.run(["status", storage.timelinePath] + pageserver)
    #expect(status.exitCode == 1, "\(status.error)")
    #expect(
      status.error.contains("hint: Name its safekeepers with '--safekeeper'"), "\(status.error)")
    let attach = try await ProgramRun.run(["attach", storage.timelinePath] + all)
    #expect(attach.exitCode == 0 && attach.outputText.contains("is in service"), "\(attach.error)")
    let after = try await ProgramRun.run(["status", storage.timelinePath] + all)
    #expect(after.exitCode == 0, "\(after.error)")
    let quiet = try await ProgramRun.run(["status", "-q", storage.timelinePath] + all)
    #expect(quiet.exitCode == 0 && quiet.error.isEmpty && quiet.output == after.output)
    try service.requireNoHarm()
  }

  /// Goal: the same without a controller, and for a service that is not there or has other data.
  @Test func statusAlone() async throws {
    let storage = try await ServiceStorage()
    let service = try StandIn(storage.path)
    let arguments = ["status", storage.timelinePath, "--json"] + service.servers(false)
    let before = try await ProgramRun.run(arguments)
    #expect(before.exitCode == 1, "\(before.error)")
    let attach = try await ProgramRun.run(["attach"] + arguments.dropFirst())
    #expect(attach.exitCode == 0, "\(attach.error)")
    let after = try await ProgramRun.run(arguments)
    #expect(after.exitCode == 0, "\(after.error)")
    try storage.changeIndex("\"0/215AD68\"", to: "\"0/315AD68\"")
    let other = try await ProgramRun.run(arguments)
    #expect(other.exitCode == 65, "\(other.error)")
    let silent = try await ProgramRun.run(
      ["status", storage.timelinePath, "--json", "--controller", "http://127.0.0.1:1"])
    #expect(
      silent.exitCode == 69 && silent.error.contains("[service-unavailable]"), "\(silent.error)")
    try service.requireNoHarm()
  }
}
