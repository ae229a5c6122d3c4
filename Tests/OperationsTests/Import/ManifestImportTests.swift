import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Goal: an import compares its backup with the manifest, wherever that lies. The manifests are made
/// of a small real backup, as Postgres would write them.
@Suite struct ManifestImportTests {
  /// Where the manifest is when the import begins.
  enum Place: CaseIterable {
    case inside, insideFirst, beside, given
  }

  private static func importBackup(
    _ tar: TestTar, _ manifest: [UInt8], _ place: Place, in directory: TemporaryDirectory
  ) async throws -> ImportSummary {
    var tar = tar
    let member = TestTar.Member("./backup_manifest", contents: manifest)
    switch place {
    case .inside: tar.members.append(member)
    case .insideFirst: tar.members.insert(member, at: 0)
    case .beside, .given:
      let name = place == .beside ? "backup_manifest" : "manifest-of-the-day"
      try Data(manifest).write(to: URL(filePath: directory.path + "/" + name))
    }
    return try await SmallBackup.importBytes(tar.encoded(), in: directory) {
      if place == .given { $0.manifest = directory.path + "/manifest-of-the-day" }
    }
  }

  private static func refusal(
    of tar: TestTar, _ manifest: [UInt8], _ place: Place
  ) async throws -> Failure? {
    let directory = try TemporaryDirectory()
    do {
      _ = try await importBackup(tar, manifest, place, in: directory)
      return nil
    } catch let error as Failure {
      #expect(try !directory.files().keys.contains { $0.hasPrefix("out") })
      return error
    }
  }

  /// Method: a sound backup; every file that the manifest lists was compared.
  @Test(arguments: Place.allCases) func verified(place: Place) async throws {
    var manifest = TestManifest(SmallBackup.tar)
    manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
    let directory = try TemporaryDirectory()
    let summary = try await Self.importBackup(
      SmallBackup.tar, try manifest.encoded(), place, in: directory)
    #expect(summary.manifest.result == .verified)
    #expect(summary.manifest.fileCount == UInt64(manifest.files.count))
    #expect(summary.manifest.path?.contains("manifest") == true)
  }

  /// Method: files of each way through an import: kept whole, pages, left out; a bit of each.
  @Test(
    arguments: [
      "PG_VERSION", "base/5/2606", "pg_xact/0000", "postgresql.conf", "global/pg_control",
    ],
    [Place.inside, .beside])
  func changed(file: String, place: Place) async throws {
    // The manifest changes, not the file, so that nothing else finds anything wrong with it.
    var manifest = TestManifest(SmallBackup.tar)
    manifest[file].checksum = "00000000"
    let error = try await Self.refusal(of: SmallBackup.tar, try manifest.encoded(), place)
    #expect(error?.exitCode == .damaged)
    #expect(error?.findings?.lines == ["the checksum of '\(file)' does not match"])
  }

  /// Goal: files of users change nothing, so a manifest need not list them. Method: those that
  /// `barman recover` leaves.
  @Test(arguments: [Place.inside, .beside]) func filesOfUsers(place: Place) async throws {
    var manifest = TestManifest(SmallBackup.tar)
    manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
    var tar = SmallBackup.tar
    tar.members.append(.init("./barman_wal", type: "5"))
    tar.members.append(.init("./barman_wal/000000010000000000000003", contents: [1, 2, 3]))
    tar.members.append(.init("./postgresql.conf.origin", contents: [1]))
    let directory = try TemporaryDirectory()
    let summary = try await Self.importBackup(tar, try manifest.encoded(), place, in: directory)
    #expect(summary.manifest.result == .verified)
    #expect(
      summary.leftOut.contains { left in
        left.code == .userFiles && left.names.contains("barman_wal/000000010000000000000003")
      })
  }

  /// Method: a missing file, one too many, one of another length.
  @Test func missingAndUnlisted() async throws {
    let manifest = try TestManifest(SmallBackup.tar).encoded()
    var tar = SmallBackup.tar
    tar.remove("base/5/2606_fsm")
    tar.members.append(.init("./backup_label.old", contents: [1, 2, 3]))
    tar["postgresql.conf"].contents += [0x0A]
    let error = try await Self.refusal(of: tar, manifest, .inside)
    #expect(error?.backupFindings?.manifest?.differenceCount == 3)
    #expect(
      error?.backupFindings?.manifest?.differences.map(\.code).sorted { $0.rawValue < $1.rawValue }
        == [
          .missing, .size, .unlisted,
        ])
  }

  /// Method: a bit of the manifest, in each place.
  @Test(arguments: Place.allCases) func damagedManifest(place: Place) async throws {
    var manifest = try TestManifest(SmallBackup.tar).encoded()
    manifest[manifest.count / 2] ^= 1
    let error = try await Self.refusal(of: SmallBackup.tar, manifest, place)
    #expect(error?.exitCode == .damaged)
    #expect(error?.message.hasPrefix("manifest '") == true)
  }

  /// Method: the manifest of the base backup that a cluster was started from. It is left out with
  /// a note; who gives it by name wants to know.
  @Test(arguments: Place.allCases) func outdated(place: Place) async throws {
    var manifest = TestManifest(SmallBackup.tar)
    manifest.files.append(.init(path: "backup_label", contents: [1]))
    manifest["base/5/2606"].checksum = "00000000"
    if place == .given {
      let error = try await Self.refusal(of: SmallBackup.tar, try manifest.encoded(), place)
      #expect(error?.backupFindings?.manifest?.differenceCount == 2)
      return
    }
    let directory = try TemporaryDirectory()
    let summary = try await Self.importBackup(
      SmallBackup.tar, try manifest.encoded(), place, in: directory)
    #expect(summary.manifest.result == .outdated)
  }

  /// Method: a data directory with its manifest in it, so that what is left out is read as well; then
  /// with one file changed.
  @Test func directory() async throws {
    let directory = try TemporaryDirectory()
    let data = directory.path + "/data"
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: directory.path + "/tar"))
    _ = try Shell.output("tar", "-C", data, "-xf", directory.path + "/tar")
    var manifest = TestManifest(SmallBackup.tar)
    manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
    try Data(manifest.encoded()).write(to: URL(filePath: data + "/backup_manifest"))
    let options = ImportOptions(backup: data, outputDirectory: directory.path + "/out")
    let summary = try Operations.importBackup(options, progress: nil)
    #expect(summary.manifest.result == .verified)
    #expect(summary.manifest.fileCount == UInt64(manifest.files.count))

    try Data("port = 1".utf8).write(to: URL(filePath: data + "/postgresql.conf"))
    #expect {
      try Operations.importBackup(options, progress: nil)
    } throws: { error in
      (error as? Failure)?.backupFindings?.manifest?.differences.map(\.file) == ["postgresql.conf"]
    }
  }

  /// Method: a manifest that is not there.
  @Test func noSuchManifest() async throws {
    let error = try await SmallBackup.refusal(of: SmallBackup.tar.encoded()) {
      $0.manifest = "/nonexistent/manifest"
    }
    #expect(error?.exitCode == .cannotOpen)
    #expect(error?.message.contains("'/nonexistent/manifest'") == true)
  }
}
