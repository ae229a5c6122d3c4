import Foundation
import TestSupport
import Testing

/// A cluster without tablespaces under a load of everything that a replay without pages could get
/// wrong, and its backups.
///
/// Hash indexes whose overflow pages are cleaned, VACUUM that cuts tables and their visibility maps,
/// a visibility map that is cut alone, VACUUM FULL, CLUSTER, TRUNCATE, DROP, indexes of all kinds that are built and
/// changed, COPY, TOAST, large objects, multixacts, generic WAL, unlogged tables, a prepared transaction, databases
/// that are copied by their files, chains of them, and a dropped one whose id comes again.
struct LoadedCluster: Sendable {
  /// A way to back it up.
  enum Form: String, CaseIterable, CustomTestStringConvertible {
    /// A directory of tars, the WAL streamed.
    case tars
    /// One tar with the WAL in it, to be given through a pipe.
    case pipe
    /// A directory, of which a part is copied long before the rest.
    case plain
    /// A copy between `pg_backup_start` and `pg_backup_stop`, unlogged tables included; its WAL is
    /// in the archive only.
    case archived

    var testDescription: String { rawValue }
  }

  let directory: String
  private let programs: String
  private let server: PostgresServer

  /// Makes the cluster and takes all backups of it.
  init(programs: String, checksums: Bool, settings: String) throws {
    self.programs = programs
    server = try PostgresServer(
      newWith: programs,
      settings: """
        fsync = off
        max_prepared_transactions = 5
        wal_keep_size = 1GB
        checkpoint_timeout = 30s
        archive_mode = on
        archive_command = 'cp %p ../archive/%f'
        \(settings)
        """, checksums: checksums)
    directory = server.directory.path
    try PostgresServer.shell(
      "mkdir archive; [[ $(id -u) != 0 ]] || chown nobody archive", [], directory)
    try server.start()
    try fill()
    try backUp()
    try server.stop()
  }

  private func fill() throws {
    try server.run(
      "pgbench", "-h", directory, "-U", "postgres", "-i", "-q", "-s", "2", "postgres")
    _ = try server.query(
      """
      CREATE TABLE h (a int, b text); CREATE INDEX ON h USING hash (b);
      INSERT INTO h SELECT g, md5(g::text) FROM generate_series(1, 9000) g;
      CREATE TABLE v (a int PRIMARY KEY, b text);
      INSERT INTO v SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 9000) g;
      CREATE INDEX ON v USING gin (to_tsvector('simple', b));
      CREATE INDEX ON v USING brin (a);
      CREATE TABLE p (a point); CREATE INDEX ON p USING gist (a); CREATE INDEX ON p USING spgist (a);
      INSERT INTO p SELECT point(g, g % 90) FROM generate_series(1, 3000) g;
      CREATE TABLE x (a int, b text);
      CREATE UNLOGGED TABLE u AS SELECT g AS a FROM generate_series(1, 9000) g;
      CREATE TABLE tr (a int, b text);
      INSERT INTO tr SELECT g, repeat('x', 200) FROM generate_series(1, 9000) g;
      CREATE TABLE old1 AS SELECT * FROM v; CREATE TABLE old2 AS SELECT * FROM v;
      """)
    _ = try server.query("VACUUM")
    if programs == PostgresServer.programs {  // another may come without extensions
      _ = try server.query("CREATE EXTENSION pg_visibility; CREATE EXTENSION bloom")
      _ = try server.query("CREATE INDEX ON v USING bloom (a, b)")
      try PostgresServer.shell("touch visibility", [], directory)
    }
    for name in ["olddb", "again"] {
      _ = try server.query("CREATE DATABASE \(name)\(name == "again" ? " OID 70000" : "")")
      for number in 1...3 {
        _ = try server.query(
          "CREATE TABLE o\(number) AS SELECT g, md5(g::text) FROM generate_series(1, 3000) g",
          database: name)
      }
    }
  }

  /// Takes the backups while the load goes on; each sees all of it at least once.
  private func backUp() throws {
    try PostgresServer.shell(
      #"""
      bin=$1
      drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
      run() { "${drop[@]}" "$@"; }
      sql() { local database=$1; shift; local words=(); for text; do words+=(-c "$text"); done
        run "$bin/psql" -h "$PWD" -U postgres -d "$database" -qAtX "${words[@]}"; }
      round() {
        local i=$1
        sql postgres "DELETE FROM h WHERE a % 7 = $((i % 7))" "VACUUM h" \
          "INSERT INTO h SELECT g, md5(random()::text) FROM generate_series(1, 1500) g" \
          "DELETE FROM tr WHERE a > 5000" "VACUUM tr" \
          "INSERT INTO tr SELECT g, repeat('y', 200) FROM generate_series(5001, 9000) g" \
          "UPDATE v SET b = repeat(md5(random()::text), 4) WHERE a % 20 = $((i % 20))" \
          "TRUNCATE u" "INSERT INTO u SELECT 1" "CREATE TABLE n$i AS SELECT * FROM v LIMIT 2000" \
          "CREATE INDEX ON n$i (a)" "VACUUM FULL n$i" "CLUSTER v USING v_pkey" "REINDEX TABLE h" \
          "DROP TABLE IF EXISTS \"n$((i - 2))\""
        sql postgres "DELETE FROM p WHERE a[0] > $((3000 - 300 * i))" "VACUUM p" \
          "INSERT INTO p SELECT point(g, $i) FROM generate_series(1, 500) g" \
          "INSERT INTO x SELECT $i, string_agg(md5(g::text), '') FROM generate_series(1, 2000) g" \
          "DELETE FROM x WHERE a < $i" "VACUUM x" "COPY x (a) FROM PROGRAM 'seq 1 3000'" \
          "SELECT lo_from_bytea(0, repeat(md5('$i'), 300)::bytea)" "REINDEX INDEX CONCURRENTLY v_pkey" > /dev/null
        # Rows that two transactions hold have a multixact.
        sql postgres 'BEGIN; SELECT FROM tr WHERE a < 200 FOR SHARE' "PREPARE TRANSACTION 'l$i'"
        sql postgres 'SELECT FROM tr WHERE a < 200 FOR SHARE' "COMMIT PREPARED 'l$i'" > /dev/null
        sql postgres "DROP TABLE IF EXISTS old1" "TRUNCATE old2" \
          "INSERT INTO old2 SELECT * FROM v LIMIT 100"
        # What is copied has been changed and cut before, in part.
        sql olddb "UPDATE o2 SET md5 = 'x$i' WHERE g % 40 = $i" "DELETE FROM o3 WHERE g > $((3000 - 500 * i))" \
          "VACUUM o3"
        if [[ -f visibility ]]; then
          sql postgres "SELECT pg_truncate_visibility_map('pgbench_accounts')" > /dev/null
        fi
        sql postgres "CREATE DATABASE copy$i TEMPLATE olddb STRATEGY file_copy" \
          "CREATE DATABASE second$i TEMPLATE copy$i STRATEGY file_copy"
        sql "copy$i" "DELETE FROM o1 WHERE g % 3 = 0" "INSERT INTO o2 SELECT 1" "VACUUM o1"
        sql olddb "DELETE FROM o1 WHERE g % 9 = $i" "VACUUM o1"
        sql postgres "DROP DATABASE again" "CREATE DATABASE again OID 70000"
        sql again "CREATE TABLE o1 AS SELECT g FROM generate_series(1, 500) g"
        sql postgres "BEGIN; CREATE TABLE q$i AS SELECT 1 AS a; PREPARE TRANSACTION 'p$i'"
        (( i < 2 )) || sql postgres "DROP DATABASE second$((i - 1))" "ROLLBACK PREPARED 'p$((i - 1))'"
      }
      backup() { run "$bin/pg_basebackup" -h "$PWD" -U postgres -c fast --no-sync "$@"; }
      "${drop[@]}" "$bin/pgbench" -h "$PWD" -U postgres -n -c 1 -T 600 -R 100 postgres > pgbench.log 2>&1 &
      load=$!
      trap 'kill -KILL $load || true' EXIT

      # Slowly, so that a round falls into the backup. A reader that waits would hold up DROP DATABASE.
      backup -D - -Ft -X fetch --max-rate 16M > pipe &
      taker=$!
      round 1
      wait $taker

      backup -D "$PWD/tars" -Ft -X stream --max-rate 16M &
      taker=$!
      round 2
      wait $taker

      # The archived copy takes `base` before the round and the rest after it.
      mkdir archived
      sql postgres "SELECT pg_relation_filepath('tr')" > cut
      start="SELECT pg_backup_start('b', true)"; stop='SELECT labelfile FROM pg_backup_stop()'
      coproc session { run "$bin/psql" -h "$PWD" -U postgres -d postgres -qAtX 2>&1; }
      echo "$start;" >&${session[1]}; read -r _ <&${session[0]}
      cp -a data/base archived/
      round 3
      for name in data/*; do
        case ${name#data/} in
        base | pg_wal | postmaster.* | *.conf | current_logfiles) ;;
        *) cp -a "$name" archived/ 2> /dev/null || true ;;
        esac
      done
      mkdir archived/pg_wal
      echo "$stop;" >&${session[1]}
      while read -r -t 60 line; do
        [[ $line != [A-Z]*': '* || $line == NOTICE* ]] || echo "$line"
        [[ $line != 'START TIMELINE:'* ]] || break
      done <&${session[0]} > archived/backup_label
      exec {session[1]}>&-
      sql postgres 'SELECT pg_switch_wal()' 'CHECKPOINT' > /dev/null

      backup -D "$PWD/plain" -Fp -X stream --max-rate 16M &
      taker=$!
      round 4
      wait $taker
      """#, [programs], directory)
  }

  func path(_ form: Form) -> String { directory + "/" + form.rawValue }

  /// What an import takes to recover it.
  func arguments(_ form: Form) -> [String] {
    ["--recover-with", programs] + Sandboxing.options
      + (form == .archived ? ["--restore-command", "cp '\(directory)/archive/%f' '%p'"] : [])
  }
}
