import Foundation
import TestSupport
import Testing

/// Copies of a running cluster's files without a label: of one moment, and of several.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct TornCopyTests {
  /// A cluster under load, and the copies of it, each a directory or a tar.
  private struct Copies {
    let programs: String
    let server: PostgresServer
    var directory: String { server.directory.path }

    init() throws {
      programs = try #require(PostgresServer.programs)
      server = try PostgresServer(
        newWith: programs,
        settings: """
          fsync = off
          archive_mode = on
          archive_command = 'cp %p ../archive/%f'
          """, checksums: false)
      try PostgresServer.shell(
        "mkdir archive; [[ $(id -u) != 0 ]] || chown nobody archive", [], directory)
      try server.start()
      try server.run("pgbench", "-h", directory, "-U", "postgres", "-i", "-q", "postgres")
      _ = try server.query("CREATE TABLE t (a int); CHECKPOINT")
      try copy()
    }

    private func copy() throws {
      try PostgresServer.shell(
        #"""
        bin=$1
        drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
        run() { "${drop[@]}" "$@"; }
        sql() { run "$bin/psql" -h "$PWD" -U postgres -d postgres -qAtX -c "$1"; }
        rest() { # what is copied after 'base'
          for name in data/*; do
            case ${name#data/} in
            base | postmaster.* | *.conf) ;;
            *) cp -a "$name" "$1/" 2> /dev/null || true ;;
            esac
          done
        }
        trap 'kill -KILL $load || true' EXIT

        # Nothing but rows in a table that was empty.
        mkdir quiet; cp -a data/base quiet/
        sql 'INSERT INTO t SELECT generate_series(1, 50000)'; sql CHECKPOINT
        rest quiet

        "${drop[@]}" "$bin/pgbench" -h "$PWD" -U postgres -n -c 2 -T 600 postgres > pgbench.log 2>&1 &
        load=$!
        transactions() { sql 'SELECT count(*) FROM pgbench_history'; }
        busy() { # waits until the load has changed pages
          local try before; before=$(transactions)
          for try in {1..1200}; do (( $(transactions) < before + 100 )) || return 0; sleep 0.1; done
          return 1
        }
        busy
        # GNU tar ends with 1 if a file changed meanwhile.
        tar -C data -cf tar.tar base 2> tar.log || (( $? == 1 ))
        busy; sql CHECKPOINT
        tar -C data -rf tar.tar --exclude ./base --exclude './postmaster.*' . 2>> tar.log || (( $? == 1 ))

        mkdir rsync
        copy=(cp -a data/base rsync/)
        if type -P rsync > /dev/null; then copy=(rsync -a data/base rsync/); fi
        "${copy[@]}" 2> rsync.log || (( $? == 23 || $? == 24 ))
        busy; sql CHECKPOINT
        rest rsync

        # All processes are stopped; those that start meanwhile have not done anything.
        server=$(head -n 1 data/postmaster.pid)
        for round in 1 2 3; do kill -STOP "$server" $(pgrep -P "$server"); done
        cp -a data frozen
        kill -CONT "$server" $(pgrep -P "$server")
        rm frozen/postmaster.pid

        # A session that does not answer holds DROP DATABASE up between its checkpoint, which wrote none of
        # the database's changed pages, and the removal of its files.
        sql 'CREATE DATABASE gone'; sql 'CREATE TABLE other AS SELECT 1 AS a'
        database=$(sql "SELECT oid FROM pg_database WHERE datname = 'gone'")
        gone() { run "$bin/psql" -h "$PWD" -U postgres -d gone -qAtX -c "$1"; }
        gone 'CREATE TABLE g (a int); INSERT INTO g SELECT 1'; sql CHECKPOINT
        file=$(gone "SELECT pg_relation_filepath('g')")
        other=$(sql "SELECT pg_relation_filepath('other')"); cp -a data/"$other" old
        coproc idle { run "$bin/psql" -h "$PWD" -U postgres -d postgres -qAtX 2>&1; }
        echo 'SELECT pg_backend_pid();' >&${idle[1]}; read -r backend <&${idle[0]}
        gone 'INSERT INTO g SELECT generate_series(1, 50000)'; sql 'UPDATE other SET a = 2'
        kill -STOP "$backend"
        sql 'DROP DATABASE gone' > drop.log 2>&1 &
        dropper=$!
        for try in {1..600}; do
          [[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ProcSignalBarrier'") != 1 ]] \
            || break
          sleep 0.1
        done
        (( try < 600 ))
        for round in 1 2 3; do kill -STOP "$server" $(pgrep -P "$server"); done
        cp -a data dropping
        kill -CONT "$server" $(pgrep -P "$server")
        wait $dropper; exec {idle[1]}>&-
        rm dropping/postmaster.pid
        # The same with a page of another database that is older.
        cp -a dropping droppingtorn; cp -a old droppingtorn/"$other"
        # The files of the database go one by one, in any order; and a file that nothing removes.
        cp -a dropping dropped; rm dropped/"$file" dropped/base/"$database"/{PG_VERSION,1259}
        cp -a dropped droppedmore; rm droppedmore/"$other"
        """#, [programs], directory)
      try server.run("pg_ctl", "-D", server.data, "-w", "-m", "immediate", "stop")
      try PostgresServer.shell("cp -a data crashed; rm -f crashed/postmaster.pid", [], directory)
      // After a switch and a checkpoint, the segment that replay begins in has nothing before that,
      // and the older ones are left out.
      try server.start()
      let last = try server.query("SELECT pg_walfile_name(pg_switch_wal())")[0]
      _ = try server.query("CHECKPOINT")
      try PostgresServer.shell(
        #"for try in {1..3000}; do [[ ! -f "$1" ]] || exit 0; sleep 0.1; done; exit 1"#,
        ["archive/" + last], directory)
      try server.run("pg_ctl", "-D", server.data, "-w", "-m", "immediate", "stop")
      try PostgresServer.shell(
        #"""
        cp -a data later; rm -f later/postmaster.pid
        redo=$("$1/pg_controldata" later | sed -n "s/.*REDO WAL file: *//p")
        for file in later/pg_wal/0*; do [[ ${file##*/} == "$redo" ]] || rm "$file"; done
        """#, [programs], directory)
    }

    /// The run of an import, which leaves nothing if it fails.
    func recover(_ backup: String, _ more: [String]) async throws -> ProgramRun {
      let output = try TemporaryDirectory()
      let run = try await ProgramRun.run(
        [
          directory + "/" + backup, "--output", output.path + "/out", "--recover-with", programs,
        ] + Sandboxing.options + more, timeLimit: .seconds(400))
      if run.exitCode != 0 {
        #expect(try FileManager.default.contentsOfDirectory(atPath: output.path) == [])
      }
      return run
    }
  }

  /// Goal: torn copies are refused by file and block, and copies of one moment are not. Method: by `tar`
  /// and `rsync` under load with a checkpoint before the rest is copied; of a stopped machine, of a
  /// crashed server, in the middle of DROP DATABASE; each in both ways.
  ///
  /// If nothing shows it, the user is asked, and older WAL is as good as the answer.
  @Test func copies() async throws {
    let copies = try Copies()
    for more in [[], ["--full-copy"]] {
      for backup in ["quiet", "tar.tar", "rsync"] {
        for option in [[], ["--assume-snapshot"]] {
          let run = try await copies.recover(backup, more + option)
          #expect(run.exitCode == 65, "\(backup): \(run.error)")
          #expect(run.error.contains("[torn-copy]"), "\(backup): \(run.error)")
          #expect(run.error.contains(/: block [0-9]+ of 'base\/5\/[0-9]+' (has LSN|is not in use)/))
        }
      }
      for (backup, words) in [("droppingtorn", "has LSN"), ("droppedmore", "is missing, with")] {
        let run = try await copies.recover(backup, more)
        #expect(run.exitCode == 65 && run.error.contains("[torn-copy]"), "\(backup): \(run.error)")
        #expect(run.error.contains(/: block 0 of 'base\/5\/[0-9]+' (has|is)/), "\(run.error)")
        #expect(run.error.contains(words), "\(run.error)")
      }
      for backup in ["frozen", "crashed", "dropping", "dropped"] {
        let run = try await copies.recover(backup, more + ["--json"])
        #expect(run.exitCode == 0, "\(backup): \(run.error)")
        let check = try Self.snapshotCheck(run)
        #expect(check["result"] == "compared")
        #expect(check["startLSN"]?.wholeMatch(of: /0\/[0-9A-F]+/) != nil, "\(check)")
      }
      let asked = try await copies.recover("later", more)
      #expect(asked.exitCode == 69, "\(asked.error)")
      #expect(asked.error.contains("[snapshot-unproved]"), "\(asked.error)")
      #expect(asked.error.contains("'--assume-snapshot'"), "\(asked.error)")
      let assumed = try await copies.recover("later", more + ["--assume-snapshot", "--json"])
      #expect(assumed.exitCode == 0, "\(assumed.error)")
      #expect(try Self.snapshotCheck(assumed) == ["result": "assumed"])
      let given = try await copies.recover(
        "later", more + ["--wal", copies.directory + "/archive", "--json"])
      #expect(given.exitCode == 0, "\(given.error)")
      #expect(try Self.snapshotCheck(given)["result"] == "compared")
    }
  }

  private static func snapshotCheck(_ run: ProgramRun) throws -> [String: String] {
    let object = try JSONSerialization.jsonObject(with: run.output) as? [String: Any]
    let check = try #require(object?["snapshotCheck"] as? [String: Any])
    #expect(object?["unfinishedRelationCount"] as? Int == 0)
    return try #require(check as? [String: String])
  }
}
