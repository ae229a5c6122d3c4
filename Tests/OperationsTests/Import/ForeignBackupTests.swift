import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Goal: what is no backup by itself is called what it is, and the hint says what to do: as a
/// directory, as a tar of it, and with a recovery. Method: the names that each program gives its
/// files.
@Suite struct ForeignBackupTests {
  /// A kind of repository: its files, which of its directories are given, and the words for it.
  struct Kind: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var files: [String]
    var given: [String]
    var message: String
    var hint: String
    var code: ExitCode = .unsupported
  }

  static let kinds = [
    Kind(
      testDescription: "pgBackRest",
      files: [
        "archive/main/archive.info", "archive/main/archive.info.copy",
        "backup/main/backup.info", "backup/main/backup.info.copy",
        "backup/main/20260101-000000F/backup.manifest",
        "backup/main/20260101-000000F/pg_data/PG_VERSION.gz",
        "backup/main/20260101-000000F/pg_data/base/1/112.gz",
        "backup/main/20260101-000000F/pg_data/global/pg_control.gz",
      ],
      given: [
        ".", "backup", "backup/main", "backup/main/20260101-000000F",
        "backup/main/20260101-000000F/pg_data",
      ], message: "a pgBackRest repository", hint: "pgbackrest restore"),
    Kind(
      testDescription: "WAL-G",
      files: [
        "basebackups_005/base_000000010000000000000004/metadata.json",
        "basebackups_005/base_000000010000000000000004/tar_partitions/part_1.tar.lz4",
        "basebackups_005/base_000000010000000000000004/tar_partitions/pg_control.tar.lz4",
        "basebackups_005/base_000000010000000000000004_backup_stop_sentinel.json",
        "wal_005/000000010000000000000004.lz4",
      ],
      given: [
        ".", "basebackups_005", "basebackups_005/base_000000010000000000000004",
        "basebackups_005/base_000000010000000000000004/tar_partitions",
      ], message: "a backup by WAL-G", hint: "wal-g backup-fetch"),
    Kind(
      testDescription: "pg_probackup",
      files: [
        "backups/main/pg_probackup.conf", "backups/main/T5A0XY/backup.control",
        "backups/main/T5A0XY/backup_content.control", "backups/main/T5A0XY/database/PG_VERSION",
        "wal/main/000000010000000000000004",
      ],
      given: [
        ".", "backups/main", "backups/main/T5A0XY", "backups/main/T5A0XY/database",
      ], message: "a catalog of pg_probackup", hint: "pg_probackup restore"),
    Kind(
      testDescription: "pg_dump -Fd", files: ["toc.dat", "4210.dat.gz", "blobs.toc"], given: ["."],
      message: "a dump made by pg_dump", hint: "pg_basebackup", code: .damaged),
    Kind(
      testDescription: "two clusters",
      files: [
        "14/main/PG_VERSION", "14/main/global/pg_control", "15/main/PG_VERSION",
        "15/main/global/pg_control",
      ], given: ["."], message: "contains several clusters: ", hint: "by itself"),
    Kind(
      testDescription: "nothing", files: ["a", "b/c"], given: ["."],
      message: "it has no 'PG_VERSION' and no 'base.tar'", hint: "stopped cluster",
      code: .cannotOpen),
  ]

  /// The error of an import of `backup`, with a recovery or without.
  private static func refusal(
    of backup: String, in directory: TemporaryDirectory, recovers: Bool = false,
    strip: Int = 0
  ) throws -> Failure? {
    var options = ImportOptions(backup: backup, outputDirectory: directory.path + "/out")
    options.stripComponents = strip
    if recovers {
      options.recovery = RecoveryOptions(programs: directory.path + "/bin")
      options.recovery?.trustsBackup = !Sandboxing.works
    }
    do {
      _ = try importBackup(options, progress: nil)
      return nil
    } catch {
      #expect(!FileManager.default.fileExists(atPath: directory.path + "/out"))
      return error
    }
  }

  /// A program that says it is Postgres 15.
  private static func makePrograms(in directory: TemporaryDirectory) throws {
    _ = try Shell.output(
      "sh", "-c",
      "chmod 755 .; mkdir bin; printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 15.3\"\\n' > "
        + "bin/postgres; chmod 755 bin/postgres", directory: directory.path)
  }

  @Test(arguments: kinds) func directories(kind: Kind) throws {
    let directory = try TemporaryDirectory()
    try Self.makePrograms(in: directory)
    try TestTar(kind.files.map { .init($0, contents: Array("15\n".utf8)) })
      .unpack(into: directory.path + "/repository")
    for given in kind.given {
      for recovers in [false, true] {
        let path = directory.path + "/repository/" + given
        let error = try Self.refusal(of: path, in: directory, recovers: recovers)
        #expect(error?.exitCode == kind.code, "\(given): \(error?.message ?? "none")")
        #expect(
          error?.message.contains(kind.message) == true, "\(given): \(error?.message ?? "none")")
        #expect(error?.hint?.contains(kind.hint) == true, "\(given)")
        #expect(error?.remedy == nil)
      }
    }
  }

  @Test(arguments: kinds.dropLast()) func tars(kind: Kind) throws {
    let directory = try TemporaryDirectory()
    try Self.makePrograms(in: directory)
    let tar = TestTar(kind.files.map { .init("./" + $0, contents: Array("15\n".utf8)) })
    let path = directory.path + "/repository.tar"
    try Data(tar.encoded()).write(to: URL(filePath: path))
    for recovers in [false, true] {
      let error = try Self.refusal(of: path, in: directory, recovers: recovers)
      #expect(error?.exitCode == kind.code)
      #expect(error?.message.contains(kind.message) == true, "\(error?.message ?? "none")")
      #expect(error?.hint?.contains(kind.hint) == true, "\(error?.hint ?? "none")")
    }
  }

  /// Goal: of two clusters in a tar that have the same names below their directories, the error tells
  /// rather than of a file that is there twice. Method: with and without a recovery.
  @Test(arguments: [false, true]) func twoClustersStripped(recovers: Bool) throws {
    let directory = try TemporaryDirectory()
    try Self.makePrograms(in: directory)
    let members = SmallBackup.tar.members.filter { $0.type == "0" }
    let tar = TestTar(
      ["14", "15"].flatMap { name in
        members.map { .init(name + "/" + $0.name.dropFirst(2), contents: $0.contents) }
      })
    let path = directory.path + "/two.tar"
    try Data(tar.encoded()).write(to: URL(filePath: path))
    let error = try Self.refusal(of: path, in: directory, recovers: recovers, strip: 1)
    #expect(
      error?.message == "the backup contains several clusters: '14', '15'",
      "\(error?.message ?? "none")")
  }

  /// Goal: files that pgBackRest has compressed one by one are not to be moved away, as others are.
  @Test func compressedFiles() async throws {
    var tar = SmallBackup.tar
    for index in tar.members.indices where tar.members[index].name.hasPrefix("./base/5/2") {
      tar.members[index].name += ".gz"
    }
    let error = try await SmallBackup.refusal(of: tar.encoded())
    #expect(error?.exitCode == .unsupported)
    #expect(error?.message.contains("compressed one by one") == true, "\(error?.message ?? "none")")
    #expect(error?.hint?.contains("pgbackrest restore") == true)
  }

  /// Goal: the old cluster of an upgrade is known by its renamed control file.
  @Test func upgraded() async throws {
    var tar = SmallBackup.tar
    tar["global/pg_control"].name = "./global/pg_control.old"
    let error = try await SmallBackup.refusal(of: tar.encoded())
    #expect(error?.exitCode == .unsupported)
    #expect(error?.message.contains("pg_upgrade --link") == true, "\(error?.message ?? "none")")
    #expect(error?.hint?.contains("new cluster") == true)
  }

  /// Goal: Barman's directory is not the backup, but has it in it; the remedy has what that takes.
  @Test func barman() throws {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/main/base/20260101T000000"
    var tar = SmallBackup.tar
    tar.members.append(
      .init(
        "./backup_label",
        contents: Array("START WAL LOCATION: 0/2000028 (file 1)\nSTART TIMELINE: 1\n".utf8)))
    try tar.unpack(into: backup + "/data")
    try Data("backup_label=None".utf8).write(to: URL(filePath: backup + "/backup.info"))
    for recovers in [false, true] {
      let error = try Self.refusal(of: backup, in: directory, recovers: recovers)
      #expect(error?.exitCode == .unsupported)
      #expect(
        error?.message
          == "'\(backup)' is a backup of Barman: its data directory is '\(backup)/data'")
      #expect(error?.hint?.contains("barman get-wal main %f > %p") == true)
      #expect(error?.remedy?.backup == backup + "/data")
      #expect(error?.remedy?.options.contains("/usr/lib/postgresql/15/bin") == true)
      #expect(
        error?.remedy?.options.suffix(2) == ["--restore-command", "barman get-wal main %f > %p"])
    }
  }

  /// Goal: a version that cannot be imported is refused at once, and no recovery is advised. Method:
  /// the tar of a cluster of Postgres 18 as pg_basebackup writes it, with and without a recovery.
  @Test(arguments: [false, true]) func version18(recovers: Bool) throws {
    let directory = try TemporaryDirectory()
    try Self.makePrograms(in: directory)
    var tar = TestTar(decoding: try Fixture.bytes("clean-18.tar"))
    tar.members.insert(.init("./backup_label", contents: Array("START WAL".utf8)), at: 0)
    let backup = directory.path + "/backup"
    try FileManager.default.createDirectory(atPath: backup, withIntermediateDirectories: true)
    try Data(tar.encoded()).write(to: URL(filePath: backup + "/base.tar"))
    for path in [backup, backup + "/base.tar"] {
      let error = try Self.refusal(of: path, in: directory, recovers: recovers)
      #expect(error?.exitCode == .unsupported)
      #expect(
        error?.message.hasSuffix(": Postgres version 18 is not supported") == true,
        "\(error?.message ?? "none")")
      #expect(error?.remedy == nil)
    }
  }
}
