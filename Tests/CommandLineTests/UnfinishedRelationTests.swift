import Foundation
import Operations
import PostgresFormat
import TestSupport
import Testing

/// Snapshots of a running cluster in which relations are being made, whose pages are newer than the WAL.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct UnfinishedRelationTests {
  /// A snapshot that was taken while four relations are made in a transaction, one of them the index of a
  /// TOAST table, and an index concurrently; and copies of it with newer pages of relations in use.
  private struct Snapshot {
    let programs: String
    let server: PostgresServer
    var directory: String { server.directory.path }

    init(programs: String) throws {
      self.programs = programs
      server = try PostgresServer(
        newWith: programs,
        settings: """
          fsync = off
          wal_buffers = 32MB
          max_wal_size = 4GB
          max_prepared_transactions = 2
          bgwriter_lru_maxpages = 0
          wal_writer_delay = 10s
          """, checksums: false)
      try server.start()
      _ = try server.query("CREATE DATABASE other")
      for database in ["postgres", "other"] {
        _ = try server.query(
          """
          CREATE TABLE t (a int PRIMARY KEY, b text);
          INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 9000) g;
          CREATE TABLE still AS SELECT * FROM t; CREATE INDEX still_b ON still (b);
          CREATE TABLE h (a int); CREATE INDEX h_a ON h USING hash (a);
          INSERT INTO h SELECT generate_series(1, 9000);
          CREATE TABLE p (a int);
          """, database: database)
        _ = try server.query(
          "BEGIN; INSERT INTO p VALUES (1); PREPARE TRANSACTION '\(database)'", database: database)
      }
      for statement in ["CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT"] {
        _ = try server.query(statement)
      }
      try take()
    }

    /// No process but those of the sessions runs, so that nothing writes the WAL out before it has to.
    private func take() throws {
      try PostgresServer.shell(
        #"""
        bin=$1
        drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
        session() { "${drop[@]}" "$bin/psql" -h "$PWD" -U postgres -d "$1" -qAtX 2>&1; }
        sql() { session "$1" <<< "$2"; }
        await() {
          for try in {1..600}; do [[ $(sql postgres "$1") != 1 ]] || return 0; sleep 0.1; done
          return 1
        }
        for name in still still_b h_a; do sql other "SELECT pg_relation_filepath('$name')"; done > used
        changed=$(sql postgres "SELECT pg_relation_filepath('t')")
        server=$(head -n 1 data/postmaster.pid); others=$(pgrep -P "$server")
        trap 'kill -CONT $others' EXIT
        # One that writes WAL at this moment has a lock that sessions need.
        kill -STOP $others
        until timeout 20 "${drop[@]}" "$bin/psql" -h "$PWD" -U postgres -qAtX \
          -c "SELECT pg_logical_emit_message(true, 'nothing', 'is stopped halfway')" > /dev/null
        do kill -CONT $others; sleep 1; kill -STOP $others; done

        # The index has its rows, and then is built, but cannot be called ready.
        coproc writer { session postgres; }
        echo 'BEGIN; UPDATE t SET a = a WHERE a = 1; SELECT 1;' >&${writer[1]}; read -r _ <&${writer[0]}
        sql postgres 'CREATE INDEX CONCURRENTLY slow ON t (b)' > slow.log &
        await "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%'"
        mkfifo lock; session postgres < lock > lock.log &
        exec {lock}> lock
        echo 'BEGIN; LOCK TABLE pg_index IN SHARE MODE;' >&$lock
        await "SELECT count(*) FROM pg_locks WHERE relation = 'pg_index'::regclass AND mode = 'ShareLock'"
        echo 'COMMIT;' >&${writer[1]}; exec {writer[1]}>&-
        await "SELECT count(*) FROM pg_locks WHERE relation = 'pg_index'::regclass AND NOT granted"

        coproc maker { session other; }
        echo 'BEGIN; CREATE INDEX ON still (a); CLUSTER t USING t_pkey; SELECT 1;' >&${maker[1]}
        read -r _ <&${maker[0]}
        # The buckets are doubled three times.
        echo 'INSERT INTO h SELECT generate_series(9001, 45000); SELECT 1;' >&${maker[1]}
        read -r _ <&${maker[0]}
        last=$(sql other 'SELECT pg_walfile_name(pg_current_wal_flush_lsn())')
        cp -a data snapshot; rm snapshot/postmaster.pid
        exec {maker[1]}>&- {lock}>&-; wait
        # The snapshot with another one of its files; it shares the others.
        copy() { cp -al snapshot "$1"; rm "$1/$2"; cp -a "snapshot/$2" "$1/$2"; }
        for name in $(< used); do
          copy=newer-${name##*/}; copy "$copy" "$name"; echo "$copy" >> newer
          printf '\x7f' | dd of="$copy/$name" conv=notrunc status=none
        done
        # The newest page is replaced by replay, another one is not.
        copy "newer-${changed##*/}" "$changed"; echo "newer-${changed##*/}" >> newer
        printf '\x7f' | dd of="newer-${changed##*/}/$changed" conv=notrunc status=none
        printf '\x7e' | dd of="newer-${changed##*/}/$changed" conv=notrunc status=none bs=8192 seek=3
        # What a rewrite that was finished later has replaced is empty, and gone after the next checkpoint. No
        # WAL says that it had pages.
        still=$(head -n 1 used)
        first=$("$bin/pg_controldata" snapshot | sed -n 's/.*REDO WAL file: *//p')
        copy empty "$still"
        for file in empty/pg_wal/0*; do
          [[ ! ( ${file##*/} < $first || ${file##*/} > $last ) ]] || rm "$file"
        done
        cp -al empty gone; rm gone/"$still"; : > empty/"$still"
        """#, [programs], directory)
    }

    func arguments(_ copy: String) -> [String] {
      ["\(directory)/\(copy)", "--recover-with", programs, "--assume-snapshot"] + Sandboxing.options
    }
  }

  /// Goal: a sound snapshot is taken while relations are made, and is as a full recovery leaves it, and
  /// newer pages of relations that are in use are refused. Method: both ways, each server; the refusals one.
  @Test(
    .serialized, arguments: [PostgresServer.programs, PostgresServer.programs16].compactMap { $0 })
  func snapshot(programs: String) async throws {
    let snapshot = try Snapshot(programs: programs)
    let directory = try TemporaryDirectory()
    let (summary, timeline) = try await RunningClusterTests.compare(
      in: directory.path, "snapshot"
    ) { output, more in
      let run = try await ProgramRun.run(
        snapshot.arguments("snapshot") + ["--output", output, "--json"] + more,
        timeLimit: .seconds(400))
      if run.exitCode == 0 {
        let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
        #expect(summary.unfinishedRelationCount == 6)
      }
      return run
    }
    #expect(summary.snapshotCheck?.result == .compared)
    try await Self.verify(timeline, snapshot)
    try await Self.stop(snapshot)
    if programs == PostgresServer.programs { try await Self.refuse(snapshot) }
    try Self.use(directory.path + "/a", programs)
  }

  /// Goal: what a hash index has allocated is known for every size. Method: its length, when nothing happens to it;
  /// with more than 512 buckets they are added a quarter at a time.
  @Test func hashIndexes() throws {
    let programs = try #require(PostgresServer.programs)
    let server = try PostgresServer(newWith: programs, settings: "fsync = off")
    try server.start()
    let counts = [0, 1, 3000, 170_000, 250_000, 450_000]
    for count in counts {
      _ = try server.query(
        """
        CREATE TABLE h\(count) AS SELECT generate_series(1, \(count)) a;
        CREATE INDEX i\(count) ON h\(count) USING hash (a)
        """)
    }
    _ = try server.query("CHECKPOINT")
    for count in counts {
      let path = try server.query("SELECT pg_relation_filepath('i\(count)')")[0]
      let file = try Array(Data(contentsOf: URL(filePath: server.data + "/" + path)))
      let index = HashIndex(firstPage: file.bytes.extracting(first: PageHeader.pageByteCount))
      #expect(
        index?.allocatedBlockCount == UInt64(file.count / PageHeader.pageByteCount), "\(count)")
    }
    try server.stop()
  }

  private static func verify(_ timeline: String, _ snapshot: Snapshot) async throws {
    let scratch = try TemporaryDirectory()
    for more in [[], ["--full-copy"]] {
      let verified = try await ProgramRun.run(
        ["verify", timeline, "--scratch", scratch.path, "--against"]
          + snapshot.arguments("snapshot") + more, timeLimit: .seconds(400))
      #expect(verified.exitCode == 0, "\(verified.error)")
    }
  }

  /// A backup that is taken soon after a crash has such pages as well, and so has a cluster that is stopped
  /// then, whose catalogs can be read if it is a directory.
  private static func stop(_ snapshot: Snapshot) async throws {
    let server = try PostgresServer(
      made: #"cp -a "$1/snapshot" data"#, [snapshot.directory], programs: snapshot.programs,
      user: "postgres")
    try server.start()
    try server.stop()
    let output = try TemporaryDirectory()
    let imports = ["--output", output.path + "/out", "--json"]
    for more in [["--dry-run"], []] {
      let run = try await ProgramRun.run([server.data] + imports + more)
      #expect(run.exitCode == 0, "\(run.error)")
      let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
      #expect(summary.unfinishedRelationCount == 6)
      guard more.isEmpty else { continue }
      let verified = try await ProgramRun.run(
        ["verify", summary.timelinePath, "--against", server.data])
      #expect(verified.exitCode == 0, "\(verified.error)")
    }
    let tar = output.path + "/data.tar"
    _ = try Shell.output("tar", "-C", server.data, "-cf", tar, ".")
    let refused = try await ProgramRun.run([tar, "--output", output.path + "/tar"])
    #expect(refused.exitCode == 65 && refused.error.contains("[page-too-new]"), "\(refused.error)")
    try server.start()
    try PostgresServer.shell(
      #""$1/pg_basebackup" -h "$PWD" -U postgres -c fast -D - -Ft -X fetch > backup.tar"#,
      [snapshot.programs], server.directory.path)
    for more in [[], ["--full-copy"]] {
      let run = try await ProgramRun.run(
        ["\(server.directory.path)/backup.tar", "--recover-with", snapshot.programs, "--json"]
          + ["--output", output.path + "/backup\(more.count)"] + more + Sandboxing.options,
        timeLimit: .seconds(400))
      #expect(run.exitCode == 0, "\(run.error)")
      let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
      #expect(summary.unfinishedRelationCount > 0)
    }
  }

  private static func refuse(_ snapshot: Snapshot) async throws {
    let copies = try String(contentsOfFile: snapshot.directory + "/newer", encoding: .utf8)
      .split(separator: "\n").map(String.init)
    #expect(copies.count == 4)
    for copy in copies + ["empty", "gone"] {
      for more in [[], ["--full-copy"]] {
        let output = try TemporaryDirectory()
        let run = try await ProgramRun.run(
          snapshot.arguments(copy) + ["--output", output.path + "/out"] + more,
          timeLimit: .seconds(400))
        #expect(run.exitCode == 65 && run.error.contains("[page-too-new]"), "\(run.error)")
        guard let file = copy.split(separator: "-").dropFirst().first else { continue }
        #expect(run.error.contains(copy == copies[3] ? "block 3 of" : "block 0 of"), "\(run.error)")
        #expect(run.error.contains("/\(file)'"), "\(run.error)")
      }
    }
  }

  /// The exported cluster does without what was not finished.
  private static func use(_ data: String, _ programs: String) throws {
    let server = try PostgresServer(
      made: #"cp -a "$1" data"#, [data], programs: programs, user: "postgres")
    try server.start()
    let indexes =
      "SELECT relname, indisready FROM pg_index JOIN pg_class ON oid = indexrelid "
      + "WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    #expect(try server.query(indexes) == ["h_a|t", "slow|f", "still_b|t", "t_pkey|t"])
    #expect(try server.query(indexes, database: "other") == ["h_a|t", "still_b|t", "t_pkey|t"])
    #expect(try server.query("REINDEX INDEX slow; SELECT count(*) FROM t") == ["9000"])
    // The index grows over what it had not used.
    _ = try server.query("COMMIT PREPARED 'other'", database: "other")
    #expect(
      try server.query(
        """
        SELECT count(*) FROM p;
        INSERT INTO h SELECT generate_series(9001, 45000); SET enable_seqscan = off;
        SELECT count(*) FROM generate_series(1, 45001) g WHERE EXISTS (SELECT FROM h WHERE a = g)
        """, database: "other") == ["1", "45000"])
    try server.stop()
  }
}
