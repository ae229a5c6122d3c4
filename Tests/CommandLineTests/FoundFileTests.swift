import Foundation
import TestSupport
import Testing

/// What the program finds in directories that somebody else has filled: nothing but regular files is
/// read, and nothing is waited for.
@Suite struct FoundFileTests {
  private static let ids = [
    "--tenant-id", String(repeating: "1", count: 32), "--timeline-id",
    String(repeating: "2", count: 32),
  ]
  private static let timeline =
    "out/tenants/\(String(repeating: "1", count: 32))/timelines/"
    + String(repeating: "2", count: 32)

  /// The tars of a base backup in `tars`, its data directory in `data`, a script in the place of
  /// `postgres`, and what `script` makes of them.
  private static func make(_ script: String) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path + "/tars", withIntermediateDirectories: true)
    let tar = SmallBackup.withControlFile {
      $0.replaceSubrange(16..<20, with: SmallBackup.bytesOf(6))
    }
    try Data(tar.encoded()).write(to: URL(filePath: directory.path + "/tars/base.tar"))
    try tar.unpack(into: directory.path + "/data")
    _ = try Shell.output(
      "bash", "-euc",
      """
      rm data/pg_wal; mkdir data/pg_wal bin
      printf '#!/bin/sh\\necho "postgres (PostgreSQL) 15.3"\\n' > bin/postgres
      chmod 755 bin/postgres
      \(script)
      """, directory: directory.path)
    return directory
  }

  /// Goal: a FIFO, a socket or a directory in the place of a file is refused at once.
  @Test(
    arguments: [
      ("tars", "rm tars/base.tar; mkfifo tars/base.tar", "tars/base.tar"),
      ("tars", "mkfifo tars/pg_wal.tar", "tars/pg_wal.tar"),
      ("tars", "mkfifo tars/16400.tar", "tars/16400.tar"),
      ("tars", "mkdir tars/16400.tar", "tars/16400.tar"),
      ("tars", "mkfifo tars/backup_manifest", "tars/backup_manifest"),
      ("tars/base.tar", "mkfifo tars/backup_manifest", "tars/backup_manifest"),
      ("data", "mkfifo data/backup_manifest", "data/backup_manifest"),
      ("data", "mkfifo data/pg_wal/000000010000000000000001", "pg_wal/000000010000000000000001"),
      ("data", "ln -s x data/pg_wal/000000010000000000000001", "pg_wal/000000010000000000000001"),
      ("data", "mkfifo wal", "wal"),
    ]) func special(backup: String, script: String, name: String) async throws
  {
    let directory = try Self.make(script)
    // One that the user names may be a pipe, and is waited for.
    let named = name == "wal"
    let run = try await ProgramRun.run(
      [backup, "--output", "out", "--recover-with", "bin", "--trust-backup"]
        + (named ? ["--wal", "wal"] : []), script: named ? "echo > wal & \"$@\"" : nil,
      directory: directory.path)
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(!run.wasKilled)
    if !named { #expect(run.error.contains("\(name)'"), "\(run.error)") }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(!names.contains { $0.hasPrefix("import-backup-recovery-") || $0 == "out" })
  }

  /// The same in an inspection, a dry run and an import that recovers nothing.
  @Test(arguments: [["inspect", "tars"], ["tars", "-o", "out", "-n"]])
  func withoutRecovery(arguments: [String]) async throws {
    let directory = try Self.make("rm tars/base.tar; mkfifo tars/base.tar")
    let run = try await ProgramRun.run(arguments, directory: directory.path)
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(run.error.contains("is not a regular file") || arguments.contains("-n"))
  }

  /// Goal: a backup that changes while it is copied leads nowhere else. Method: a second process that
  /// exchanges a file and a directory for links to secrets and back, without a pause.
  @Test func raced() async throws {
    let directory = try Self.make(
      """
      mkdir -p secret data/base/9; yes SECRET | head -c 8192 > secret/16385
      head -c 8192 /dev/zero | tee data/base/5/16385 > data/base/9/16385; rm data/backup_manifest || :
      """)
    let run = try await ProgramRun.run(
      ["data", "--output", "out", "--recover-with", "bin", "--trust-backup", "--keep-scratch"],
      script: #"""
        file=data/base/5/16385 link=$PWD/secret/16385
        while :; do
          ln -sfn "$link" new && mv -T new $file; head -c 8192 /dev/zero > new && mv -T new $file
          mv data/base/9 old && ln -sn "$PWD/secret" data/base/9; rm data/base/9; mv old data/base/9
        done & racer=$!
        for ((i = 0; i < 20; i++)); do "$@"; codes+=" $?"; done
        # Not TERM: processes that Foundation starts have it blocked.
        kill -KILL $racer; wait $racer
        grep -rl SECRET import-backup-recovery-*; echo "found: $?; codes:$codes"
        """#, directory: directory.path, timeLimit: .seconds(240))
    #expect(run.outputText.hasPrefix("found: 1; codes:"), "\(run.outputText)")
    let codes = Set(run.outputText.split(separator: ":").last?.split(separator: " ") ?? [])
    #expect(codes.allSatisfy { $0.trimmingPrefix(" ").hasPrefix("65") }, "\(run.error)")
    #expect(run.error.contains("import-backup-recovery-"), "nothing was copied: \(run.error)")
  }

  /// Goal: a file of a timeline that is a link is damage, by name, in every command.
  @Test(
    arguments: [
      ["verify"], ["verify", "--receipt", "receipt"], ["inspect"], ["export", "-o", "new.tar"],
      ["list"],
    ], ["index_part.json-*", "*__*"])
  func links(command: [String], pattern: String) async throws {
    let directory = try TemporaryDirectory()
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    let imported = try await ProgramRun.run(
      ["backup.tar", "--output", "out", "--receipt", "receipt"] + Self.ids,
      script: """
        "$@"; cd \(Self.timeline)
        set -- \(pattern); mv "$1" ../file && ln -s ../file "$1"
        """, directory: directory.path)
    try #require(imported.exitCode == 0, "\(imported.error)")
    let path = command[0] == "list" ? "out" : Self.timeline
    let run = try await ProgramRun.run(
      [command[0], path] + command.dropFirst(), directory: directory.path)
    // What differs from a receipt is a finding, and so is a layer.
    let isFinding = command.contains("--receipt") || command[0] == "verify" && pattern == "*__*"
    #expect(run.exitCode == (isFinding ? 1 : 65), "\(run.error)")
    #expect((run.error + run.outputText).contains("is a symbolic link"), "\(run.error)")
  }
}
