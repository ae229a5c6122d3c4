import Foundation
import TestSupport
import Testing

/// Goal: what is exported is a backup that real Postgres starts from as after a clean shutdown.
///
/// Each needs Debian's Postgres 15, and is shown as skipped where that is not installed.
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

  /// Method: the server's own sums over every table against those of the cluster that was backed
  /// up; its own check of every table and index; the prepared transaction; a second start.
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

  /// Method: what a pageserver gave out, which Postgres does not start from, comes out as something
  /// that it does start from.
  @Test func startsFromFullbackup() async throws {
    let directory = try TemporaryDirectory()
    let server = try await Self.server("fullbackup-15", in: directory)
    try server.start()
    let sums = try server.sums()
    #expect(Set(try Self.expectedSums("clean-15")).symmetricDifference(sums) == [])
    try server.stop()
  }

  /// Method: a timeline whose end is set to where the record meets the end of a page, of a segment,
  /// of a run of segment names, and the header behind each.
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

/// Goal: the same with another version of Postgres, whose files differ in name and layout.
///
/// Shown as skipped where there is no Postgres 16.
@Suite(
  .serialized,
  .enabled(
    if: PostgresServer.programs16 != nil, "Postgres 16 is not there; 'make postgres' gets it"))
struct ExportServer16Tests {
  /// Method: the server's own sums over every table against those of the cluster that was backed
  /// up; the prepared transaction and the origin; a second start.
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
