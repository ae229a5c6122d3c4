import Foundation
import System
import TestSupport
import Testing

/// A cluster under write load, and its backups in every form of pg_basebackup.
///
/// It has two tablespaces, one with a name that needs quotes; tables, an index, a materialized
/// view, a partitioned table without files, and a database with tables in all tablespaces; a
/// prepared transaction. No server can start with its configuration files.
struct OnlineCluster: Sendable {
  /// A way to back a cluster up.
  enum Form: String, CaseIterable, CustomTestStringConvertible {
    case stream, fetch, gzip, lz4, zstd, plain
    /// A tar of the plain form, links followed, and a tar of its WAL.
    case tarAndWAL
    /// The directory after the server was stopped.
    case stopped

    var testDescription: String { rawValue }
  }

  let directory: String
  let programs: String
  private let server: PostgresServer

  /// The cluster that the tests of a suite share, removed after the last of them.
  @TaskLocal static var shared: OnlineCluster?

  fileprivate init() throws {
    guard let programs = PostgresServer.programs else {
      throw PostgresServer.Failure(description: "Postgres 15 is not installed")
    }
    self.programs = programs
    server = try PostgresServer(
      newWith: programs,
      settings: """
        fsync = off
        max_prepared_transactions = 5
        archive_mode = on
        archive_command = 'cp %p ../archive/%f'
        """)
    directory = server.directory.path
    try PostgresServer.shell(
      """
      mkdir archive one two 'plain-16384' 'plain-16385'
      [[ $(id -u) != 0 ]] || chown nobody archive one two plain-*
      """, [], directory)
    try server.start()
    try fill()
    // For a server that would start in a backup of it; this one has already read its files.
    try PostgresServer.shell(
      """
      echo "shared_preload_libraries = 'there_is_no_such_library'" >> data/postgresql.auto.conf
      echo "include 'there-is-no-such-file.conf'" >> data/postgresql.conf
      """, [], directory)
    try backUp()
    _ = try server.query("CHECKPOINT")
    try server.stop()
  }

  private func fill() throws {
    for statement in [
      "CREATE TABLESPACE one LOCATION '\(directory)/one'",
      "CREATE TABLESPACE \"T w\"\"o\\\" LOCATION '\(directory)/two'",
      "CREATE DATABASE \"d\"\"1\"", "CREATE DATABASE moved TABLESPACE \"T w\"\"o\\\"",
      "CREATE DATABASE closed",
    ] {
      _ = try server.query(statement)
    }
    _ = try server.query(
      """
      CREATE TABLE t (a int PRIMARY KEY, b text) TABLESPACE one;
      INSERT INTO t SELECT g, repeat(md5(g::text), 9) FROM generate_series(1, 9000) g;
      CREATE INDEX ON t (b) TABLESPACE "T w""o\\";
      CREATE MATERIALIZED VIEW m TABLESPACE one AS SELECT * FROM t LIMIT 99;
      CREATE TABLE p (a int) PARTITION BY RANGE (a) TABLESPACE one;
      CREATE UNLOGGED TABLE u TABLESPACE one AS SELECT 1 AS a;
      CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'refused by an event trigger'; END $$;
      CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse();
      ALTER DATABASE "d""1" SET session_preload_libraries = 'there_is_no_such_library';
      """, database: "d\"1")
    _ = try server.query(
      "CREATE TABLE c TABLESPACE one AS SELECT generate_series(1, 9) AS a", database: "closed")
    _ = try server.query("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    _ = try server.query(
      """
      CREATE TABLE home AS SELECT generate_series(1, 3000) AS a;
      CREATE TABLE away TABLESPACE pg_default AS SELECT generate_series(1, 2000) AS a;
      CREATE TABLE other TABLESPACE one AS SELECT generate_series(1, 1000) AS a;
      """, database: "moved")
    try server.run(
      "pgbench", "-h", directory, "-U", "postgres", "-i", "-q", "-s", "2", "postgres")
    _ = try server.query(
      "BEGIN; UPDATE pgbench_history SET delta = 0; CREATE TABLE prepared (a int); "
        + "PREPARE TRANSACTION 'p'")
  }

  /// Takes all backups while pgbench writes.
  private func backUp() throws {
    try PostgresServer.shell(
      #"""
      drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
      "${drop[@]}" "$1/pgbench" -h "$PWD" -U postgres -n -c 2 -T 600 postgres &
      load=$!
      backup() {
        "${drop[@]}" "$1/pg_basebackup" -h "$PWD" -U postgres -c fast --no-sync -D "$PWD/$2" "${@:3}"
      }
      backup "$1" stream -Ft -X stream
      backup "$1" fetch -Ft -X fetch
      backup "$1" gzip -Ft -X stream --compress=client-gzip:1
      backup "$1" lz4 -Ft -X fetch --compress=server-lz4
      backup "$1" zstd -Ft -X stream --compress=client-zstd
      backup "$1" plain -Fp -X stream -T "$PWD/one=$PWD/plain-16384" -T "$PWD/two=$PWD/plain-16385"
      # Not TERM: processes that Foundation starts have it blocked.
      kill -KILL $load; wait $load || true
      tar -C plain -h --exclude ./pg_wal/0* -cf tarAndWAL .
      tar -C plain/pg_wal -cf tarAndWAL.wal .
      """#, [programs], directory)
  }

  func path(_ form: Form) -> String {
    directory + "/" + (form == .stopped ? "data" : form.rawValue)
  }

  /// The arguments besides the path of the backup.
  func arguments(_ form: Form) -> [String] {
    form == .tarAndWAL ? ["--wal", path(form) + ".wal"] : []
  }

  /// A server restored from the backup as Postgres's documentation says, not started yet.
  func restored(_ form: Form) throws -> PostgresServer {
    try PostgresServer(
      made: #"""
        mkdir data one two
        unpack() {
          case $1 in
          *.gz) gzip -dc "$1" ;; *.lz4) lz4 -dc "$1" ;; *.zst) zstd -dc "$1" ;; *) cat "$1" ;;
          esac | tar -C "$2" -xf -
        }
        case $2 in
        plain | tarAndWAL) cp -a "$1/plain/." data; one=$1/plain-16384 two=$1/plain-16385
          cp -a "$one/." one; cp -a "$two/." two ;;
        stopped) cp -a "$1/data/." data; cp -a "$1/one/." one; cp -a "$1/two/." two ;;
        *)
          unpack "$1/$2"/base.tar* data; unpack "$1/$2"/16384.tar* one
          unpack "$1/$2"/16385.tar* two
          for log in "$1/$2"/pg_wal.tar*; do [[ ! -e $log ]] || unpack "$log" data/pg_wal; done ;;
        esac
        rm -f data/tablespace_map data/pg_tblspc/* data/postgresql.auto.conf
        ln -s "$PWD/one" data/pg_tblspc/16384; ln -s "$PWD/two" data/pg_tblspc/16385
        echo 'max_prepared_transactions = 5' > data/postgresql.conf
        """#, [directory, form.rawValue],
      programs: programs, user: "postgres")
  }
}

/// Gives the tests of a suite one cluster.
struct SharedCluster: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await OnlineCluster.$shared.withValue(OnlineCluster()) { try await function() }
  }
}

extension Trait where Self == SharedCluster {
  static var sharedCluster: Self { Self() }
}
