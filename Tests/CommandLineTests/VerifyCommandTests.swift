import Foundation
import Operations
import TestSupport
import Testing

/// Verifications by the built program, as a person and as a script see them.
@Suite struct VerifyCommandTests {
  private static let backup = Fixture.path("clean-15-minimal-promoted.tar.zst")

  private static func imported(into directory: TemporaryDirectory) async throws -> String {
    try importBackup(
      ImportOptions(backup: backup, outputDirectory: directory.path + "/out"), progress: nil
    ).timelinePath
  }

  /// Goal: a timeline without findings is one line and exit code 0, also with a backup from a pipe.
  @Test func sound() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.imported(into: directory)
    let run = try await ProgramRun.run(["verify", timeline])
    #expect(run.exitCode == 0 && run.error.isEmpty, "\(run.error)")
    #expect(
      run.outputText.hasPrefix(
        "checked the structure of a Postgres 15 timeline, LSN 0/215ACF0 to 0/215AD68: "))
    #expect(
      run.outputText.hasSuffix("; page contents were not compared; use --against BACKUP\n"))
    let verified = try await ProgramRun.run(["verify", timeline, "--against", Self.backup])
    #expect(
      verified.outputText.hasPrefix("verified Postgres 15 timeline, LSN 0/215ACF0 to 0/215AD68: "))
    #expect(verified.outputText.contains(" pages compared, 0 findings"))
    let compared = try await ProgramRun.run(
      ["verify", timeline, "--against", "-", "--json"], input: .pipe(Self.backup))
    #expect(compared.exitCode == 0 && compared.error.isEmpty, "\(compared.error)")
    let summary = try JSONDecoder().decode(VerifySummary.self, from: compared.output)
    #expect(summary.isCompared && summary.findingCount == 0)
    #expect(summary.comparedPageCount == summary.pageCount && summary.pageCount > 5000)
  }

  /// Goal: who compares with another backup learns it. Method: another cluster's; a later one of the same
  /// cluster, with a page of it that differs and comes first.
  @Test func otherBackup() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.imported(into: directory)
    let cluster = try await ProgramRun.run(
      ["verify", timeline, "--against", Fixture.path("clean-15.tar.zst")])
    #expect(cluster.exitCode == 1, "\(cluster.error)")
    #expect(cluster.error.contains("hint: Give the backup that was imported to '--against'"))
    let source = SmallBackup.withControlFile { file in
      // The checkpoint's position, and its redo's: a segment later. (Postgres, `pg_control.h`)
      for offset in [32, 40] { file[offset + 3] += 1 }
    }
    let small = try importBackup(
      ImportOptions(
        backup: try Self.written(SmallBackup.tar, "first.tar", directory),
        outputDirectory: directory.path + "/small"), progress: nil)
    let later = try await ProgramRun.run([
      "verify", small.timelinePath, "--against", try Self.written(source, "later.tar", directory),
    ])
    #expect(later.exitCode == 1, "\(later.error)")
    let first = try #require(later.error.split(separator: "\n").first)
    #expect(first.hasPrefix("finding: ") && first.contains("_lsn of the index is "), "\(first)")
    #expect(later.error.contains("hint: Their LSNs differ: this is another backup"))
  }

  private static func written(
    _ tar: TestTar, _ name: String, _ directory: TemporaryDirectory
  ) throws -> String {
    let path = directory.path + "/" + name
    try Data(tar.encoded()).write(to: URL(filePath: path))
    return path
  }

  /// Goal: findings are listed on standard error, and the exit code is 1. Method: compare with a
  /// backup in which one page is different.
  @Test func different() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.imported(into: directory)
    var tar = TestTar(decoding: try Fixture.bytes("clean-15-minimal-promoted.tar"))
    tar["global/1260"].contents[7000] ^= 1
    let other = directory.path + "/other.tar"
    try Data(tar.encoded()).write(to: URL(filePath: other))
    let run = try await ProgramRun.run(["verify", timeline, "--against", other])
    #expect(run.exitCode == 1)
    #expect(run.outputText.hasPrefix("checked Postgres 15 timeline, "))
    #expect(run.outputText.contains("1 finding"))
    #expect(
      run.error.contains("finding: block 0 of 'global/1260' differs from the backup (same LSN"))
    #expect(run.error.contains("error: timeline '\(timeline)' differs from the backup: 1 finding"))
    #expect(!run.error.contains("hint: "), "\(run.error)")
    let json = try await ProgramRun.run(["verify", timeline, "--against", other, "--json"])
    #expect(json.exitCode == 1)
    let summary = try JSONDecoder().decode(VerifySummary.self, from: json.output)
    #expect(summary.findings.first?.file == "global/1260" && summary.findings.first?.block == 0)
  }

  /// Goal: each kind of failure has its exit code, and no line of success.
  @Test func failures() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.imported(into: directory)
    let index = timeline + "/index_part.json-00000001"
    let layer = try #require(
      try FileManager.default.contentsOfDirectory(atPath: timeline).first { $0.contains("__") })
    for (arguments, code) in [
      ([], 64), ([timeline, "x"], 64), ([timeline, "--against", "/nowhere"], 66),
      (["/nowhere"], 66), ([directory.path], 66),
      ([timeline, "--against", Fixture.path("clean-18.tar.zst")], 69),
      ([timeline, "--against", Fixture.path("clean-15.sums")], 65),
    ] as [([String], Int32)] {
      let run = try await ProgramRun.run(["verify"] + arguments)
      #expect(run.exitCode == code && run.output.isEmpty, "\(arguments): \(run.error)")
      #expect(run.error.hasPrefix("error: "))
    }
    for name in ["online-15", "online-15/base.tar.zst"] {
      for separator in ["\0", "="] {
        let running = try await ProgramRun.run(
          ["verify", timeline]
            + "--against\(separator)\(Fixture.path(name))".split(separator: "\0").map(String.init))
        #expect(running.exitCode == 69)
        // The directory counts, also if a tar in it was given.
        let command =
          "verify \(timeline) --against\(separator)\(Fixture.path("online-15")) "
          + "--recover-with /usr/lib/postgresql/15/bin --scratch /var/tmp"
        #expect(
          running.error.split(separator: "\n").last?
            .hasSuffix(command.replacing("\0", with: " ")) == true, "\(running.error)")
      }
    }
    try FileManager.default.removeItem(atPath: timeline + "/" + layer)
    let missing = try await ProgramRun.run(["verify", timeline])
    #expect(missing.exitCode == 1)
    #expect(missing.error.contains("finding: layer '\(layer)' is missing"))
    try Data("{}".utf8).write(to: URL(filePath: index))
    let damaged = try await ProgramRun.run(["verify", timeline])
    #expect(damaged.exitCode == 65 && damaged.output.isEmpty)
    // What an import leaves that is killed.
    try FileManager.default.removeItem(atPath: index)
    let unfinished = try await ProgramRun.run(["verify", timeline])
    #expect(unfinished.exitCode == 66)
    #expect(unfinished.error.contains("hint: An import is writing it, or was interrupted: run it "))
  }
}
