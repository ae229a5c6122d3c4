import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// What an inspection says of a backup, against what an import of it does.
@Suite struct BackupInspectionTests {
  /// Inspects bytes from a file.
  private static func inspection(of bytes: [UInt8]) throws -> BackupDescription {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/backup"
    try Data(bytes).write(to: URL(filePath: path))
    return try BackupInspector.inspect(path, strippingComponents: 0)
  }

  /// Goal: LSNs, counts and what is left out are those of an import. Method: do both.
  @Test(
    arguments: [
      "clean-14", "clean-15-checksums-wal1m", "clean-15-minimal-promoted", "fullbackup-17",
    ])
  func agreesWithImport(_ name: String) async throws {
    let backup = Fixture.path(name + ".tar.zst")
    let output = try TemporaryDirectory()
    let summary = try importBackup(
      ImportOptions(backup: backup, outputDirectory: output.path), progress: nil)
    let description = try BackupInspector.inspect(backup, strippingComponents: 0)
    #expect(description.isImportable)
    #expect(description.refusal == nil)
    #expect(description.backupKind == summary.backupKind)
    #expect(description.postgresVersion == summary.postgresVersion)
    #expect(description.systemIdentifier == summary.systemIdentifier)
    #expect(description.importLSN == summary.importLSN)
    #expect(description.endLSN == summary.endLSN)
    #expect(description.databases.count { $0.id != 0 } == summary.databaseCount)
    #expect(description.relationCount == summary.relationCount)
    #expect(description.databases.reduce(0) { $0 + $1.relationCount } == summary.relationCount)
    #expect(description.unloggedRelationCount == summary.unloggedRelationCount)
    #expect(description.preparedTransactionCount == summary.preparedTransactionCount)
    #expect(description.lostReplicationSlots == summary.lostReplicationSlots)
    #expect(description.leftOut.map(\.reason) == summary.leftOut.map(\.reason))
    #expect(description.leftOut.map(\.fileCount) == summary.leftOut.map(\.fileCount))
    #expect(description.leftOut.map(\.names) == summary.leftOut.map(\.names))
    #expect(description.inputByteCount == summary.inputByteCount)
  }

  /// Goal: the directory that pg_basebackup wrote is a backup, with the refusal that an import ends
  /// with. Method: the fixture, tars beside their manifest.
  @Test func directoryOfTars() async throws {
    let path = Fixture.path("online-15")
    guard case .backup(let description) = try inspect(InspectOptions(path: path)) else {
      Issue.record("it is taken for a timeline")
      return
    }
    #expect(description.backupPath == path && !description.isDirectory && description.isCompressed)
    #expect(description.backupKind == "running cluster" && description.postgresVersion == 15)
    #expect(description.relationCount > 1000)
    let output = try TemporaryDirectory()
    let error = #expect(throws: Failure.self) {
      try importBackup(
        ImportOptions(backup: path, outputDirectory: output.path), progress: nil)
    }
    #expect(description.refusal?.error == error?.message)
    #expect(description.refusal?.exitCode == 69)
  }

  /// What the pages alone tell, so that an inspection cannot know it.
  private static let beyondInspection: Set<String> = ["page from the future"]
  /// The tar itself ends early, which is no backup to describe.
  private static let unreadable: Set<String> = [
    "relation above 1 GiB", "member of 8 EiB", "member of 1 TiB",
  ]

  /// Goal: a refusal is that of an import, to the letter but for the paths in a command that the
  /// hint gives. Method: do both, for every change that the tests of refusals know.
  @Test(arguments: RefusalTests.unsupported + RefusalTests.damaged)
  func refusals(_ refused: RefusalTests.Case) async throws {
    let bytes = refused.make().encoded()
    if Self.unreadable.contains(refused.testDescription) {
      #expect(throws: Failure.self) { try Self.inspection(of: bytes) }
      return
    }
    let description = try Self.inspection(of: bytes)
    if Self.beyondInspection.contains(refused.testDescription) {
      #expect(description.isImportable)
      return
    }
    let error = try #require(try await SmallBackup.refusal(of: bytes))
    #expect(!description.isImportable)
    #expect(description.refusal?.error == error.message)
    #expect(Self.wordsButPaths(description.refusal?.hint) == Self.wordsButPaths(error.hint))
    #expect(description.refusal?.exitCode == error.exitCode.rawValue)
    // The rest is described all the same, all relations but the changed ones, unless nothing of the
    // tar lies where it belongs.
    if refused.testDescription == "one directory higher" { return }
    #expect(abs(description.relationCount - Self.soundRelationCount) <= 1)
  }

  /// The words of a hint but for the backup's and the output's path.
  private static func wordsButPaths(_ hint: String?) -> [Substring]? {
    hint?.split(separator: " ").filter { $0 != "DIR" && !$0.contains("/import-backup-test-") }
  }

  private static let soundRelationCount: Int = {
    (try? inspection(of: SmallBackup.tar.encoded()).relationCount) ?? 0
  }()

  /// Goal: a version that cannot be imported is described as far as it is known.
  @Test func version18() throws {
    let description = try BackupInspector.inspect(
      Fixture.path("clean-18.tar.zst"), strippingComponents: 0)
    #expect(description.postgresVersion == 18)
    #expect(description.controlFileVersion == 1800)
    #expect(description.state == "shut down")
    #expect(description.backupKind == "clean shutdown")
    #expect(description.systemIdentifier != nil)
    #expect(description.hasDataChecksums == nil)
    #expect(description.relationCount > 1000)
    #expect(description.refusal?.exitCode == 69)
  }

  /// Goal: each kind of backup that cannot be imported is called what it is.
  @Test func kinds() throws {
    let kinds = [
      "running": "running cluster", "standby": "standby", "backup_label": "running cluster",
      "incremental": "incremental backup", "no pg_control": "unknown",
      "tablespace link": "clean shutdown",
    ]
    for refused in RefusalTests.unsupported + RefusalTests.damaged {
      guard let kind = kinds[refused.testDescription] else { continue }
      let description = try Self.inspection(of: refused.make().encoded())
      #expect(description.backupKind == kind, "\(refused.testDescription)")
    }
  }

  /// Goal: sizes are sums over all forks and segments. Method: add them up from the tar, by names.
  @Test func largestRelations() throws {
    var sizes: [String: UInt64] = [:]
    for member in SmallBackup.tar.members where member.type == "0" {
      let path = member.name.dropFirst(2)
      guard path.hasPrefix("base/") || path.hasPrefix("global/"),
        let name = path.split(separator: "/").last, name.first?.isNumber == true
      else { continue }
      let relation = path.prefix { !"_.".contains($0) }
      sizes[String(relation), default: 0] += UInt64(member.contents.count)
    }
    let description = try Self.inspection(of: SmallBackup.tar.encoded())
    #expect(description.relations.count == 100)
    #expect(
      description.relations.map(\.byteCount)
        == Array(sizes.values.sorted(by: >).prefix(100)))
    for relation in description.relations {
      #expect(sizes[relation.path] == relation.byteCount)
    }
    #expect(
      description.databases.reduce(0) { $0 + $1.byteCount }
        == sizes.values.reduce(0, +))
  }

  /// Goal: no name from a tar can pass for output of ours. Method: a name with an escape sequence.
  @Test func hostileNames() throws {
    var tar = SmallBackup.tar
    tar.members.append(.init("./evil\u{1B}[31m\nkind: sound", contents: [1]))
    let description = try Self.inspection(of: tar.encoded())
    let names = description.leftOut.flatMap(\.names)
    #expect(names.contains(#"evil\u{1B}[31m\nkind: sound"#))
    #expect(!names.contains { $0.utf8.contains { $0 < 0x20 } })
  }
}
