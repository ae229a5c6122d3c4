import TestSupport
import Testing

/// A primary and a standby that is promoted, and copies of both.
///
/// ```
/// timeline 1  ──┬── load ──┬──────────── the primary goes on ───►
///               │          └── timeline 2: the standby, promoted ──┬── crash ──┬── more ──►
///            standby     switched                               crashed     its archive
/// ```
struct StandbyCluster: Sendable {
  /// A copy, by the name of its directory.
  enum Copy: String, CaseIterable, CustomTestStringConvertible {
    /// A backup from the standby while the primary writes.
    case standby
    /// A backup of timeline 1 with the WAL of both servers, beyond the switch on either timeline.
    case switched
    /// The promoted server's directory after a crash.
    case crashed

    var testDescription: String { rawValue }
  }

  private let directory: TemporaryDirectory
  let programs: String

  init(programs: String) throws {
    self.programs = programs
    directory = try TemporaryDirectory()
    try PostgresServer.shell(
      #"""
      bin=$1
      chmod 755 .
      drop=(); [[ $(id -u) != 0 ]] || { drop=(setpriv --reuid nobody --clear-groups); chown nobody .; }
      run() { "${drop[@]}" "$@"; }
      start() {
        run "$bin/pg_ctl" -D "$PWD/$1" -w -t 60 -l "$PWD/$1.log" -o "-p $2 -c listen_addresses= \
          -c unix_socket_directories=$PWD -c autovacuum=off" start
      }
      stop() { run "$bin/pg_ctl" -D "$PWD/$1" -w -t 60 -m "$2" stop; }
      sql() { local port=$1; shift; local words=(); for text; do words+=(-c "$text"); done
        run "$bin/psql" -h "$PWD" -p "$port" -U postgres -qAtX "${words[@]}"; }
      backup() { run "$bin/pg_basebackup" -h "$PWD" -U postgres -c fast --no-sync "$@"; }
      trap 'kill -KILL $load || true; stop primary immediate || true
        stop promoted immediate || true' EXIT

      run "$bin/initdb" -D "$PWD/primary" -U postgres -A trust -k --no-sync --wal-segsize=1
      printf '%s\n' 'fsync = off' 'wal_keep_size = 1GB' >> primary/postgresql.conf
      start primary 5001
      run "$bin/pgbench" -h "$PWD" -p 5001 -U postgres -i -q -s 2 postgres
      backup -p 5001 -R -D "$PWD/promoted"
      start promoted 5002
      "${drop[@]}" "$bin/pgbench" -h "$PWD" -p 5001 -U postgres -n -c 1 -T 600 postgres \
        > load.log 2>&1 &
      load=$!
      backup -p 5002 -D "$PWD/standby" -Ft -X stream --max-rate 16M &
      taker=$!
      sql 5001 'DELETE FROM pgbench_accounts WHERE aid % 17 = 0' 'VACUUM pgbench_accounts' CHECKPOINT
      wait $taker
      backup -p 5002 -D "$PWD/switched" -Fp -X none
      kill -KILL $load; wait $load || true
      run "$bin/pg_ctl" -D "$PWD/promoted" -w -t 60 promote
      sql 5002 'UPDATE pgbench_accounts SET abalance = 7 WHERE aid % 5 = 0' 'SELECT pg_switch_wal()' \
        'UPDATE pgbench_tellers SET tbalance = 9'
      sql 5001 'UPDATE pgbench_accounts SET abalance = 11 WHERE aid % 3 = 0' CHECKPOINT
      stop promoted immediate; stop primary immediate
      cp -a promoted crashed; rm -f crashed/postmaster.pid
      mkdir -p switched/pg_wal
      cp -n primary/pg_wal/0* switched/pg_wal; cp promoted/pg_wal/00000002* switched/pg_wal

      start promoted 5002
      sql 5002 'UPDATE pgbench_accounts SET abalance = 21 WHERE aid % 4 = 0' \
        'VACUUM pgbench_accounts' 'CREATE TABLE after_crash AS SELECT generate_series(1, 5000) AS a' \
        'SELECT pg_switch_wal()'
      stop promoted fast
      """#, [programs], directory.path)
  }

  func path(_ copy: Copy) -> String { directory.path + "/" + copy.rawValue }

  /// What may be given with it: nothing, another timeline, more WAL.
  func arguments(_ copy: Copy) -> [[String]] {
    switch copy {
    case .standby: [[]]
    case .switched: [[], ["--recovery-target-timeline", "1"]]
    case .crashed: [[], ["--restore-command", "cp '\(directory.path)/promoted/pg_wal/%f' '%p'"]]
    }
  }
}
