import Foundation
import Operations
import TestSupport
import Testing

/// Goal: names, kinds and files of relations are those that a real Postgres gives.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized, .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct InspectServerTests {
  private static func inspecting<Description: Decodable>(
    _ path: String, as type: Description.Type
  ) async throws -> Description {
    let run = try await ProgramRun.run(["inspect", path, "--json"])
    #expect(run.exitCode == 0, "\(run.error)")
    return try JSONDecoder().decode(type, from: run.output)
  }

  /// `base/5/16384 pgbench_accounts table` for every relation of a database that has files.
  private static func relations(
    _ server: PostgresServer, _ database: String
  ) throws -> [String] {
    try server.query(
      """
      SELECT pg_relation_filepath(oid) || ' ' || relname || ' ' || CASE relkind
          WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence'
          WHEN 't' THEN 'TOAST table' ELSE 'materialized view' END
        FROM pg_class WHERE relkind IN ('r', 'i', 'S', 't', 'm')
      """, database: database)
  }

  /// Method: a cluster with a database of many kinds of relations, all of whose catalogs have been
  /// rewritten, with names that need care; its directory, its tar and its timeline must give what
  /// the server said before it stopped.
  @Test func rewrittenCatalogs() async throws {
    let server = try PostgresServer(
      newWith: try #require(PostgresServer.programs), settings: "")
    try server.start()
    _ = try server.query(#"CREATE DATABASE "Größe <&> 'x'""#)
    let database = "Größe <&> 'x'"
    _ = try server.query(
      """
      CREATE TABLE "tab\tle <b>" AS
        SELECT g AS id, repeat(md5(g::text), 300) AS x FROM generate_series(1, 20000) g;
      CREATE INDEX "index & co" ON "tab\tle <b>" (id);
      CREATE MATERIALIZED VIEW seen AS SELECT id, id::text AS t FROM "tab\tle <b>";
      CREATE SEQUENCE numbers; CREATE UNLOGGED TABLE u AS SELECT * FROM seen;
      CREATE TABLE parts (id int) PARTITION BY RANGE (id);
      CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (30000);
      INSERT INTO parts SELECT id FROM seen; DROP MATERIALIZED VIEW seen;
      CREATE MATERIALIZED VIEW seen AS SELECT id, 'again' AS t FROM "tab\tle <b>";
      ALTER TABLE u RENAME TO "unlogged one"
      """, database: database)
    _ = try server.query("VACUUM FULL", database: database)
    _ = try server.query("VACUUM FULL")
    var expected = Set(try Self.relations(server, database))
    expected.formUnion(try Self.relations(server, "postgres"))
    expected.formUnion(try Self.relations(server, "template1"))
    let databases = try server.query("SELECT oid || ' ' || datname FROM pg_database ORDER BY oid")
    try server.stop()

    let directory = try TemporaryDirectory()
    let tar = directory.path + "/backup.tar"
    _ = try Shell.output("tar", "-C", server.data, "-cf", tar, ".")
    let output = directory.path + "/out"
    let imported = try await ProgramRun.run([tar, "--output", output, "--json"])
    let summary = try JSONDecoder().decode(ImportSummary.self, from: imported.output)

    let fromDirectory = try await Self.inspecting(server.data, as: BackupDescription.self)
    let fromTar = try await Self.inspecting(tar, as: BackupDescription.self)
    let timeline = try await Self.inspecting(summary.timelinePath, as: TimelineDescription.self)
    for (sizes, relations) in [
      (fromDirectory.databases, fromDirectory.relations), (fromTar.databases, fromTar.relations),
      (timeline.databases, timeline.relations),
    ] {
      #expect(sizes.filter { $0.id != 0 }.map { "\($0.id) \($0.name ?? "-")" } == databases)
      #expect(relations.count == 100)
      for relation in relations where relation.databaseID != 4 {
        let line = "\(relation.path) \(relation.name ?? "-") \(relation.kind ?? "-")"
        #expect(expected.contains(line.replacing("\\t", with: "\t")), "\(line)")
      }
      let names = Set(relations.compactMap(\.name))
      #expect(
        names.isSuperset(of: [#"tab\tle <b>"#, "index & co", "seen", "part_1", "unlogged one"]))
    }
    #expect(timeline.relations.first { $0.name == "unlogged one" }?.isUnlogged == true)
  }

  /// Goal: names are found also if no query has read their rows, and no wrong ones. Method: stop the
  /// server right after a table and a database were made, and another table was renamed.
  @Test func unreadRows() async throws {
    let server = try PostgresServer(
      newWith: try #require(PostgresServer.programs), settings: "")
    try server.start()
    let rows = "SELECT g, md5(g::text) AS x FROM generate_series(1, 200000) g"
    _ = try server.query("CREATE TABLE loaded AS \(rows)")
    _ = try server.query("CREATE TABLE old_name AS \(rows)")
    _ = try server.query("CREATE DATABASE made STRATEGY file_copy")
    let number = try server.query("SELECT pg_relation_filenode('old_name')").first
    _ = try server.query("ALTER TABLE old_name RENAME TO new_name")
    try server.stop()
    let found = try await Self.inspecting(server.data, as: BackupDescription.self)
    #expect(found.databases.contains { $0.name == "made" })
    #expect(found.relations.contains { $0.name == "loaded" && $0.kind == "table" })
    let renamed = found.relations.first { "\($0.relationNumber)" == number && $0.databaseID == 5 }
    #expect(renamed != nil && [nil, "new_name"].contains(renamed?.name))
  }
}
