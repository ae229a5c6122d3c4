import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// What is in a backup that Postgres has not put there.
@Suite struct LitterTests {
  private static let litter = [
    "._PG_VERSION", "._base", "base/._1", "base/5/._2606", "global/._pg_control", ".DS_Store",
    "pg_tblspc/.DS_Store", "pg_twophase/._x", "base/.nfs0000000000000001",
    "base/5/.fuse_hidden0000000100000001", "base/5/@eaDir/2606@SynoEAStream",
    "base/.snapshot/hourly.0/5/2606", "pg_xact/._0000",
  ]

  private static func withLitter() -> TestTar {
    var tar = SmallBackup.tar
    for name in litter { tar.members.append(.init("./" + name, contents: [0, 5, 0x16, 7])) }
    return tar
  }

  private static func summary(
    _ backup: String, in directory: TemporaryDirectory, _ name: String
  ) throws -> ImportSummary {
    var options = ImportOptions(backup: backup, outputDirectory: directory.path + "/" + name)
    options.tenantID = String(repeating: "1", count: 32)
    options.timelineID = String(repeating: "2", count: 32)
    return try importBackup(options, progress: nil)
  }

  /// Goal: files of file systems and desktops are left out and counted, of a tar and of a directory,
  /// and change nothing else. Method: a timeline with and without them; a directory of snapshots is
  /// not looked into.
  @Test func leftOut() throws {
    let directory = try TemporaryDirectory()
    for (name, tar) in [("plain", SmallBackup.tar), ("littered", Self.withLitter())] {
      try Data(tar.encoded()).write(to: URL(filePath: directory.path + "/\(name).tar"))
      try tar.unpack(into: directory.path + "/" + name)
    }
    let plain = try Self.summary(directory.path + "/plain.tar", in: directory, "out-plain")
    let tar = try Self.summary(directory.path + "/littered.tar", in: directory, "out-tar")
    let data = try Self.summary(directory.path + "/littered", in: directory, "out-data")
    let reason = LeftOutReason.litter
    #expect(plain.leftOut.allSatisfy { $0.code != reason })
    #expect(tar.leftOut.first { $0.code == reason }?.fileCount == Self.litter.count)
    // The two directories for what is in them.
    #expect(data.leftOut.first { $0.code == reason }?.fileCount == Self.litter.count)
    for summary in [tar, data] {
      #expect(summary.pageCount == plain.pageCount && summary.relationCount == plain.relationCount)
    }
    let expected = try TimelineListing.lines(of: plain.timelinePath)
    #expect(try TimelineListing.lines(of: tar.timelinePath) == expected)
  }

  /// Goal: litter that came after the manifest is no difference from it.
  @Test func manifest() async throws {
    var manifest = TestManifest(SmallBackup.tar)
    manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
    var tar = Self.withLitter()
    tar.members.append(.init("./backup_manifest", contents: try manifest.encoded()))
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    #expect(summary.manifest.result == .verified)
  }

  /// Goal: all strange files are named in one run, of a tar and of a directory, by an import and by an
  /// inspection; and other errors come first. Method: more than are shown.
  @Test func unexpected() throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tar
    let names = (0..<30).map { "base/5/strange\($0)" } + ["global/foo", "pg_xact/bar"]
    for name in names { tar.members.insert(.init("./" + name, contents: [1]), at: 5) }
    try Data(tar.encoded()).write(to: URL(filePath: directory.path + "/a.tar"))
    try tar.unpack(into: directory.path + "/a")
    for path in [directory.path + "/a.tar", directory.path + "/a"] {
      let error = #expect(throws: Failure.self) {
        try Self.summary(path, in: directory, "out")
      }
      #expect(error?.exitCode == .damaged)
      #expect(error?.message == "32 unexpected files in Postgres's directories")
      #expect(error?.findings?.lines.count == 21)
      #expect(error?.findings?.lines.last == "and 12 more")
      #expect(error?.backupFindings?.unexpectedFiles?.sorted() == names.sorted())
      guard case .backup(let backup) = try inspect(InspectOptions(path: path)) else { return }
      #expect(backup.refusal?.error == error?.message)
      #expect(backup.relationCount > 0)
    }
    tar["global/pg_control"].contents[40] ^= 1
    try Data(tar.encoded()).write(to: URL(filePath: directory.path + "/b.tar"))
    let error = #expect(throws: Failure.self) {
      try Self.summary(directory.path + "/b.tar", in: directory, "out")
    }
    #expect(error?.message.contains("the checksum of the control file") == true)
  }

  /// Goal: absolute names are read as tar reads them, and counted. Method: a tar of GNU tar with `-P`,
  /// with the directories stripped.
  @Test func absoluteNames() throws {
    let directory = try TemporaryDirectory()
    let data = directory.path + "/data"
    try SmallBackup.tar.unpack(into: data)
    _ = try Shell.output("tar", "-cPf", directory.path + "/a.tar", data)
    var options = ImportOptions(
      backup: directory.path + "/a.tar", outputDirectory: directory.path + "/out")
    let error = #expect(throws: Failure.self) { try importBackup(options, progress: nil) }
    let depth = data.split(separator: "/").count
    #expect(error?.remedy?.options == ["--strip-components", "\(depth)"])
    options.stripComponents = depth
    let summary = try importBackup(options, progress: nil)
    #expect(summary.absoluteNameCount > 20)
  }
}
