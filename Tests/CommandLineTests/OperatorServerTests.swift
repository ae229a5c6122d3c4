import Foundation
import Operations
import TestSupport
import Testing

/// What operators have and do, with the real Postgres: the right way is the one that the hints show.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized,
  .enabled(
    if: PostgresServer.programs == "/usr/lib/postgresql/15/bin", "Postgres 15 is not installed"))
struct OperatorServerTests {
  /// A running cluster with a table and an archive of its WAL, all in `server.directory`.
  private static func makeServer(_ settings: String = "") throws -> PostgresServer {
    let server = try PostgresServer(
      newWith: #require(PostgresServer.programs),
      settings: "fsync = off\narchive_mode = on\narchive_command = 'cp %p ../archive/%f'\n"
        + settings)
    try PostgresServer.shell(
      "mkdir archive; chmod 777 archive .", [], server.directory.path)
    try server.start()
    _ = try server.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
    return server
  }

  /// Runs a script as the server's user, in its directory; `$1` is the directory of the programs.
  private static func script(_ text: String, _ server: PostgresServer) throws {
    try PostgresServer.shell(
      #"""
      drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
      "${drop[@]}" bash -euc "$2" bash "$1" "$PWD"
      """#, [try #require(PostgresServer.programs), text], server.directory.path)
  }

  private static let backUp =
    #"backup() { "$1/pg_basebackup" -h "$2" -U postgres -c fast --no-sync "${@:3}"; };"#

  /// How many rows the table has in a server that was started from an export of the timeline.
  private static func rowCount(_ directory: TemporaryDirectory) throws -> String? {
    let tar = directory.path + "/export.tar"
    let timeline = URL(filePath: HintedCommandTests.index(in: directory))
      .deletingLastPathComponent().path(percentEncoded: false)
    _ = try Shell.output(ProgramRun.path, "export", timeline, "-o", tar)
    let server = try PostgresServer(
      unpacking: tar, programs: #require(PostgresServer.programs), user: "postgres")
    try server.start()
    defer { try? server.stop() }
    return try server.query("SELECT count(*) FROM t").first
  }

  /// Goal: from each form of a backup the hinted commands lead to a timeline with all rows. Method: the
  /// output of pg_basebackup, tars of it, a crashed cluster, and Barman's directory with a program in
  /// its place that gives the WAL.
  @Test func hintedCommands() async throws {
    // The WAL before the last checkpoint shows that the crashed cluster's directory is of one moment.
    let server = try Self.makeServer("wal_keep_size = 1GB")
    let directory = server.directory
    try Self.script(
      Self.backUp + """
        backup "$1" "$2" -D ft -Ft -X stream; backup "$1" "$2" -D fp -X stream
        mkdir -p barman/main/base; backup "$1" "$2" -D barman/main/base/20260101T000000/data -X none
        touch barman/main/base/20260101T000000/backup.info
        tar -cf higher.tar fp; mkdir bin
        printf '#!/bin/sh\\n[ "$1 $2" = "get-wal main" ] && cat %q/archive/"$3"\\n' "$2" > bin/barman
        chmod 755 bin/barman
        """, server)
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
    let segment = try #require(
      server.query("SELECT pg_walfile_name(pg_switch_wal())").first)
    while !FileManager.default.fileExists(atPath: directory.path + "/archive/" + segment) {
      try await Task.sleep(for: .milliseconds(50))
    }
    try server.run("pg_ctl", "-D", server.data, "-m", "immediate", "stop")

    for (backup, stepCount, rows) in [
      ("ft", 1, "1000"), ("ft/base.tar", 1, "1000"), ("fp", 1, "1000"), ("higher.tar", 2, "1000"),
      ("data", 1, "1500"), ("barman/main/base/20260101T000000", 1, "1500"),
    ] {
      let output = try TemporaryDirectory()
      let outcome = try await HintedCommandTests.follow(
        [directory.path + "/" + backup], in: output, path: directory.path + "/bin")
      #expect(outcome.stepCount == stepCount, "\(backup)")
      #expect(try Self.rowCount(output) == rows, "\(backup)")
    }
  }

  /// Goal: a standby that was stopped is imported as it is, by the hinted command, and has the rows of
  /// its primary. Method: a standby that has caught up, a prepared transaction and a slot on it.
  @Test func stoppedStandby() async throws {
    let server = try Self.makeServer("max_prepared_transactions = 2")
    try Self.script(Self.backUp + #"backup "$1" "$2" -D standby -R -X stream"#, server)
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
    _ = try server.query("BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'p'")
    try Self.script(
      #"""
      options="-c listen_addresses= -c unix_socket_directories=$2 -c port=5999 -c archive_mode=off"
      "$1/pg_ctl" -D standby -w -l log.standby -o "$options" start
      wanted=$("$1/psql" -qAtX -h "$2" -U postgres -c 'SELECT pg_current_wal_lsn()' postgres)
      while [[ $("$1/psql" -qAtX -h "$2" -p 5999 -U postgres postgres \
          -c "SELECT pg_last_wal_replay_lsn() >= '$wanted'") != t ]]; do sleep 0.1; done
      "$1/pg_ctl" -D standby -w -m fast stop
      """#, server)
    let expected = try server.sums()
    try server.stop()

    let output = try TemporaryDirectory()
    let outcome = try await HintedCommandTests.follow(
      [server.directory.path + "/standby"], in: output)
    #expect(outcome.stepCount == 1)
    #expect(outcome.run.error.contains("1 prepared transaction waits"))
    let tar = output.path + "/export.tar"
    let timeline = URL(filePath: HintedCommandTests.index(in: output))
      .deletingLastPathComponent().path(percentEncoded: false)
    _ = try Shell.output(ProgramRun.path, "export", timeline, "-o", tar)
    let imported = try PostgresServer(
      unpacking: tar, programs: #require(PostgresServer.programs), user: "postgres")
    try imported.start()
    #expect(Set(try imported.sums()).symmetricDifference(expected).sorted() == [])
    try imported.stop()
  }

  /// Goal: WAL that is given besides a backup is used, in a directory and in a tar of compressed
  /// segments, also if the backup has an older copy of a segment; one without WAL ends the import
  /// before anything is copied.
  @Test func writeAheadLog() async throws {
    let server = try Self.makeServer()
    try Self.script(
      Self.backUp + #"backup "$1" "$2" -D bb -X none; cp -r bb with; mkdir wal empty"#, server)
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
    try server.stop()
    try Self.script(
      """
      cp archive/0* wal; rm -f wal/*.backup; tar -cf wal.tar wal
      for file in wal/*; do head -c 100 $file > with/pg_wal/${file#wal/}; done
      gzip wal/*; tar -cf gz.tar wal
      """, server)
    let path = server.directory.path
    for (backup, wal) in [
      ("bb", "archive"), ("bb", "wal.tar"), ("bb", "gz.tar"), ("with", "archive"),
    ] {
      let output = try TemporaryDirectory()
      let run = try await Self.recover(
        [path + "/" + backup, "--wal", path + "/" + wal], in: output)
      #expect(run.exitCode == 0, "\(backup) \(wal): \(run.error)")
      #expect(try Self.rowCount(output) == "1500")
    }
    let output = try TemporaryDirectory()
    let run = try await Self.recover([path + "/bb", "--wal", path + "/empty"], in: output)
    #expect(run.exitCode == 65)
    #expect(run.error.contains("error: no WAL segment in '\(path)/empty'"))
    let alone = try await Self.recover([path + "/bb"], in: output)
    #expect(alone.exitCode == 65)
    #expect(alone.error.contains("with which its recovery begins [wal-missing]"), "\(alone.error)")
  }

  private static func recover(
    _ arguments: [String], in directory: TemporaryDirectory
  ) async throws -> ProgramRun {
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    return try await ProgramRun.run(
      arguments + HintedCommandTests.options + Sandboxing.options
        + ["--recover-with", "/usr/lib/postgresql/15/bin"], directory: directory.path)
  }

  /// Goal: the manifest of the base backup that a cluster was started from does not count for a later
  /// copy in backup mode, which carries it along; given by name, it does; `none` ignores any.
  @Test func oldManifest() async throws {
    let server = try Self.makeServer()
    try Self.script(Self.backUp + #"backup "$1" "$2" -D old -X stream"#, server)
    try server.stop()
    try Self.script("rm -r data; mv old data", server)
    try server.start()
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
    _ = try server.query("CHECKPOINT")
    try Self.script(
      #"""
      "$1/psql" -qAtX -v ON_ERROR_STOP=1 -h "$2" -U postgres postgres <<'END'
      SELECT pg_backup_start('x', true) \g /dev/null
      \! cp -a data copy
      SELECT labelfile FROM pg_backup_stop() \g copy/backup_label
      SELECT pg_switch_wal() \g /dev/null
      END
      """#, server)
    try server.stop()
    let path = server.directory.path
    let arguments = [path + "/copy", "--wal", path + "/archive"]
    let output = try TemporaryDirectory()
    let run = try await Self.recover(arguments, in: output)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("note: skipped '\(path)/copy/backup_manifest': the cluster has run"))
    #expect(try Self.rowCount(output) == "1500")

    let given = try await Self.recover(
      arguments + ["--manifest", path + "/copy/backup_manifest"], in: try TemporaryDirectory())
    #expect(given.exitCode == 65 && given.error.contains("differs from its manifest"))

    // A damaged file that only the manifest shows; `./none` is a file.
    let own = try TemporaryDirectory()
    let none = try await Self.recover(arguments + ["--manifest", "none"], in: own)
    #expect(none.exitCode == 0 && !none.error.contains("skipped"), "\(none.error)")
    let file = try await Self.recover(
      arguments + ["--manifest", "./none"], in: try TemporaryDirectory())
    #expect(file.exitCode == 66 && file.error.contains("'./none'"), "\(file.error)")
  }

  /// Goal: the hint about a gap in `pg_xact` is one that works. Method: pg_resetwal skips numbers; what
  /// the hint says is done, and the cluster imported.
  @Test func gapInTransactions() async throws {
    let server = try Self.makeServer("autovacuum = off")
    try server.stop()
    try server.runOnData("pg_resetwal", "-x", "8400000")
    try PostgresServer.shell(
      "dd if=/dev/zero of=data/pg_xact/0008 bs=8192 count=1 status=none", [],
      server.directory.path)
    try server.giveFilesToServer()
    let output = try TemporaryDirectory()
    let arguments = [server.data] + HintedCommandTests.options
    let refused = try await ProgramRun.run(arguments, directory: output.path)
    #expect(refused.exitCode == 65)
    #expect(refused.error.contains("'pg_xact/0007' is missing, but 'pg_xact/0000' exists"))
    #expect(refused.error.contains("ALTER DATABASE template0 ALLOW_CONNECTIONS true"))

    try server.start()
    _ = try server.query("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
    for database in ["template0", "template1", "postgres"] {
      _ = try server.query("VACUUM (FREEZE)", database: database)
    }
    _ = try server.query("CHECKPOINT")
    try server.stop()
    let run = try await ProgramRun.run(arguments, directory: output.path)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try Self.rowCount(output) == "1000")
  }

  /// Goal: a database that an interrupted DROP DATABASE has left invalid is named. Method: what that
  /// leaves, a connection limit of -2.
  @Test func invalidDatabase() async throws {
    let server = try Self.makeServer()
    _ = try server.query("CREATE DATABASE half")
    _ = try server.query("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'")
    _ = try server.query("SELECT count(*) FROM pg_database; CHECKPOINT")
    try server.stop()
    let output = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      [server.data] + HintedCommandTests.options, directory: output.path)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("note: 1 database is invalid, as DROP DATABASE was interrupted"))
    #expect(run.error.contains("in the compute: half\n"))
  }

  /// Goal: columns that a newer server has marked make a note that names the release, also when the
  /// catalog has been rewritten. Method: the fixture that 15.20 wrote, under an older server, which
  /// refuses such a column, and VACUUM FULL.
  @Test func markedColumns() async throws {
    let directory = try TemporaryDirectory()
    try Data(Fixture.bytes("clean-15.tar")).write(to: URL(filePath: directory.path + "/a.tar"))
    let server = try PostgresServer(
      unpacking: directory.path + "/a.tar", programs: #require(PostgresServer.programs),
      user: "cloud_admin")
    try server.start(options: "-c max_prepared_transactions=10 -c wal_level=logical")
    let isOlder = try server.query("SHOW server_version_num").first.map { $0 < "150020" } ?? false
    if isOlder {
      let error = #expect(throws: PostgresServer.Failure.self) {
        try server.query(
          "ALTER TABLE pgbench_tellers ALTER COLUMN tid SET (n_distinct = 5)",
          database: server.query(
            "SELECT datname FROM pg_database WHERE oid = 16384"
          ).first ?? "")
      }
      #expect(error?.description.contains("pg_attver") == true, "\(error?.description ?? "none")")
    }
    for database in try server.query("SELECT datname FROM pg_database WHERE datallowconn") {
      _ = try server.query("VACUUM FULL pg_attribute", database: database)
    }
    try server.stop()
    let run = try await ProgramRun.run(
      [server.data] + HintedCommandTests.options, directory: directory.path)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(
      run.error.contains("note: the compute must be Postgres 15.20 or later: the cluster's columns")
    )
  }
}
