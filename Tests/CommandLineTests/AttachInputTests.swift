import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// What `attach` is given: files, options, tokens; and `import --attach-to`.
@Suite struct AttachInputTests {
  /// Goal: files that are not whole are refused before the first call.
  @Test(
    arguments: [
      ("rm -r tenants/*-0104", 65, "-0104'"),
      ("rm tenants/*/tenant-manifest*", 65, "[stripe-size-unknown]"),
      ("rm tenants/*-0004/tenant-manifest*", 65, "shard 0 of 4 of "),
      ("rm -r tenants/*-0204/timelines/*", 65, "only 3 of 4 shards have timeline"),
      ("rm tenants/*-0004/timelines/*/0000*", 65, "is missing"),
      ("rm -r tenants/*/timelines/*/index*", 66, "run 'import-backup publish' first."),
      ("rm -r tenants", 66, "does not exist"),
    ] as [(String, Int32, String)])
  func brokenFiles(command: String, code: Int32, words: String) async throws {
    let storage = try await ServiceStorage(shards: 4)
    let service = try StandIn(storage.path)
    _ = try Shell.output("bash", "-c", command, directory: storage.path)
    let run = try await storage.attach(service.servers(true), ["--json"], place: storage.tenantPath)
    #expect(run.exitCode == code && run.error.contains(words), "\(run.error)")
    #expect(try service.calls().isEmpty)
  }

  /// Goal: a service with other shards is noticed. Method: the service's storage has two, the files four.
  @Test func otherShards() async throws {
    let storage = try await ServiceStorage(shards: 2)
    let files = try await ServiceStorage(shards: 4)
    let service = try StandIn(storage.path)
    let run = try await files.attach(service.servers(true))
    #expect(run.exitCode == 65 && run.error.contains("[shard-conflict]"), "\(run.error)")
    #expect(run.error.contains("as 2 shards, the files as 4 shards"), "\(run.error)")
    for shard in storage.shardNames {
      try storage.write(
        #"{"version":2,"stripe_size":128,"offloaded_timelines":[]}"#,
        to: "tenants/\(shard)/tenant-manifest-00000002.json")
    }
    let same = try await ServiceStorage(shards: 2)
    let other = try StandIn(storage.path)
    let stripes = try await same.attach(other.servers(true))
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
      (
        ["--pageserver", "http://h", "--safekeeper", "http://h:1", "--safekeeper", "http://h:2"],
        "the same address for WAL, 'h:5454'"
      ),
      (["--controller", "http://h", "--region", "x"], "are for timelines in an object store"),
      (["--pageserver", "http://h", "--attach-generation", "0"], "must be a number"),
    ] as [([String], String)])
  func commandLine(options: [String], words: String) async throws {
    let storage = try await ServiceStorage()
    let run = try await storage.attach(options, ["--json"])
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
      let run = try await storage.attach(servers, options, environment: environment)
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
      let run = try await storage.attach(servers, ["--token-file", file])
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
    #expect(silent.error.contains("Nothing was imported."), "\(silent.error)")
    // What the service does not find, as its storage is another one; the command that is left says so as well.
    let elsewhere = try await ProgramRun.run([
      backup, "-o", directory.path + "/other", "--attach-to", service.controller, "--json",
      "--wait",
      "7",
    ])
    #expect(elsewhere.exitCode == 66, "\(elsewhere.error)")
    #expect(elsewhere.error.contains("is complete: only 'attach' is left to be run.\n  "))
    let command = try #require(elsewhere.error.split(separator: "\n").last)
    #expect(command.hasSuffix(" --controller \(service.controller) --wait 7"), "\(command)")
    let again = try Shell.output("bash", "-c", "\(command) 2>&1 || true")
    #expect(String(decoding: again, as: UTF8.self).contains("[not-in-remote-storage]"))
    #expect(elsewhere.outputText.contains("\"timelinePath\""))
    // The tenant is attached at generation 2, which does not see this one.
    let newer = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", service.controller, "--generation", "5", "--tenant-id",
      ServiceStorage.tenant,
    ])
    #expect(newer.exitCode == 69, "\(newer.error)")
    #expect(newer.error.contains("[generation-conflict]"), "\(newer.error)")
    #expect(newer.error.contains("Import with '--generation 2' or less. Nothing was imported."))
    // What is served is not written over.
    let before = try service.calls().count
    let timelines = "\(output)/tenants/\(ServiceStorage.tenant)/timelines"
    let served = try FileManager.default.contentsOfDirectory(atPath: timelines)[0]
    let files = try directory.files()
    for more in [["--shards", "2"], ["--force", "--generation", "2", "--timeline-id", served]] {
      let run = try await ProgramRun.run(
        [
          backup, "-o", output, "--attach-to", service.controller, "--tenant-id",
          ServiceStorage.tenant,
        ]
          + more)
      #expect(run.exitCode == 65 && run.error.contains("Nothing was imported."), "\(run.error)")
    }
    #expect(try directory.files() == files)
    #expect(try service.calls().dropFirst(before).allSatisfy(\.isRead))
    let both = try await ProgramRun.run([
      backup, "-o", output, "--attach-to", "http://127.0.0.1:1", "--dry-run",
    ])
    #expect(both.exitCode == 64, "\(both.error)")
    let lonely = try await ProgramRun.run([backup, "-o", output, "--token-file", backup])
    #expect(lonely.exitCode == 64, "\(lonely.error)")
  }
}
