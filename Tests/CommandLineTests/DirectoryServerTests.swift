import Foundation
import TestSupport
import Testing

/// Goal: the data directory of a real Postgres is imported after the server has stopped, and
/// refused before; an unusual cluster is exported as it was.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized, .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct DirectoryServerTests {
  /// A server on a cluster with a prepared transaction, not started yet.
  private static func server(
    in directory: TemporaryDirectory, exporting timeline: String
  ) async throws -> PostgresServer {
    let tar = directory.path + "/export.tar"
    let run = try await ProgramRun.run(["export", timeline, "--force", "-o", tar])
    #expect(run.exitCode == 0, "\(run.error)")
    return try PostgresServer(
      unpacking: tar, programs: try #require(PostgresServer.programs), user: "cloud_admin")
  }

  private static func importing(
    _ data: String, to output: String
  ) async throws -> (run: ProgramRun, timeline: String) {
    let run = try await ProgramRun.run([
      data, "-o", output, "--tenant-id", "11111111111111111111111111111111",
      "--timeline-id", "22222222222222222222222222222222",
    ])
    let tenant = "tenants/11111111111111111111111111111111"
    return (run, "\(output)/\(tenant)/timelines/22222222222222222222222222222222")
  }

  /// Method: set the epoch of a real cluster to 3 and its log of transactions to 33 segments,
  /// create a database with an id above 2^31, an unlogged and an empty table, and the remains of a
  /// crashed backend; import it, running and stopped; compare, export, start, and compare the
  /// server's sums.
  @Test func oddCluster() async throws {
    let directory = try TemporaryDirectory()
    let first = try await ExportCommandTests.timeline(of: "clean-15", in: directory)
    let server = try await Self.server(in: directory, exporting: first)
    let data = server.data
    for number in 1...32 {
      let segment =
        data + "/pg_xact/00" + (number < 16 ? "0" : "")
        + String(number, radix: 16)
        .uppercased()
      try Data(count: 32 * 8192).write(to: URL(filePath: segment))
    }
    try server.giveFilesToServer()
    try server.runOnData("pg_resetwal", "-e", "3", "-x", "34000000")
    try server.start()
    _ = try server.query("CREATE DATABASE odd OID 4000000000 TEMPLATE template0")
    _ = try server.query(
      """
      CREATE TABLE t AS SELECT g, repeat('x', 100) AS x FROM generate_series(1, 5000) g; \
      CREATE INDEX ON t (g); CREATE UNLOGGED TABLE u (x int PRIMARY KEY); CREATE TABLE e (x text); \
      CREATE TABLE f AS SELECT * FROM t; DELETE FROM f
      """, database: "odd")
    for table in ["t", "f"] { _ = try server.query("VACUUM \(table)", database: "odd") }
    let running = try await Self.importing(data, to: directory.path + "/running")
    #expect(running.run.exitCode == 69)
    #expect(
      running.run.errorAfterStart.hasPrefix(
        "error: a server is running in the data directory: process "),
      "\(running.run.error)")
    #expect(!FileManager.default.fileExists(atPath: directory.path + "/running"))
    let sums = try server.sums()
    #expect(sums.contains { $0.hasPrefix("odd public.t 5000 ") })
    try server.stop()

    for name in ["base/4000000000/t3_99999", "base/4000000000/t3_99999_fsm"] {
      try Data([1]).write(to: URL(filePath: data + "/" + name))
    }
    let stopped = try await Self.importing(data, to: directory.path + "/stopped")
    #expect(stopped.run.exitCode == 0, "\(stopped.run.error)")
    #expect(stopped.run.error.contains("temporary relations (2 files, 2 bytes)"))
    let verified = try await ProgramRun.run(["verify", stopped.timeline, "--against", data])
    #expect(verified.exitCode == 0, "\(verified.error)")

    let second = try await Self.server(in: directory, exporting: stopped.timeline)
    try second.start()
    #expect(try second.sums() == sums)
    #expect(
      try second.query("SELECT pg_current_xact_id()::text::numeric / 4294967296 > 3") == ["t"])
    #expect(try second.query("SELECT count(*) FROM pg_prepared_xacts") == ["1"])
    #expect(
      try second.query("SELECT oid FROM pg_database WHERE datname = 'odd'") == ["4000000000"])
    #expect(try second.query("SELECT count(*) FROM u", database: "odd") == ["0"])
    try second.stop()
  }
}
