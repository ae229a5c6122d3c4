import Foundation
import TestSupport
import Testing

/// Recoveries with WAL from an archive.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct ArchiveServerTests {
  /// A cluster with an archive, its backup, and what happened later.
  private struct Scene {
    let programs: String
    let server: PostgresServer
    var directory: String { server.directory.path }

    /// The cluster has segments of so many MiB, and is set to allow for prepared transactions only after
    /// the backup.
    init(segmentSize: Int) throws {
      programs = try #require(PostgresServer.programs)
      server = try PostgresServer(
        newWith: programs,
        settings: """
          fsync = off
          archive_mode = on
          archive_command = 'cp %p ../archive/%f'
          min_wal_size = 256MB
          """, segmentSize: segmentSize)
      try PostgresServer.shell(
        "mkdir archive; [[ $(id -u) != 0 ]] || chown nobody archive", [], directory)
      try server.start()
      _ = try server.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
      _ = try server.check(
        "pg_basebackup", "-c", "fast", "--no-sync", "-X", "none", "-D", directory + "/backup")
      try server.stop()
      try server.start(options: "-c max_prepared_transactions=20 -c max_connections=120")
      _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
      for number in 1...3 {
        _ = try server.query("BEGIN; CREATE TABLE p\(number)(); PREPARE TRANSACTION 'p\(number)'")
      }
      _ = try server.query("SELECT pg_switch_wal()")
      try server.stop()
    }

    /// The run of an import by this restore command.
    func recover(
      into output: TemporaryDirectory, _ command: String?, _ more: [String] = []
    ) async throws -> ProgramRun {
      try await ProgramRun.run(
        [directory + "/backup", "--output", output.path + "/out", "--recover-with", programs]
          + Sandboxing.options + (command.map { ["--restore-command", $0] } ?? []) + more)
    }
  }

  /// Goal: settings that WAL raises do not stop a recovery, wherever the WAL comes from, and are the
  /// cluster's afterwards; and segments may be larger than usual. Method: prepared transactions of a
  /// server that allowed for none at the time of the backup, with segments of 1 and of 64 MiB.
  @Test(arguments: [1, 64]) func raisedSettings(segmentSize: Int) async throws {
    let scene = try Scene(segmentSize: segmentSize)
    let command = "cp '\(scene.directory)/archive/%f' '%p'"
    for (command, more) in [
      (command, []), (command, ["--full-copy"]), (nil, ["--wal", scene.directory + "/archive"]),
    ] as [(String?, [String])] {
      let output = try TemporaryDirectory()
      let run = try await scene.recover(into: output, command, more)
      try #require(run.exitCode == 0, "\(more): \(run.error)")
      #expect(run.error.contains("max_prepared_transactions = 20"), "\(more): \(run.error)")
      #expect(run.error.contains("max_connections = 120"), "\(more): \(run.error)")
      #expect(run.error.contains("3 prepared transactions wait"), "\(more): \(run.error)")
      let timeline = try PostgresServer.shell(
        "echo out/tenants/*/timelines/*", [], output.path)[0]
      let tar = output.path + "/backup.tar"
      let exported = try await ProgramRun.run(["export", output.path + "/" + timeline, "-o", tar])
      #expect(exported.exitCode == 0, "\(exported.error)")
      let restored = try PostgresServer(
        unpacking: tar, programs: scene.programs, user: "postgres")
      try restored.start(options: "-c max_prepared_transactions=20 -c max_connections=120")
      #expect(try restored.query("SELECT count(*) FROM t") == ["1500"])
      #expect(try restored.query("SELECT count(*) FROM pg_prepared_xacts") == ["3"])
      try restored.stop()
    }
  }

  /// Goal: WAL that is damaged or missing behind the end of the backup is refused, however it is given,
  /// and not cut off; but not if the recovery is to end before that, and not if the archive has got the
  /// segment in the meantime. Method: a segment with later ones, without which and with a changed byte in
  /// which a recovery would end in silence.
  @Test func gap() async throws {
    let scene = try Scene(segmentSize: 1)
    try scene.server.start(options: "-c max_prepared_transactions=20")
    for _ in 1...3 {
      _ = try scene.server.query("INSERT INTO t SELECT generate_series(1, 5000)")
      _ = try scene.server.query("SELECT pg_switch_wal()")
    }
    try scene.server.stop()
    let names = try PostgresServer.shell(
      #"""
      cp -r archive missing; cp -r archive changed; cd archive; set -- $(ls | grep -x '[0-9A-F]*' | tail -3)
      rm "../missing/$1"; printf x | dd of="../changed/$1" bs=1 seek=100000 conv=notrunc status=none
      printf '%s\n' "$@"
      """#, [], scene.directory)
    for (archive, words) in [("missing", "is missing"), ("changed", "is damaged at")] {
      let path = scene.directory + "/" + archive
      let command = "cp '\(path)/%f' '%p'"
      for (command, more) in [
        (nil, ["--wal", path]), (nil, ["--wal", path, "--full-copy"]),
        (command, []), (command, ["--full-copy"]),
      ] as [(String?, [String])] {
        let run = try await scene.recover(into: TemporaryDirectory(), command, more)
        #expect(run.exitCode == 65, "\(archive) \(more): \(run.error)")
        #expect(
          run.error.contains("WAL segment '\(names[0])' \(words)"), "\(more): \(run.error)")
        #expect(
          run.error.contains("the WAL continues in '\(names[1])'"), "\(more): \(run.error)")
        let target = try await scene.recover(
          into: TemporaryDirectory(), command, more + ["--recovery-target", "immediate"])
        #expect(target.exitCode == 0, "\(archive) \(more): \(target.error)")
      }
    }
    let run = try await scene.recover(
      into: TemporaryDirectory(),
      """
      cd '\(scene.directory)/archive'; case %f in \(names[1])) touch ../grown;;
      \(names[0])) test -e ../grown || exit 1;; esac; cp %f '%p'
      """)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(FileManager.default.fileExists(atPath: scene.directory + "/grown"))
  }

  /// Goal: a person whose command depends on the directory in which it runs gets to a timeline by the
  /// hints. Method: what Barman writes into a restored directory, and a stand-in for pgBackRest that
  /// insists on a cluster's control file, as the real one does.
  @Test func hintedCommands() async throws {
    let scene = try Scene(segmentSize: 1)
    try PostgresServer.shell(
      #"""
      cp -r archive backup/barman_wal
      rm backup/backup_manifest  # which Barman gives another name
      mkdir bin
      printf '%s\n' '#!/bin/sh' 'for word; do case $word in --pg1-path=*) at=${word#*=};; esac; done' \
        'test -f "$at/global/pg_control" && shift $(($# - 3)) && cp "$0-archive/$2" "$3"' > bin/pgbackrest
      cp -r archive bin/pgbackrest-archive; chmod 755 bin/pgbackrest
      """#, [], scene.directory)
    for command in [
      "cp barman_wal/%f %p", "\(scene.directory)/bin/pgbackrest --stanza=demo archive-get %f %p",
    ] {
      let output = try TemporaryDirectory()
      let failed = try await scene.recover(into: output, command)
      #expect(failed.exitCode == 65, "\(failed.error)")
      let lines = failed.error.split(separator: "\n")
      let line = lines.last { $0.hasPrefix("  ") && $0.contains("--output") }
      let hinted = try #require(line, "\(failed.error)")
      let run = try await ProgramRun.run([], script: String(hinted))
      #expect(run.exitCode == 0, "\(hinted): \(run.error)")
    }
    // The backup's own command is shown, to be judged.
    try PostgresServer.shell(
      #"""
      touch backup/recovery.signal
      echo "restore_command = 'cp barman_wal/%f %p'" >> backup/postgresql.auto.conf
      """#, [], scene.directory)
    let output = try TemporaryDirectory()
    let failed = try await scene.recover(into: output, nil)
    #expect(failed.exitCode == 65)
    #expect(
      failed.error.contains("'cp \(scene.directory)/backup/barman_wal/%f %p'. If you trust"),
      "\(failed.error)")
  }

  /// Goal: on the cluster's own machine a recovery writes nothing outside its scratch and its output, not
  /// even where the WAL names a directory. Method: a tablespace that a running server made and filled after
  /// the backup, with its WAL from an archive and given, both ways, and a backup that has the tablespace;
  /// every file of the tablespace, of the backups and of the archive stays as it is.
  @Test func liveTablespace() async throws {
    let programs = try #require(PostgresServer.programs)
    let server = try PostgresServer(
      newWith: programs,
      settings: """
        fsync = off
        archive_mode = on
        archive_command = 'cp %p ../archive/%f'
        wal_keep_size = 1GB
        checkpoint_timeout = 1h
        """)
    let directory = server.directory.path
    try PostgresServer.shell(
      "mkdir archive space; [[ $(id -u) != 0 ]] || chown nobody archive space", [], directory)
    try server.start(options: "-c bgwriter_lru_maxpages=0")
    _ = try server.check(
      "pg_basebackup", "-c", "fast", "--no-sync", "-X", "none", "-D", directory + "/before")
    _ = try server.query("CREATE TABLESPACE space LOCATION '\(directory)/space'")
    _ = try server.query("CREATE TABLE t (a int) TABLESPACE space")
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 1000)")
    _ = try server.check(
      "pg_basebackup", "-c", "fast", "--no-sync", "-X", "fetch", "-Ft", "-D", directory + "/after")
    _ = try server.query("INSERT INTO t SELECT generate_series(1, 500)")
    let last = try server.query("SELECT pg_walfile_name(pg_switch_wal())")[0]
    try PostgresServer.shell(
      #"for try in {1..3000}; do [[ ! -f "$1" ]] || exit 0; sleep 0.1; done; exit 1"#,
      ["archive/" + last], directory)
    _ = try server.query("CHECKPOINT")
    func state() throws -> [String] {
      try PostgresServer.shell(
        #"""
        find space archive before after -printf '%p %i %T@ %s\n' | sort
        find space before after archive -type f -exec sha256sum {} + | sort
        """#, [], directory)
    }
    let before = try state()
    let fetch = "cp '\(directory)/archive/%f' '%p'"
    let refused = [
      ["before", "--restore-command", fetch], ["before", "--wal", directory + "/archive"],
      ["before", "--restore-command", fetch, "--full-copy"],
      ["before", "--wal", directory + "/archive", "--full-copy"],
    ]
    for (arguments, exitCode) in refused.map({ ($0, 69) }) + [(["after"], 0)] {
      let output = try TemporaryDirectory()
      let run = try await ProgramRun.run(
        [
          directory + "/" + arguments[0], "--output", output.path + "/out", "--recover-with",
          programs,
        ] + arguments.dropFirst() + Sandboxing.options)
      #expect(run.exitCode == Int32(exitCode), "\(arguments): \(run.error)")
      #expect(exitCode == 0 || run.error.contains("[new-tablespace]"), "\(arguments): \(run.error)")
      #expect(try state() == before, "\(arguments)")
    }
    #expect(try server.query("SELECT count(*), sum(a) FROM t") == ["1500|625750"])
    try server.stop()
  }
}
