import Backup
import Foundation
import Operations
import System
import TestSupport
import Testing

/// Imports by the built program, as a person and as a script see them.
@Suite struct ImportCommandTests {
  private static let backup = Fixture.path("clean-15-minimal-promoted.tar.zst")

  /// Goal: an import ends with one line on standard output, and the path of the timeline and the
  /// next step on standard error. Method: import a real backup with given ids.
  @Test func person() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run([
      Self.backup, "--output", directory.path, "--tenant-id", String(repeating: "a", count: 32),
      "--timeline-id", String(repeating: "b", count: 32), "--generation", "10",
    ])
    #expect(run.exitCode == 0)
    #expect(run.outputText.hasPrefix("imported Postgres 15 (clean shutdown): "))
    #expect(run.outputText.contains("LSN 0/215ACF0 to 0/215AD68"))
    #expect(run.outputText.count { $0 == "\n" } == 1)
    let path =
      directory.path + "/tenants/" + String(repeating: "a", count: 32) + "/timelines/"
      + String(repeating: "b", count: 32)
    #expect(run.error.contains("'\(path)'"))
    #expect(run.error.contains("208 pages had no LSN; each was given one"))
    #expect(run.error.contains("Postgres timeline set from 2 to 1"))
    #expect(run.error.contains("generation 10"))
    #expect(FileManager.default.fileExists(atPath: path + "/index_part.json-0000000a"))
  }

  /// Goal: JSON is one object with everything, also for a backup from a pipe.
  @Test func script() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      ["-", "--output", directory.path, "--json"], input: .pipe(Self.backup))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.isEmpty)
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.stampedPageCount == 208)
    #expect(summary.postgresVersion == 15)
    #expect(summary.leftOut.contains { $0.names.contains("notes-of-a-user.txt") })
    #expect(summary.leftOut.contains { $0.names.contains("pg_wal") })
    #expect(
      FileManager.default.fileExists(atPath: summary.timelinePath + "/index_part.json-00000001"))
  }

  /// Goal: damaged pages end an import, and are listed as text and as JSON; `warn` imports them
  /// with a warning, also with `--json`. Method: flip a bit in a page of a small backup.
  @Test func damagedPage() async throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tar
    tar["base/5/2606"].contents[100] ^= 1
    let backup = directory.path + "/backup.tar"
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    let arguments = [backup, "--output", directory.path + "/out"]

    let person = try await ProgramRun.run(arguments)
    #expect(person.exitCode == 65)
    #expect(person.output.isEmpty)
    let lines = person.errorAfterStart.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines.first?.hasPrefix("error: a page is damaged") == true)
    #expect(
      lines.dropFirst().first?.hasPrefix("error:   base/5/2606, block 0: calculated checksum ")
        == true)

    let script = try await ProgramRun.run(arguments + ["--json"])
    #expect(script.exitCode == 65)
    let failure = try JSONDecoder().decode(Failure.self, from: script.output)
    #expect(failure.exitCode == 65)
    #expect(failure.findings.pageChecksums?.damagedPages.map(\.file) == ["base/5/2606"])

    let warned = try await ProgramRun.run(arguments + ["--json", "--page-checksums", "warn"])
    #expect(warned.exitCode == 0)
    #expect(warned.error.hasPrefix("warning: 1 page does not match its checksum:"))
    #expect(warned.error.contains("\nwarning:   base/5/2606, block 0: calculated checksum "))
    let summary = try JSONDecoder().decode(ImportSummary.self, from: warned.output)
    #expect(summary.pageChecksums.damagedPageCount == 1)
    let rehearsed = try await ProgramRun.run(arguments + ["--dry-run", "--page-checksums", "warn"])
    #expect(rehearsed.exitCode == 0)
    #expect(rehearsed.error.contains("\nwarning: 1 page does not match its checksum:\n"))

    let wrong = try await ProgramRun.run(arguments + ["--page-checksums", "maybe"])
    #expect(wrong.exitCode == 64)
    #expect(
      wrong.error.hasPrefix(
        "error: option '--page-checksums' must be 'verify', 'warn' or 'skip', not 'maybe' [bad-option]\n"
      ))
  }

  private struct Failure: Decodable {
    var exitCode: Int32
    var findings: BackupFindings
  }

  /// Goal: each kind of failure has its exit code, one error line, and leaves no index.
  @Test(
    arguments: [
      (["/nowhere/backup.tar"], 66, "cannot open '/nowhere/backup.tar'"),
      ([Fixture.path("clean-18.tar.zst")], 69, "18"),
      ([Fixture.path("clean-15.sums")], 65, "not a tar"),
      (["/dev/null"], 65, "empty"),
      ([backup, "--tenant-id", "xyz"], 64, "--tenant-id"),
      ([backup, "--strip-components", "1"], 65, "global/pg_control"),
    ] as [([String], Int32, String)])
  func failures(arguments: [String], code: Int32, message: String) async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(arguments + ["--output", directory.path + "/out"])
    #expect(run.exitCode == code)
    #expect(run.output.isEmpty)
    #expect(run.errorAfterStart.hasPrefix("error: ") && run.error.contains(message), "\(run.error)")
    #expect(run.error.split(separator: "\n").count { $0.hasPrefix("error: ") } == 1)
    #expect(try directory.files().isEmpty)
  }

  /// Goal: no other user may read a timeline, as it contains password hashes; the directories above
  /// have the modes of mkdir(1). Method: the modes of everything created, with the usual umask.
  @Test func modes() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      [Self.backup, "--output", "above/out"], script: #"umask 022; exec "$@""#,
      directory: directory.path)
    #expect(run.exitCode == 0, "\(run.error)")
    let above = directory.path + "/above"
    var modes: [String: Set<Int>] = [:]
    let names = FileManager.default.enumerator(atPath: above)?.allObjects as? [String] ?? []
    for name in [""] + names {
      let attributes = try FileManager.default.attributesOfItem(atPath: above + "/" + name)
      let kind =
        name.isEmpty
        ? "above"
        : attributes[.type] as? FileAttributeType == .typeDirectory
          ? "directory" : "file"
      modes[kind, default: []].insert(try #require(attributes[.posixPermissions] as? Int))
    }
    #expect(modes == ["above": [0o755], "directory": [0o700], "file": [0o600]])
  }

  /// Goal: the error about an unreadable file names the option that gave it.
  @Test func unreadableManifest() async throws {
    let directory = try TemporaryDirectory()
    for path in ["/nowhere/manifest", "/"] {
      let run = try await ProgramRun.run([
        Self.backup, "--output", directory.path + "/out", "--manifest", path,
      ])
      #expect(run.exitCode == 66)
      #expect(run.error.hasPrefix("error: cannot open '\(path)': "), "\(run.error)")
      #expect(run.error.contains("--manifest"))
      #expect(try directory.files().isEmpty)
    }
  }

  /// Goal: if the result cannot be printed, the exit code is 74 and the timeline stays.
  @Test func fullOutput() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      [Self.backup, "--output", directory.path], script: #""$@" > /dev/full"#)
    #expect(run.exitCode == 74)
    #expect(run.error.contains(directory.path + "/tenants/"))
    #expect(try directory.files().keys.contains { $0.hasSuffix("index_part.json-00000001") })
  }

  /// Goal: the same of shards, and of a publication. Method: each writes its result to a full device.
  @Test func fullOutputOfShards() async throws {
    let directory = try TemporaryDirectory()
    let ids = [String(repeating: "1", count: 32), String(repeating: "2", count: 32)]
    let options = ["--shards", "2", "--tenant-id", ids[0], "--timeline-id", ids[1]]
    let timeline = "\(directory.path)/out/tenants/\(ids[0])/timelines/\(ids[1])"
    let script = #""$@" > /dev/full"#
    for shard in ["0", "1"] {
      let run = try await ProgramRun.run(
        [Self.backup, "--output", directory.path + "/out", "--only-shards", shard] + options,
        script: script)
      #expect(run.exitCode == 74)
      #expect(run.error.contains("hint: The shards of '\(timeline)' are written"), "\(run.error)")
    }
    let run = try await ProgramRun.run(
      ["publish", "\(directory.path)/out/tenants/\(ids[0])"], script: script)
    #expect(run.exitCode == 74)
    #expect(run.error.contains("hint: The timeline at '\(timeline)' is complete."), "\(run.error)")
    #expect(try await ProgramRun.run(["verify", timeline]).exitCode == 0)
  }

  /// Goal: a mistyped path is explained by what is missing, or by what has a similar name. Method: the backup,
  /// the output and the receipt.
  @Test func mistypedPaths() async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createSymbolicLink(
      atPath: directory.path + "/monday.tar.zst", withDestinationPath: Self.backup)
    for (backup, options, code, hint) in [
      ("mondy.tar.zst", [], 66, "Did you mean 'monday.tar.zst'?"),
      ("./monday.tar", [], 66, "Did you mean './monday.tar.zst'?"),
      ("nodir/below/monday.tar.zst", [], 66, "Directory 'nodir' does not exist. Check the path."),
      ("monday.tar.zst/x", [], 66, "'monday.tar.zst' is not a directory. Check the path."),
      ("tuesday", [], 66, nil),
      (
        "monday.tar.zst", ["--output", "/proc/nonesuch/dir"], 73,
        "Create it for the user who runs the import, or choose another directory with '--output'."
      ),
      (
        "monday.tar.zst", ["--receipt", "nodir/receipt"], 73,
        "Directory 'nodir' does not exist. Create the directory, or give another path."
      ),
    ] as [(String, [String], Int32, String?)] {
      let run = try await ProgramRun.run(
        [backup, "--output", "out"] + options, directory: directory.path)
      #expect(run.exitCode == code, "\(run.error)")
      let lines = run.error.split(separator: "\n").filter { $0.hasPrefix("hint:") }
      #expect(lines == (hint.map { ["hint: \($0)"] } ?? []), "\(run.error)")
    }
  }

  /// Goal: a two-phase file with a doubled CRC is repaired, and counted. Method: import the fixture
  /// that has one, as a pageserver's own importer leaves it.
  @Test func repaired() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run([
      Fixture.path("fullbackup-15-doubled-twophase-crc.tar.zst"), "--output", directory.path,
      "--json",
    ])
    let summary = try JSONDecoder().decode(ImportSummary.self, from: run.output)
    #expect(summary.mendedTwoPhaseFileCount == 1)
    #expect(summary.changes.contains { $0.code.rawValue == "two-phase-files-repaired" })
    #expect(summary.preparedTransactionCount == 1)
    #expect(summary.backupKind == "fullbackup")
  }
}
