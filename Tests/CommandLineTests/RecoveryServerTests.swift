import Backup
import Foundation
import Operations
import TestSupport
import Testing

/// Goal: a backup of a running cluster with tablespaces becomes a timeline with the same data that
/// vanilla Postgres restores from the backup; backups that cannot be recovered are refused.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized, .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"),
  .sharedCluster)
struct RecoveryServerTests {
  /// Imports with recovery; the scratch directory is next to the output.
  private static func run(
    _ backup: String, in directory: TemporaryDirectory, programs: String, _ more: [String] = [],
    script: String? = nil
  ) async throws -> ProgramRun {
    return try await ProgramRun.run(
      [
        backup, "--output", directory.path + "/out", "--tenant-id",
        String(repeating: "a", count: 32), "--timeline-id", String(repeating: "b", count: 32),
        "--recover-with", programs,
      ] + Sandboxing.options + more, script: script)
  }

  private static func timeline(in directory: TemporaryDirectory) -> String {
    let (tenant, timeline) = (String(repeating: "a", count: 32), String(repeating: "b", count: 32))
    return directory.path + "/out/tenants/\(tenant)/timelines/\(timeline)"
  }

  /// The sums of all databases, also of those that allow no connections, without the catalogs that
  /// contain the paths of relations.
  private static func sums(of server: PostgresServer) throws -> [String] {
    try server.start()
    _ = try server.query("ALTER DATABASE closed ALLOW_CONNECTIONS true")
    _ = try server.query("ALTER DATABASE \"d\"\"1\" RESET ALL")
    let places = [
      " pg_catalog.pg_class ", " pg_catalog.pg_database ", " pg_catalog.pg_shdepend ",
      " pg_catalog.pg_tablespace ",
    ]
    let sums = try server.sums().filter { line in !places.contains { line.contains($0) } }
    try server.stop()
    return sums
  }

  /// Goal: a recovery says what it does, and how far the server is. Method: the log of one with
  /// tablespaces.
  @Test func progress() async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let run = try await Self.run(
      cluster.path(.stream), in: directory, programs: cluster.programs, ["--progress", "plain"])
    #expect(run.exitCode == 0, "\(run.error)")
    let lines = run.error.split(separator: "\n").filter { $0.hasPrefix("progress: ") }
    #expect(
      lines.first
        == "progress: importing into '\(Self.timeline(in: directory))', generation 1")
    let phases = [
      "copying", "checking WAL", "replaying", "moving tablespaces", "reading", "finishing",
    ]
    #expect(
      lines.filter { line in phases.contains { line == "progress: \($0)" } }
        == phases.map { "progress: \($0)" })
    let ends = lines.filter { $0.contains(" done in ") }
    #expect(ends.count == phases.count)
    #expect(ends.filter { $0.contains("MiB") || $0.contains("KiB") }.count >= 4, "\(ends)")
  }

  /// Method: recover, import, verify, export and start each form of a backup; compare the sums of
  /// every table with those of a vanilla server that was restored from the same backup. Only the
  /// timeline is left, and the backup is unchanged.
  @Test(arguments: OnlineCluster.Form.allCases)
  func recovers(form: OnlineCluster.Form) async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let before = try Self.listing(cluster.directory)
    let run = try await Self.run(
      cluster.path(form), in: directory, programs: cluster.programs,
      cluster.arguments(form) + ["--json"])
    try #require(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.backupKind == "recovered")
    #expect(summary.recoveredBy?.hasPrefix("15.") == true)
    #expect(summary.movedTablespaces == ["one", #"T w"o\\"#])
    #expect(summary.changes.contains { $0.code.rawValue == "tablespaces-moved" })
    #expect(summary.preparedTransactionCount == 1)
    #expect(summary.manifest.result == (form == .stopped ? .none : .verified))
    #expect(summary.leftOut.contains { $0.names.contains("postgresql.auto.conf") })
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["out"])
    #expect(try Self.listing(cluster.directory) == before)

    let timeline = Self.timeline(in: directory)
    let verified = try await ProgramRun.run(["verify", timeline])
    #expect(verified.exitCode == 0, "\(verified.error)")
    let tar = directory.path + "/backup.tar"
    let exported = try await ProgramRun.run(["export", timeline, "-o", tar])
    #expect(exported.exitCode == 0, "\(exported.error)")
    let sums = try Self.sums(
      of: PostgresServer(unpacking: tar, programs: cluster.programs, user: "postgres"))
    let expected = try Self.sums(of: cluster.restored(form))
    #expect(Set(expected).symmetricDifference(sums).sorted().prefix(5) == [])
    #expect(sums.count == expected.count)
    #expect(sums.contains { $0.hasPrefix("closed public.c 9 ") })
  }

  /// Every name below a directory, with size and time.
  private static func listing(_ directory: String) throws -> [String] {
    try PostgresServer.shell(
      "find data plain* one two stream tar* ! -type d -printf '%p %s %T@\\n' | sort", [], directory)
  }

  /// Expects a refusal that leaves nothing.
  private static func expect(
    _ run: ProgramRun, code: Int32, _ words: String..., in directory: TemporaryDirectory
  ) throws {
    #expect(run.exitCode == code, "\(run.error)")
    #expect(run.output.isEmpty)
    for word in words { #expect(run.error.contains(word), "\(run.error)") }
    #expect(run.error.split(separator: "\n").contains { $0.hasPrefix("error: ") })
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(!names.contains { $0.hasPrefix("import-backup-recovery-") || $0 == "out" })
  }

  /// Goal: a relation's file that was copied while it grew may end within a page; all of it is compared
  /// with the manifest. Method: half a page behind files of each kind, so listed in the manifest and
  /// otherwise; tars in one pass and on a full copy, and a directory.
  @Test(arguments: [[], ["--full-copy"], ["--wal"], ["--wal", "--full-copy"]])
  func partialPages(more: [String]) async throws {
    let programs = try #require(PostgresServer.programs)
    var base = TestTar(decoding: try Fixture.bytes("online-15/base.tar"))
    let names = ["base/5/2606", "base/5/1259_fsm", "base/5/1259_vm", "global/1260"]
    for name in names { base[name].contents += [UInt8](repeating: 7, count: 4096) }
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup"
    let log = directory.path + "/pg_wal.tar"
    var arguments = more
    if let index = arguments.firstIndex(of: "--wal") {
      arguments.insert(log, at: index + 1)
      try base.unpack(into: backup)
      try Data(try Fixture.bytes("online-15/pg_wal.tar")).write(to: URL(filePath: log))
    } else {
      try FileManager.default.createDirectory(atPath: backup, withIntermediateDirectories: false)
      try Data(base.encoded()).write(to: URL(filePath: backup + "/base.tar"))
      try Data(try Fixture.bytes("online-15/pg_wal.tar")).write(
        to: URL(filePath: backup + "/pg_wal.tar"))
    }
    let manifest = directory.path + "/manifest"
    try Data(try TestManifest(base).encoded()).write(to: URL(filePath: manifest))
    // Its WAL range makes no sense, from which the space for tars would be taken.
    let isDirectory = more.contains("--wal")
    arguments += ["--manifest", isDirectory ? manifest : "none", "--json"]
    let forecast = try await Self.run(
      backup, in: directory, programs: programs, arguments + ["--dry-run"])
    #expect(forecast.exitCode == 0, "\(forecast.error)")
    let run = try await Self.run(backup, in: directory, programs: programs, arguments)
    try #require(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect((summary.manifest.result == .verified) == isDirectory)
    #expect(summary.pageCount == 7156)
    let verified = try await ProgramRun.run(
      ["verify", Self.timeline(in: directory), "--against", backup, "--recover-with", programs]
        + ["--scratch", directory.path] + Sandboxing.options
        + arguments.filter { $0.hasSuffix("pg_wal.tar") || more.contains($0) })
    #expect(verified.exitCode == 0, "\(verified.error)")
    guard isDirectory else { return }

    var changed = TestManifest(base)
    changed[names[0]].byteCount -= 4096
    try Data(try changed.encoded()).write(to: URL(filePath: manifest))
    let refused = try await Self.run(
      backup, in: directory, programs: programs, arguments + ["--generation", "2", "--force"])
    #expect(refused.exitCode == 65)
    #expect(refused.error.contains("[manifest-mismatch]"), "\(refused.error)")
  }

  /// Goal: a backup from another machine is recovered and checked against its manifest. Method: the
  /// fixture of a cluster under load, `-X stream`, compressed with zstd.
  @Test func fixture() async throws {
    let programs = try #require(PostgresServer.programs)
    let directory = try TemporaryDirectory()
    let run = try await Self.run(
      Fixture.path("online-15"), in: directory, programs: programs, ["--json"])
    try #require(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.manifest.result == .verified)
    #expect(summary.preparedTransactionCount == 1)
    #expect(summary.pageCount == 7156)
    let verified = try await ProgramRun.run(["verify", Self.timeline(in: directory)])
    #expect(verified.exitCode == 0, "\(verified.error)")
  }

  /// Goal: a missing WAL segment is refused with the server's message, and a restore command
  /// fetches it. Method: a copy of a plain backup without its last segment.
  @Test func missingSegment() async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    try PostgresServer.shell(
      #"""
      cp -a "$1/plain" backup; cd backup
      [[ $(tail -n 3 backup_manifest) =~ End-LSN\":\ \"([0-9A-F]+)/([0-9A-F]+) ]]
      printf -v name '%08X%08X%08X' 1 "0x${BASH_REMATCH[1]}" $(((0x${BASH_REMATCH[2]} - 1) >> 20))
      rm "pg_wal/$name"
      """#, [cluster.directory], directory.path)
    let backup = directory.path + "/backup"
    let run = try await Self.run(backup, in: directory, programs: cluster.programs)
    try Self.expect(
      run, code: 65, "cannot recover the backup: exit code 1", "FATAL:  WAL ends before",
      "hint: The WAL ends ", "--restore-command", in: directory)
    let asked = try await Self.run(
      backup, in: directory, programs: cluster.programs, ["--restore-command", "false"])
    try Self.expect(
      asked, code: 65, "[wal-missing]", "the restore command does not have WAL segment '0000",
      "hint: Look whether the archive has it", in: directory)
    let restored = try await Self.run(
      backup, in: directory, programs: cluster.programs,
      ["--restore-command", "cp '\(cluster.directory)/archive/%f' '%p'"])
    #expect(restored.exitCode == 0, "\(restored.error)")
  }

  /// Goal: a file that differs from the manifest is refused before a server starts.
  @Test(arguments: ["base/5/1259", "pg_tblspc/16384/PG_15_202209061/*/16???"])
  func damagedFile(name: String) async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    try PostgresServer.shell(
      """
      cp -a "$1/plain" backup; cp -a "$1/plain-16384" one; ln -sfn "$PWD/one" backup/pg_tblspc/16384
      files=(backup/\(name)); printf x | dd of="${files[0]}" bs=1 seek=300 conv=notrunc status=none
      """, [cluster.directory], directory.path)
    let run = try await Self.run(
      directory.path + "/backup", in: directory, programs: cluster.programs)
    try Self.expect(
      run, code: 65, "differs from its manifest", "does not match", in: directory)
  }

  /// Goal: a tablespace that belongs to another user than the backup is imported once it is named.
  /// Method: the command that the refusal shows.
  @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
  func tablespaceOfOtherUser() async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    try PostgresServer.shell(
      """
      cp -a "$1/plain" backup; cp -a "$1/plain-16384" one; ln -sfn "$PWD/one" backup/pg_tblspc/16384
      chown -R 65533 one
      """, [cluster.directory], directory.path)
    let run = try await Self.run(
      directory.path + "/backup", in: directory, programs: cluster.programs)
    let option = "--tablespace 16384=\(directory.path)/one"
    try Self.expect(
      run, code: 66, "belongs to user '65533'", "'\(option)'", "\(option)\n", in: directory)
    let named = try await Self.run(
      directory.path + "/backup", in: directory, programs: cluster.programs,
      option.split(separator: " ").map(String.init))
    #expect(named.exitCode == 0, "\(named.error)")
  }

  /// Goal: WAL that would write outside the scratch directory is not replayed. Method: a segment in
  /// which the cluster created another tablespace, after the end of the backup.
  @Test func newTablespace() async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    try PostgresServer.shell(
      """
      cp -a "$1/plain" backup; mkdir data three
      cp -a "$1/data/." data; rm -f data/postgresql.auto.conf
      echo 'max_prepared_transactions = 5' > data/postgresql.conf
      [[ $(id -u) != 0 ]] || chown -R nobody data three; chmod 755 .
      """, [cluster.directory], directory.path)
    let commands = "CREATE TABLESPACE three LOCATION '\(directory.path)/three'\n"
    try PostgresServer.shell(
      #"""
      drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
      "${drop[@]}" "$1/postgres" --single -D data -c exit_on_error=on postgres <<< "$2"
      cp "$3"/archive/0* backup/pg_wal/; cp data/pg_wal/0* backup/pg_wal/
      """#, [cluster.programs, commands, cluster.directory], directory.path)
    let run = try await Self.run(
      directory.path + "/backup", in: directory, programs: cluster.programs)
    try Self.expect(
      run, code: 69, "a tablespace was created during the backup or later", "/three",
      in: directory)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.path + "/three").count == 1)
  }

  /// Goal: programs of another version, and programs that do not run, are refused before anything
  /// is unpacked. Method: scripts instead.
  @Test(
    arguments: [
      ("echo 'postgres (PostgreSQL) 14.9'", "the backup is from Postgres 15", "postgresql/15/bin"),
      ("echo 'no such library' >&2; exit 127", "exit code 127", "no such library"),
      ("echo hello", "cannot run", "complete Postgres"),
      (nil, "no 'postgres' in ", "complete Postgres"),
    ] as [(String?, String, String)])
  func otherPrograms(script: String?, message: String, hint: String) async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let programs = directory.path + "/bin"
    try FileManager.default.createDirectory(
      atPath: programs, withIntermediateDirectories: true)
    if let script {
      try PostgresServer.shell(
        #"printf '#!/bin/sh\n%s\n' "$1" > postgres; chmod 755 postgres"#, [script], programs)
    }
    let run = try await Self.run(cluster.path(.stream), in: directory, programs: programs)
    try Self.expect(run, code: 69, message, hint, in: directory)
  }

  /// Goal: a signal during the recovery stops the server, and leaves nothing. Method: a restore
  /// command that reports when the server waits for it, and then sleeps.
  @Test(arguments: ["TERM", "INT"])
  func cancelled(signal: String) async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let pipe = directory.path + "/pipe"
    let run = try await Self.run(
      cluster.path(.plain), in: directory, programs: cluster.programs,
      ["--restore-command", "echo > '\(pipe)'; exec sleep 1000"],
      script: """
        mkfifo -m 666 '\(pipe)'; set -m
        "$@" & program=$!
        read -r < '\(pipe)'; kill -\(signal) $program; wait $program
        """)
    try FileManager.default.removeItem(atPath: pipe)
    try Self.expect(run, code: signal == "TERM" ? 143 : 130, "by a signal", in: directory)
    let processes = try PostgresServer.shell(
      #"grep -als "$1" /proc/[0-9]*/cmdline || true"#, [directory.path], "/")
    #expect(!processes.contains { $0 != "/proc/self/cmdline" && Self.isServer($0) })
  }

  private static func isServer(_ commandLine: String) -> Bool {
    (try? String(contentsOfFile: commandLine, encoding: .utf8))?.contains("--single") == true
  }

  /// Goal: a tar without the files of its tablespaces is refused, so that nothing is lost silently.
  @Test func missingTablespace() async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let run = try await Self.run(
      cluster.path(.stream) + "/base.tar", in: directory, programs: cluster.programs,
      ["--wal", cluster.path(.stream) + "/pg_wal.tar"])
    try Self.expect(
      run, code: 65, "tablespace 16384, which was in '\(cluster.directory)/one'", "16384.tar",
      in: directory)
  }

  /// Goal: without the option, the refusal shows the command, with the given paths.
  @Test(arguments: [OnlineCluster.Form.stream, .plain, .tarAndWAL, .stopped])
  func hints(form: OnlineCluster.Form) async throws {
    let cluster = try #require(OnlineCluster.shared)
    let directory = try TemporaryDirectory()
    let path = cluster.path(form)
    let run = try await ProgramRun.run([path, "--output", directory.path + "/out"])
    try Self.expect(
      run, code: 69,
      "import-backup \(path) --output \(directory.path)/out --recover-with "
        + "/usr/lib/postgresql/15/bin", in: directory)
    if form != .tarAndWAL { #expect(run.error.contains("16384 (")) }
  }
}
