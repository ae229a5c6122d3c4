import Backup
import Foundation
import Operations
import System
import TestSupport
import Testing

/// Goal: page checksums and manifests are checked as by a real Postgres.
///
/// Needs Debian's Postgres 15, and is skipped if that is not installed.
@Suite(
  .serialized, .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct ChecksumServerTests {
  /// A cluster with data checksums, started and stopped again, with a table of many pages.
  private static func stoppedServer() throws -> PostgresServer {
    let fixture = try Fixture.bytes("clean-15-checksums-wal1m.tar")
    let directory = try TemporaryDirectory()
    let tar = directory.path + "/cluster.tar"
    try Data(fixture).write(to: URL(filePath: tar))
    let server = try PostgresServer(
      unpacking: tar, programs: try #require(PostgresServer.programs), user: "cloud_admin")
    try server.start()
    _ = try server.query(
      "CREATE TABLE many AS SELECT i, repeat('x', 500) FROM generate_series(1, 5000) i")
    try server.stop()
    return server
  }

  private static func importing(
    _ directory: String, _ arguments: String...
  ) async throws -> ProgramRun {
    let tar = directory + ".tar"
    _ = try Shell.output("tar", "-C", directory, "-cf", tar, ".")
    let output = directory + "-imported"
    let run = try await ProgramRun.run([tar, "--output", output, "--json"] + arguments)
    try? FileManager.default.removeItem(atPath: output)
    return run
  }

  private struct Failure: Decodable {
    var findings: BackupFindings
  }

  /// A damaged page, as both programs report it.
  private struct Page: Hashable {
    var file: Substring
    var block: UInt32
    var expected: UInt16
    var found: UInt16
  }

  /// Method: change bytes in pages of a stopped cluster; an import must report the same pages as
  /// `pg_checksums --check`, with the same checksums.
  @Test func damagedPages() async throws {
    let server = try Self.stoppedServer()
    let sound = try await Self.importing(server.data)
    #expect(sound.exitCode == 0, "\(sound.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: sound.output)
    #expect(summary.pageChecksums.result == .verified)

    let table = server.data + "/base/5"
    let files = try FileManager.default.contentsOfDirectory(atPath: table).sorted()
    let large = files.filter { name in
      let size = try? FileManager.default.attributesOfItem(atPath: table + "/" + name)[.size]
      return (size as? Int ?? 0) >= 3 * 8192
    }
    #expect(large.contains { $0.hasSuffix("_fsm") })
    for (number, name) in large.enumerated() {
      let file = try FileHandle(forUpdating: URL(filePath: table + "/" + name))
      let offset = UInt64(8192 * (number % 3) + 4000 + number)
      try file.seek(toOffset: offset)
      let byte = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: offset)
      try file.write(contentsOf: [byte ^ 0x40])
      try file.close()
    }

    let run = try await Self.importing(server.data)
    #expect(run.exitCode == 65)
    let failure = try JSONDecoder().decode(Failure.self, from: run.output)
    let pages = try #require(failure.findings.pageChecksums).damagedPages.compactMap { page in
      page.expected.map {
        Page(file: page.file[...], block: page.block, expected: $0, found: page.found)
      }
    }
    #expect(pages.count > 10)
    #expect(Set(pages) == (try Self.pagesOfPgChecksums(server)))
  }

  private static func pagesOfPgChecksums(_ server: PostgresServer) throws -> Set<Page> {
    var text = ""
    do {
      _ = try server.run("pg_checksums", "--check", "-D", server.data)
    } catch {
      text = "\(error)"
    }
    let line =
      /in file ".*?data\/(.*?)", block (\d+): calculated checksum (\w+) but block contains (\w+)/
    return try Set(
      text.matches(of: line).map { match in
        Page(
          file: match.1, block: try #require(UInt32(match.2)),
          expected: try #require(UInt16(match.3, radix: 16)),
          found: try #require(UInt16(match.4, radix: 16)))
      })
  }

  /// Method: start and stop a base backup with a manifest, so that the manifest describes the files
  /// before. It is skipped with a note, but checked, and the backup refused, if it is given by
  /// name.
  @Test(arguments: ["CRC32C", "SHA512"]) func outdatedManifest(algorithm: String) async throws {
    let server = try Self.stoppedServer()
    try server.start()
    let base = server.directory.path + "/base"
    _ = try server.check(
      "pg_basebackup", "-D", base, "-c", "fast", "-X", "fetch", "--manifest-checksums", algorithm)
    try server.stop()
    _ = try server.run("postgres", "--single", "-D", base, "template1")
    let run = try await Self.importing(base)
    #expect(run.exitCode == 0, "\(run.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.manifest.result == .outdated)
    #expect(summary.pageChecksums.result == .verified)

    let given = try await Self.importing(base, "--manifest", base + "/backup_manifest")
    #expect(given.exitCode == 65)
    let failure = try JSONDecoder().decode(Failure.self, from: given.output)
    let differences = try #require(failure.findings.manifest?.differences)
    #expect(differences.contains { $0.code == .missing && $0.file == "backup_label" })
    // As they contain their own CRC-32C, all control files have the same CRC-32C as a whole.
    let findsControlFile = differences.contains {
      $0.code == .checksum && $0.file == "global/pg_control"
    }
    #expect(findsControlFile == (algorithm == "SHA512"))
    #expect(differences.contains { $0.code == .unlisted && $0.file == "backup_label.old" })
  }
}
