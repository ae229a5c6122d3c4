import Foundation
import TestSupport
import Testing

/// Where a recovery ends.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct RecoveryTargetServerTests {
  /// A cluster with an archive, a plain backup of it, and what happened after that: rows in steps,
  /// each of which also truncates a table and drops a database.
  private struct Scene {
    let programs: String
    let server: PostgresServer
    var directory: String { server.directory.path }
    var backup: String { directory + "/backup" }
    /// The position after the second step.
    var position = ""

    init() throws {
      programs = try #require(PostgresServer.programs)
      server = try PostgresServer(
        newWith: programs,
        settings: """
          archive_mode = on
          archive_command = 'cp %p ../archive/%f'
          """)
      try PostgresServer.shell(
        "mkdir archive; [[ $(id -u) != 0 ]] || chown nobody archive", [], directory)
      try server.start()
      _ = try server.query(
        """
        CREATE TABLE steps (step int, filler text);
        CREATE TABLE cut AS SELECT g AS a, repeat('x', 300) AS filler FROM generate_series(1, 3000) g;
        """)
      for step in 1...3 {
        _ = try server.query("CREATE DATABASE d\(step) STRATEGY file_copy")
        _ = try server.query("CREATE TABLE t AS SELECT 1 AS a", database: "d\(step)")
      }
      _ = try server.check(
        "pg_basebackup", "-c", "fast", "--no-sync", "-X", "stream", "-D", backup)
      for step in 1...3 {
        _ = try server.query(
          "INSERT INTO steps SELECT \(step), repeat('y', 200) FROM generate_series(1, 500)")
        _ = try server.query("DELETE FROM cut WHERE a > \(3000 - 1000 * step)")
        _ = try server.query("VACUUM cut")
        _ = try server.query("DROP DATABASE d\(step)")
        _ = try server.query("SELECT pg_create_restore_point('after \(step)')")
        if step == 2 { position = try server.query("SELECT pg_current_wal_insert_lsn()")[0] }
      }
      _ = try server.query("SELECT pg_switch_wal()")
      try server.stop()
    }

    /// The import's run, and what a server says of the result: the steps that are there, the rows that
    /// were not cut, and the databases.
    func recover(_ more: [String]) async throws -> (run: ProgramRun, state: [String]) {
      let output = try TemporaryDirectory()
      let run = try await ProgramRun.run(
        [
          backup, "--output", output.path + "/out", "--recover-with", programs,
          "--restore-command", "cp '\(directory)/archive/%f' '%p'",
        ] + Sandboxing.options + more)
      guard run.exitCode == 0 else {
        #expect(try FileManager.default.contentsOfDirectory(atPath: output.path) == [])
        return (run, [])
      }
      let timeline = try PostgresServer.shell(
        "echo out/tenants/*/timelines/*", [], output.path)[0]
      let tar = output.path + "/backup.tar"
      let verified = try await ProgramRun.run(["verify", output.path + "/" + timeline])
      #expect(verified.exitCode == 0, "\(verified.error)")
      let exported = try await ProgramRun.run(
        ["export", output.path + "/" + timeline, "-o", tar])
      #expect(exported.exitCode == 0, "\(exported.error)")
      let restored = try PostgresServer(unpacking: tar, programs: programs, user: "postgres")
      try restored.start()
      let state = try restored.query(
        """
        SELECT count(DISTINCT step) FROM steps UNION ALL SELECT count(*) FROM cut
          UNION ALL SELECT count(*) FROM pg_database WHERE datname LIKE 'd%'
        """)
      for name in try restored.query("SELECT datname FROM pg_database WHERE datname LIKE 'd%'") {
        #expect(try restored.query("SELECT a FROM t", database: name) == ["1"])
      }
      try restored.stop()
      return (run, state)
    }
  }

  /// Goal: a recovery ends where it is told to, in one pass as on a full copy, and what the WAL did
  /// after that is not done: rows that were cut off and databases that were dropped are whole.
  /// Method: a restore point, a position, at once, and the end, with all WAL from the archive.
  @Test func targets() async throws {
    let scene = try Scene()
    let cases: [([String], [String])] = [
      (["--recovery-target", "name=after 1"], ["1", "2000", "2"]),
      (["--recovery-target", "lsn=\(scene.position)"], ["2", "1000", "1"]),
      (["--recovery-target", "immediate"], ["0", "3000", "3"]),
      ([], ["3", "0", "0"]),
    ]
    for (options, expected) in cases {
      for more in [[], ["--full-copy"]] {
        let (run, state) = try await scene.recover(options + more)
        #expect(run.exitCode == 0, "\(options + more): \(run.error)")
        #expect(state == expected, "\(options + more)")
      }
    }
    let (run, _) = try await scene.recover(["--recovery-target", "name=nowhere"])
    #expect(run.exitCode == 65)
    #expect(run.error.contains("[recovery-target-not-reached]"), "\(run.error)")
    #expect(run.error.contains("Check the target."), "\(run.error)")
  }

  /// Goal: a backup that is to be recovered to a target is not recovered past it without a word, and
  /// the hints work. Method: the settings that backup programs write.
  @Test func targetOfBackup() async throws {
    let scene = try Scene()
    try PostgresServer.shell(
      """
      touch recovery.signal; rm backup_manifest
      echo "recovery_target_name = 'somewhere else'" >> postgresql.conf
      printf '%s\\n' "# recovery_target_xid = '7'" "recovery_target_name = 'after 2'" \
        "recovery_target_action = 'promote'" "recovery_target_inclusive = no" \
        "recovery_target_timeline current" >> postgresql.auto.conf
      """, [], scene.backup)
    for more in [[], ["--full-copy"]] {
      let (run, _) = try await scene.recover(more)
      #expect(run.exitCode == 69)
      #expect(
        run.error.contains("the backup is to be recovered to recovery_target_name = 'after 2'"),
        "\(run.error)")
      #expect(
        run.error.contains(
          "--recovery-target 'name=after 2' --recovery-target-exclusive "
            + "--recovery-target-timeline current"), "\(run.error)")
    }
    // A dry run says so of the directory and of a tar of it, and then of neither.
    try PostgresServer.shell("tar -C backup -cf backup.tar .", [], scene.directory)
    for backup in [scene.backup, scene.backup + ".tar"] {
      for (more, exitCode) in [([], 69), (["--ignore-recovery-settings"], 0)] as [([String], Int32)]
      {
        let run = try await ProgramRun.run(
          [
            backup, "--dry-run", "--output", scene.directory + "/none", "--recover-with",
            scene.programs,
          ] + Sandboxing.options + more)
        #expect(run.exitCode == exitCode, "\(run.error)")
        #expect(
          run.error.contains("[recovery-target-in-backup]") == (exitCode != 0), "\(run.error)")
      }
    }
    #expect(
      try await scene.recover(["--recovery-target", "name=after 2"]).state == ["2", "1000", "1"])
    #expect(try await scene.recover(["--ignore-recovery-settings"]).state == ["3", "0", "0"])
    // Without a signal no server minds the settings.
    try FileManager.default.removeItem(atPath: scene.backup + "/recovery.signal")
    #expect(try await scene.recover([]).state == ["3", "0", "0"])
  }
}
