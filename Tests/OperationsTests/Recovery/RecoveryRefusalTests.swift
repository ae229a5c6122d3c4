import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Backups and places that a recovery refuses before any server runs. Method: a program that says
/// it is Postgres 15, and does nothing else.
@Suite struct RecoveryRefusalTests {
  /// The error that an import with recovery of `tar`, unpacked, ends with; it must leave nothing.
  private static func refusal(
    of tar: TestTar, _ configure: (inout RecoveryOptions) -> Void = { _ in }
  ) async throws -> Failure? {
    let directory = try TemporaryDirectory()
    let error = try await refusal(of: tar, in: directory, output: "out", version: "15.3", configure)
    if error != nil {
      let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      #expect(names.sorted() == ["bin", "data"])
    }
    return error
  }

  /// The same in a directory of the caller's, with a program that says it is `version`.
  private static func refusal(
    of tar: TestTar, in directory: TemporaryDirectory, output: String, version: String,
    _ configure: (inout RecoveryOptions) -> Void
  ) async throws -> Failure? {
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    try tar.unpack(into: directory.path + "/data")
    let programs = directory.path + "/bin"
    try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
    // By a process of its own: one that another test starts meanwhile would keep the file open.
    let script =
      "printf '#!/bin/sh\\necho \"postgres (PostgreSQL) \(version)\"\\n' > postgres; "
      + "chmod 755 postgres"
    _ = try Shell.output("sh", "-c", script, directory: programs)
    var options = ImportOptions(
      backup: directory.path + "/data", outputDirectory: directory.path + "/" + output)
    var recovery = RecoveryOptions(programs: programs)
    recovery.trustsBackup = !Sandboxing.works
    configure(&recovery)
    options.recovery = recovery
    do {
      _ = try importBackup(options, progress: nil)
      return nil
    } catch {
      return error
    }
  }

  /// The small cluster, in the state of one that was running, with a `pg_wal` of its own.
  private static func running(
    _ change: (inout [UInt8]) -> Void = { _ in }
  ) -> TestTar {
    var tar = SmallBackup.withControlFile {
      $0.replaceSubrange(16..<20, with: SmallBackup.bytesOf(6))
      change(&$0)
    }
    tar["pg_wal"] = .init("./pg_wal", type: "5")
    return tar
  }

  /// Goal: a time is of a known zone, on the command line and in what a hint says. Method: the forms that
  /// Postgres takes; a backup whose own settings have one.
  @Test func zones() async throws {
    for time in [
      "2026-01-31 12:00:00+00", "2026-01-31 12:00:00.5 -05:30", "2026-01-31T12:00Z",
      "2026-01-31 12:00 PM CET",
      "Jan 31 12:00:00 2026 Europe/Berlin",
    ] { #expect(RecoveryTarget.hasZone(time), "\(time)") }
    for time in [
      "2026-01-31 12:00:00", "2026-01-31 12:00:00.123456", "2026-01-31", "2026-01-31 12:00 PM", "",
    ] {
      #expect(!RecoveryTarget.hasZone(time), "\(time)")
    }
    for (zone, isKnown) in [("", false), ("+01", true)] {
      var tar = Self.running()
      tar.members.append(.init("./recovery.signal"))
      let settings = "recovery_target_time = '2026-01-31 12:00:00\(zone)'\n"
      tar.members.append(.init("./postgresql.auto.conf", contents: Array(settings.utf8)))
      let error = try await Self.refusal(of: tar)
      #expect(error?.code == .recoveryTargetInBackup)
      #expect((error?.remedy != nil) == isKnown)
      #expect(error?.hint?.contains("offset from UTC") == !isKnown)
    }
  }

  /// Goal: a control file that no server wrote is refused. Method: WAL segments of no bytes, and a
  /// segment in `pg_wal` that would be numbered by that.
  @Test func impossibleSegmentSize() async throws {
    var tar = Self.running { $0.replaceSubrange(228..<232, with: SmallBackup.bytesOf(0)) }
    tar.members.append(.init("./pg_wal/0000000100000000FFFFFFFF", contents: [1]))
    let error = try await Self.refusal(of: tar)
    #expect(error?.exitCode == .unsupported)
    #expect(error?.message.contains("WAL segment size 0") == true, "\(error?.message ?? "none")")
  }

  /// Goal: the directory that a server is running in is no backup, but a copy with a `backup_label` is
  /// one. Method: a `postmaster.pid` that names a process that lives and works there, with and without
  /// the label.
  @Test func server() async throws {
    for hasLabel in [false, true] {
      let directory = try TemporaryDirectory()
      let data = directory.path + "/data"
      try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
      let process = Process()
      let input = Pipe()
      process.executableURL = URL(filePath: "/bin/cat")
      process.currentDirectoryURL = URL(filePath: data)
      process.standardInput = input
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      var tar = Self.running()
      tar.members.append(
        .init("./postmaster.pid", contents: Array("\(process.processIdentifier)\n\(data)\n".utf8)))
      if hasLabel {
        let label = "START WAL LOCATION: 0/2000028 (file 1)\nSTART TIMELINE: 1\n"
        tar.members.append(.init("./backup_label", contents: Array(label.utf8)))
      }
      let error = try await Self.refusal(of: tar, in: directory, output: "out", version: "15.3") {
        _ in
      }
      let isRefusedForServer = error?.message.contains("a server is running in the data directory")
      #expect(isRefusedForServer == !hasLabel, "\(error?.message ?? "none")")
      try input.fileHandleForWriting.close()
      process.waitUntilExit()
    }
  }

  /// Goal: a file that ends within a page is damage where no server was extending it. Method: a cluster
  /// that was shut down, in one pass and on a full copy; one that was running gets further.
  @Test(arguments: [false, true]) func partialPage(copiesAll: Bool) async throws {
    for isRunning in [false, true] {
      var tar = isRunning ? Self.running() : SmallBackup.tar
      tar["pg_wal"] = .init("./pg_wal", type: "5")
      tar["base/5/2606"].contents += [UInt8](repeating: 7, count: 4096)
      let error = try await Self.refusal(of: tar) { $0.copiesAll = copiesAll }
      #expect((error?.code == .fileTruncated) == !isRunning, "\(error?.message ?? "none")")
      #expect(error?.message.contains("'base/5/2606' has") == !isRunning)
    }
  }

  /// Goal: a target may be in a file that the backup's settings include, so such a backup is not recovered
  /// to the end of its WAL without a word. Method: an active directive and one in a comment, with a signal
  /// file and without; the option that accepts it.
  @Test func includedSettings() async throws {
    for (text, signal, ignores, isRefused) in [
      ("include 'rec.conf'", "recovery.signal", false, true),
      ("include_dir = 'conf.d'", "standby.signal", false, true),
      ("#include 'rec.conf'", "recovery.signal", false, false),
      ("include 'rec.conf'", "notes", false, false),
      ("include 'rec.conf'", "recovery.signal", true, false),
    ] {
      var tar = Self.running()
      tar["postgresql.conf"].contents += Array("\n\(text)\n".utf8)
      tar.members.append(.init("./" + signal))
      let error = try await Self.refusal(of: tar) { $0.ignoresSettings = ignores }
      #expect(
        (error?.code == .recoveryTargetInBackup) == isRefused,
        "\(text) \(signal): \(error?.message ?? "none")")
      if isRefused {
        #expect(error?.exitCode == .unsupported)
        #expect(error?.message.contains(text.replacing("= ", with: "")) == true)
      }
    }
  }

  /// Goal: a link to WAL that is elsewhere is told of by name. Method: the fixture's own.
  @Test func missingWriteAheadLog() async throws {
    let error = try await Self.refusal(of: SmallBackup.tar)
    #expect(error?.exitCode == .damaged)
    #expect(
      error?.message.contains("/pg_wal' does not exist") == true, "\(error?.message ?? "none")")
    #expect(error?.hint?.contains("--wal") == true)
  }

  /// Goal: a place that is not there is told of by name and option, and not taken for a damaged
  /// backup; where the programs are below it, the hint says where.
  @Test func missingPlaces() async throws {
    let programs = try await Self.refusal(of: SmallBackup.tiny) { $0.programs = "/no/bin" }
    #expect(programs?.exitCode == .unsupported)
    #expect(programs?.message == "no 'postgres' in '/no/bin'")
    #expect(programs?.hint?.contains("--recover-with") == true)
    let above = try TemporaryDirectory()
    _ = try Shell.output("sh", "-c", "mkdir bin; touch bin/postgres", directory: above.path)
    for directory in [above.path, above.path + "/"] {
      let found = try await Self.refusal(of: SmallBackup.tiny) { $0.programs = directory }
      #expect(found?.code == .postgresNotFound)
      #expect(found?.hint == "Give '\(above.path)/bin' with '--recover-with'.")
    }
    let scratch = try await Self.refusal(of: SmallBackup.tiny) { $0.scratchParent = "/no/scratch" }
    #expect(scratch?.exitCode == .cannotCreate)
    #expect(scratch?.message.contains("'/no/scratch'") == true)
    #expect(scratch?.hint?.contains("--scratch") == true)
    let wal = try await Self.refusal(of: SmallBackup.tiny) { $0.writeAheadLog = "/no/wal.tar" }
    #expect(wal?.exitCode == .cannotOpen)
    #expect(wal?.message.contains("'/no/wal.tar'") == true)
    #expect(wal?.hint?.contains("--wal") == true)
  }

  /// Goal: where the output's parents are not there, they are made, for the copy lies beside the
  /// output, and go again with it. Method: programs of another version, which are found out when the
  /// copy has been made; and the copy kept.
  @Test(arguments: [false, true]) func missingParents(keepsScratch: Bool) async throws {
    let directory = try TemporaryDirectory()
    let error = try await Self.refusal(
      of: Self.running(), in: directory, output: "a/b/out", version: "17.5"
    ) { $0.keepsScratch = keepsScratch }
    #expect(error?.exitCode == .unsupported)
    #expect(
      error?.message.contains("the backup is from Postgres") == true, "\(error?.message ?? "none")")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    #expect(names == (keepsScratch ? ["a", "bin", "data"] : ["bin", "data"]))
    guard keepsScratch else { return }
    let kept = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/a/b")
    #expect(kept.count == 1 && kept.first?.hasPrefix("import-backup-recovery-") == true)
  }

  /// Goal: a backup that may not be looked at cannot be opened, which is no failure to read. Method:
  /// the code of each call's failure, as root may look at everything.
  @Test func forbidden() {
    for operation in [SystemCalls.Operation.measure, .listInput, .open] {
      #expect(SystemCalls.failure(operation, "backup", EACCES).exitCode == .cannotOpen)
      #expect(SystemCalls.failure(operation, "backup", EIO).exitCode == .inputOutput)
    }
  }
}
