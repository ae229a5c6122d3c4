import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import System

/// A stopped cluster's directory gives what a tar of it gives.
@Suite struct DirectoryImportTests {
  /// Imports what is at `path` into a timeline whose ids are always the same, and gives its files.
  private static func files(
    of path: String, _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> (files: [String: [UInt8]], summary: ImportSummary, listing: [String]) {
    let directory = try TemporaryDirectory()
    var options = ImportOptions(backup: path, outputDirectory: directory.path)
    options.tenantID = "11111111111111111111111111111111"
    options.timelineID = "22222222222222222222222222222222"
    options.layout = .level0  // as of a tar; what is sorted: `ShardedImportTests`
    configure(&options)
    let summary = try importBackup(options, progress: nil)
    return (
      try directory.files(), summary, try TimelineListing.lines(of: summary.timelinePath)
    )
  }

  /// Goal: directory and tar of one cluster give the same files, byte for byte, and leave out the
  /// same. Method: unpack real backups, import both; what is small fits into one chunk, so that
  /// the order of the tar does not matter.
  @Test(arguments: [
    "clean-14", "clean-15", "clean-16", "clean-17", "clean-15-minimal-promoted", "fullbackup-17",
  ])
  func sameAsTar(_ name: String) async throws {
    let cluster = try TemporaryDirectory()
    let tar = Fixture.path(name + ".tar.zst")
    _ = try Shell.output(
      "tar", "-I", "zstd --long=27", "-xf", tar, directory: cluster.path)
    let fromTar = try await Self.files(of: tar)
    let fromDirectory = try await Self.files(of: cluster.path)
    #expect(fromDirectory.files == fromTar.files)
    let leftOut = [fromTar, fromDirectory].map { result in
      result.summary.leftOut.map { "\($0.reason) \($0.fileCount) \($0.byteCount)" }
    }
    #expect(leftOut[0] == leftOut[1])
    #expect(fromDirectory.summary.lostReplicationSlots == fromTar.summary.lostReplicationSlots)
  }

  /// Settings under which even the small backup has many layers of each kind.
  private static func manyLayers(_ options: inout ImportOptions) {
    options.smallRelationSize = 24 << 10
    options.imageLayerSize = 24 << 10
    options.chunkSize = 32 << 10
  }

  /// Goal: with many chunks, the directory gives the bytes that a tar of the same order gives, and
  /// the keys and values that a tar of any order gives; and the same again from a copy.
  /// Method: a tar of the names in the directory's order; the small backup as it is.
  @Test func sameAsTarInItsOrder() async throws {
    let cluster = try TemporaryDirectory()
    let path = cluster.path + "/data"
    try SmallBackup.tar.unpack(into: path)
    let result = try await Self.files(of: path, Self.manyLayers)
    #expect(result.files.count > 10)

    let reader = try DirectoryReader(path: path, contents: .stored)
    var names: [String] = []
    while let member = try reader.nextMember() {
      if member.kind != .directory { names.append(member.name) }
    }
    let list = cluster.path + "/names"
    try Data((names.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: list))
    let tar = cluster.path + "/backup.tar"
    _ = try Shell.output("tar", "-C", path, "--no-recursion", "-T", list, "-cf", tar)
    #expect(try await Self.files(of: tar, Self.manyLayers).files == result.files)

    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: tar))
    #expect(try await Self.files(of: tar, Self.manyLayers).listing == result.listing)

    let copy = cluster.path + "/copy"
    var shuffled = SmallBackup.tar
    var generator = SeededGenerator(state: 9)
    shuffled.members.shuffle(using: &generator)
    shuffled.members.removeAll { $0.type == "5" && $0.name == "./" }
    try shuffled.unpack(into: copy)
    #expect(try await Self.files(of: copy, Self.manyLayers).files == result.files)
  }

  /// Goal: a manifest that is given speaks of all files of a directory, also of those that are left
  /// out; one that a base backup has left there is outdated, as in a tar. Method: a sound one, one
  /// of a configuration that has changed, and one that lists a label, inside.
  @Test func manifest() async throws {
    let cluster = try TemporaryDirectory()
    let data = cluster.path + "/data"
    try SmallBackup.tar.unpack(into: data)
    let path = cluster.path + "/manifest"
    var manifest = TestManifest(SmallBackup.tar)
    manifest.walRanges[0].timeline = 2
    try Data(try manifest.encoded()).write(to: URL(filePath: path))
    let sound = try await Self.files(of: data) { $0.manifest = path }
    #expect(sound.summary.manifest.result == .verified)

    let configuration = URL(filePath: data + "/postgresql.conf")
    try (try Data(contentsOf: configuration) + [0x23]).write(to: configuration)
    let error = await #expect(throws: Failure.self) {
      try await Self.files(of: data) { $0.manifest = path }
    }
    #expect(error?.exitCode == .damaged)
    #expect(error?.backupFindings?.manifest?.differences.map(\.file) == ["postgresql.conf"])

    var old = SmallBackup.tar
    old.members.append(.init("./backup_label", contents: [1]))
    try Data(try TestManifest(old).encoded()).write(to: URL(filePath: data + "/backup_manifest"))
    #expect(try await Self.files(of: data).summary.manifest.result == .outdated)
  }

  /// Goal: a timeline is compared with a directory as with a tar. Method: compare it with the
  /// directory that it came from, and with one in which a byte differs.
  @Test func verifyAgainstDirectory() async throws {
    let cluster = try TemporaryDirectory()
    try SmallBackup.tar.unpack(into: cluster.path)
    let output = try TemporaryDirectory()
    let summary = try importBackup(
      ImportOptions(backup: cluster.path, outputDirectory: output.path), progress: nil)
    var options = VerifyOptions(timeline: summary.timelinePath)
    options.backup = cluster.path
    let sound = try verifyTimeline(options, progress: nil)
    #expect(sound.findingCount == 0 && sound.comparedPageCount == summary.pageCount)

    let file = URL(filePath: cluster.path + "/base/5/2601")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: file)
    #expect(try verifyTimeline(options, progress: nil).findingCount == 1)
  }
}
