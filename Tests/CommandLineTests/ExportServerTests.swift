import Foundation
import TestSupport
import Testing

/// Goal: a real Postgres starts from an exported backup as after a clean shutdown.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized, .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct ExportServerTests {
  static func server(
    _ fixture: String, programs: String? = PostgresServer.programs,
    in directory: TemporaryDirectory, change: (String) throws -> Void = { _ in }
  ) async throws -> PostgresServer {
    let timeline = try await ExportCommandTests.timeline(of: fixture, in: directory)
    try change(timeline)
    let tar = directory.path + "/backup.tar"
    let run = try await ProgramRun.run(["export", timeline, "-o", tar])
    #expect(run.exitCode == 0, "\(run.error)")
    return try PostgresServer(
      unpacking: tar, programs: try #require(programs), user: "cloud_admin")
  }

  static func expectedSums(_ fixture: String) throws -> [String] {
    try String(contentsOfFile: Fixture.path(fixture + ".sums"), encoding: .utf8)
      .split(separator: "\n").map(String.init)
  }

  /// Method: compare the sums of every table with those of the cluster that was backed up; run the
  /// server's own check of every table and index; commit the prepared transaction; start again.
  @Test(arguments: ["clean-15", "clean-15-checksums-wal1m", "clean-15-minimal-promoted"])
  func starts(fixture: String) async throws {
    let directory = try TemporaryDirectory()
    let server = try await Self.server(fixture, in: directory)
    try server.start()
    let expected = try Self.expectedSums(fixture)
    let sums = try server.sums()
    #expect(Set(expected).symmetricDifference(sums).sorted().prefix(5) == [])
    #expect(sums.count == expected.count)
    #expect(try server.check("pg_amcheck", "--all", "--install-missing", "--heapallindexed") == [])
    for line in try server.query("SELECT gid, database FROM pg_prepared_xacts") {
      let parts = line.split(separator: "|").map(String.init)
      _ = try server.query("COMMIT PREPARED '\(parts[0])'", database: parts[1])
    }
    #expect(try server.query("SELECT count(*) FROM pg_prepared_xacts") == ["0"])
    if fixture == "clean-15" {
      #expect(
        try server.query("SELECT remote_lsn FROM pg_replication_origin_status") == ["5/12345678"])
    }
    try server.stop()
    try server.start()
    #expect(try server.query("SELECT 1") == ["1"])
    try server.stop()
  }

  /// Method: a fullbackup of a pageserver, from which Postgres does not start, is exported as a
  /// backup from which it does.
  @Test func startsFromFullbackup() async throws {
    let directory = try TemporaryDirectory()
    let server = try await Self.server("fullbackup-15", in: directory)
    try server.start()
    let sums = try server.sums()
    #expect(Set(try Self.expectedSums("clean-15")).symmetricDifference(sums) == [])
    try server.stop()
  }

  /// Method: set the end of the timeline so that the record crosses the end of a page, of a
  /// segment, of a run of segment names, and the header after each.
  @Test(arguments: [
    "0/5059F90", "0/5059FF8", "0/505A000", "0/5FFFF88", "0/5FFFFC8", "0/5FFFFF8", "0/6000000",
    "0/FFFFFFC8", "1/0", "FFFFFFF/FFFFFF98",
  ])
  func recordAtBoundaries(end: String) async throws {
    let directory = try TemporaryDirectory()
    let server = try await Self.server("clean-15-minimal-promoted", in: directory) { timeline in
      let path = timeline + "/index_part.json-00000001"
      let index = try String(contentsOfFile: path, encoding: .utf8)
      let field = #""disk_consistent_lsn":"#
      let changed = index.replacing(field + #""0/215AD68""#, with: field + "\"\(end)\"")
      #expect(changed != index)
      try changed.write(toFile: path, atomically: false, encoding: .utf8)
    }
    try server.start()
    #expect(try server.query("SELECT count(*) > 100 FROM pg_class") == ["t"])
    _ = try server.query("CREATE TABLE t AS SELECT generate_series(1, 10000)")
    try server.stop()
    try server.start()
    #expect(try server.query("SELECT count(*) FROM t") == ["10000"])
    try server.stop()
  }
}

/// Goal: the same with another version of Postgres, with other file names and layouts.
///
/// Skipped if there is no Postgres 16.
@Suite(
  .serialized,
  .enabled(
    if: PostgresServer.programs16 != nil, "Postgres 16 is missing; 'make postgres' installs it"))
struct ExportServer16Tests {
  /// Method: compare the sums of every table with those of the cluster that was backed up; commit
  /// the prepared transaction; check the origin; start again.
  @Test(arguments: ["clean-16", "fullbackup-16"]) func starts(fixture: String) async throws {
    let directory = try TemporaryDirectory()
    let server = try await ExportServerTests.server(
      fixture, programs: PostgresServer.programs16, in: directory)
    try server.start()
    let expected = try ExportServerTests.expectedSums("clean-16")
    let sums = try server.sums()
    #expect(Set(expected).symmetricDifference(sums).sorted().prefix(5) == [])
    #expect(sums.count == expected.count)
    for line in try server.query("SELECT gid, database FROM pg_prepared_xacts") {
      let parts = line.split(separator: "|").map(String.init)
      _ = try server.query("COMMIT PREPARED '\(parts[0])'", database: parts[1])
    }
    #expect(
      try server.query("SELECT remote_lsn FROM pg_replication_origin_status") == ["5/12345678"])
    try server.stop()
    try server.start()
    #expect(try server.query("SELECT count(*) FROM pg_prepared_xacts") == ["0"])
    try server.stop()
  }
}
