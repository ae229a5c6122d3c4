import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import System

/// Goal: the room that a recovery is said to need is that of the unpacked backup, or no number is
/// given that is too low. Method: a real backup, compressed, and what it takes unpacked.
@Suite struct RecoverySpaceTests {
  private static let backup = Fixture.path("online-15")

  /// A manifest that has been read.
  private static func manifest() throws -> ManifestCheck {
    let check = ManifestCheck()
    try check.read(fileAt: backup + "/backup_manifest", isGiven: false)
    return check
  }

  @Test func manifestHasSizes() throws {
    let space = try RecoverySpace(
      of: OnlineBackup(at: Self.backup), inOnePass: false, writeAheadLog: nil,
      manifest: Self.manifest())
    let tar = TestTar(decoding: try Fixture.bytes("online-15/base.tar"))
    let files = tar.members.filter { $0.type == "0" }.reduce(0) { $0 + $1.contents.count }
    // The WAL is a part of its segments.
    #expect(space.leastByteCount >= UInt64(files))
    #expect(space.leastByteCount < UInt64(files) + 32 << 20)
    #expect(space.description == "at least \((space.leastByteCount + 1 << 20 - 1) >> 20) MiB there")
  }

  /// Goal: sizes that nobody has are added without a trap. Method: files and WAL of the largest ones.
  @Test(arguments: [false, true]) func endlessSizes(inOnePass: Bool) throws {
    let directory = try TemporaryDirectory()
    let file = #"{"Path": "pg_tblspc/1/x", "Size": 18446744073709551615, "Last-Modified": "x"}"#
    let text =
      #"{"PostgreSQL-Backup-Manifest-Version": 1, "Files": ["# + file + ", "
      + file.replacing("/x", with: "/y")
      + #"], "WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/0", "End-LSN": "FFFFFFFF/FFFFFFFF"}], "#
    try Data(TestManifest.signed(text + "\n"))
      .write(to: URL(filePath: directory.path + "/manifest"))
    let check = ManifestCheck()
    try check.read(fileAt: directory.path + "/manifest", isGiven: true)
    let space = try RecoverySpace(
      of: OnlineBackup(at: Self.backup), inOnePass: inOnePass, writeAheadLog: nil, manifest: check)
    #expect(space.leastByteCount == .max)
    #expect(space.description.contains("17592186044415 MiB") || inOnePass)
  }

  @Test func withoutManifest() throws {
    let compressed = try RecoverySpace(
      of: OnlineBackup(at: Self.backup), inOnePass: false, writeAheadLog: nil, manifest: nil)
    #expect(compressed.description.hasPrefix("more than "))
    #expect(compressed.description.hasSuffix(" MiB there, since the backup is compressed"))
    let pipe = try RecoverySpace(
      of: .tar("-"), inOnePass: false, writeAheadLog: nil, manifest: nil)
    #expect(pipe.description == "as much there as the backup takes unpacked")
    #expect(pipe.leastByteCount == 0)
  }

  /// A plain tar says it itself, and WAL that is given counts, in a directory as well.
  @Test func plain() throws {
    let directory = try TemporaryDirectory()
    try Data(count: 3 << 20).write(to: URL(filePath: directory.path + "/backup.tar"))
    try TestTar([.init("a/b", contents: .init(repeating: 1, count: 1 << 20))])
      .unpack(into: directory.path + "/wal")
    let space = try RecoverySpace(
      of: OnlineBackup(at: directory.path + "/backup.tar"), inOnePass: false,
      writeAheadLog: directory.path + "/wal", manifest: nil)
    #expect(space.description == "at least 4 MiB there")
  }

  /// Goal: in one pass the pages of the backup take no room. Method: of a backup with a manifest only
  /// its WAL counts, which is a part of its segments.
  @Test func inOnePass() throws {
    let space = try RecoverySpace(
      of: OnlineBackup(at: Self.backup), inOnePass: true, writeAheadLog: nil,
      manifest: Self.manifest())
    #expect((1...(32 << 20)).contains(space.leastByteCount))
    #expect(space.inputByteCount > 1 << 20)
  }
}
