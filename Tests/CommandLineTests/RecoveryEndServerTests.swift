import Foundation
import Operations
import TestSupport
import Testing

/// Where the WAL of a backup ends.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct RecoveryEndServerTests {
  /// Goal: a backup is recovered whose last record ends 8 bytes before the end of a page, so that the header
  /// of the first record that the recovery writes is on two. Method: a server that crashes there, after
  /// transactions until one ends there.
  @Test(arguments: [[], ["--full-copy"]])
  func headerOnTwoPages(options: [String]) async throws {
    let programs = try #require(PostgresServer.programs)
    let server = try PostgresServer(
      newWith: programs, settings: "fsync = off\nwal_level = minimal\nmax_wal_senders = 0",
      checksums: false)
    try server.start()
    _ = try server.query(
      """
      DO $$ BEGIN LOOP
        PERFORM pg_logical_emit_message(true, '', ''); COMMIT;
        EXIT WHEN (pg_current_wal_insert_lsn() - '0/0') % 8192 = 8184;
      END LOOP; END $$
      """)
    try server.runOnData("pg_ctl", "-m", "immediate", "-w", "stop")
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      [
        server.directory.path + "/data", "--output", "out", "--recover-with", programs,
        "--assume-snapshot", "--json",
      ] + options, directory: directory.path)
    try #require(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.recoveryEndLSN?.hasSuffix("FF8") == true)
  }

  /// Goal: a backup is recovered whose WAL ends in a record that is broken off at the end of a segment; the
  /// server goes on in the next one. Method: a server that crashes after a record of several segments, of
  /// which only the first are left.
  @Test(arguments: [0, 1], [[], ["--full-copy"]])
  func recordBrokenOff(moreSegmentCount: Int, options: [String]) async throws {
    let programs = try #require(PostgresServer.programs)
    let server = try PostgresServer(
      newWith: programs, settings: "fsync = off\nwal_level = minimal\nmax_wal_senders = 0",
      checksums: false)
    try server.start()
    _ = try server.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
    let position = try server.query("SELECT pg_current_wal_insert_lsn()")[0]
    let last = try server.query(
      "SELECT pg_walfile_name('\(position)'::pg_lsn + \(moreSegmentCount << 20))")[0]
    _ = try server.query("SELECT pg_logical_emit_message(true, '', repeat('x', 3 << 20))")
    try server.runOnData("pg_ctl", "-m", "immediate", "-w", "stop")
    try PostgresServer.shell(
      #"for f in data/pg_wal/0*; do if [[ ${f##*/} > $1 ]]; then rm "$f"; fi; done"#, [last],
      server.directory.path)
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      [
        server.data, "--output", "out", "--recover-with", programs, "--assume-snapshot", "--json",
      ] + options, directory: directory.path)
    try #require(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.recoveryEndLSN == position)
  }
}
