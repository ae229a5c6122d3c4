import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Goal: a backup is what its manifest says, or is refused by name. Each begins with a real base
/// backup of a running Postgres 15 and the manifest that Postgres wrote of it.
@Suite struct ManifestCheckTests {
  private static let manifestPath = Fixture.path("online-15/backup_manifest")

  private static func realTar() throws -> TestTar {
    TestTar(decoding: try Fixture.bytes("online-15/base.tar"))
  }

  private static func realManifest() throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: manifestPath)))
  }

  private static func feed(_ tar: TestTar, to check: ManifestCheck) throws {
    for member in tar.members where member.type == "0" {
      guard let path = try MemberPath(Array(member.name.utf8).bytes) else { continue }
      try check.begin(path)
      for start in stride(from: 0, to: member.contents.count, by: 8192) {
        let end = min(start + 8192, member.contents.count)
        check.update(member.contents.bytes.extracting(start..<end))
      }
      try check.end()
    }
  }

  private static func add(_ manifest: [UInt8], to check: ManifestCheck) throws {
    check.beginManifest()
    for start in stride(from: 0, to: manifest.count, by: 10_000) {
      let end = min(start + 10_000, manifest.count)
      check.updateManifest(manifest.bytes.extracting(start..<end))
    }
    check.endManifest()
  }

  /// What the check of a backup with the manifest behind it, or before it, comes to.
  private static func result(
    _ tar: TestTar, _ manifest: [UInt8], manifestFirst: Bool
  ) throws -> Result<ManifestSummary, Failure> {
    let check = ManifestCheck()
    if manifestFirst { try add(manifest, to: check) }
    try feed(tar, to: check)
    if !manifestFirst { try add(manifest, to: check) }
    let control = try ControlFile(decoding: tar["global/pg_control"].contents.bytes)
    return Result { () throws(Failure) in try check.finish(control) }
  }

  private static func error(_ result: Result<ManifestSummary, Failure>) -> Failure? {
    if case .failure(let error) = result { return error }
    return nil
  }

  /// Method: as Postgres made it, the manifest last and first.
  @Test(arguments: [true, false]) func real(manifestFirst: Bool) throws {
    let tar = try Self.realTar()
    let summary = try Self.result(tar, try Self.realManifest(), manifestFirst: manifestFirst).get()
    #expect(summary.result == .verified)
    #expect(summary.fileCount == UInt64(tar.members.count { $0.type == "0" }))
  }

  /// Method: every way in which a file can differ, at once; the WAL, the server's own settings and
  /// signals do not count.
  @Test(arguments: [true, false]) func differences(manifestFirst: Bool) throws {
    var tar = try Self.realTar()
    tar["base/1/2606_fsm"].contents[20_000] ^= 1
    tar["base/1/2602"].contents.removeLast(8192)
    tar.remove("base/1/4157")
    tar.members.append(.init("base/1/99999", contents: [1, 2, 3]))
    tar.members.append(tar["PG_VERSION"])
    tar.members.append(.init("pg_wal/000000010000000000000003", contents: [1]))
    tar.members.append(.init("standby.signal"))
    tar["postgresql.auto.conf"].contents += Array("# changed\n".utf8)
    let error = Self.error(
      try Self.result(tar, try Self.realManifest(), manifestFirst: manifestFirst))
    #expect(error?.exitCode == .damaged)
    #expect(
      error?.message == "the backup differs from its manifest 'backup_manifest' in 5 files")
    #expect(
      Set(error?.findings?.lines ?? []) == [
        "the checksum of 'base/1/2606_fsm' does not match",
        "'base/1/2602' has 49152 bytes instead of 57344", "'base/1/4157' is missing",
        "'base/1/99999' is not in the manifest", "'PG_VERSION' appears twice in the backup",
      ])
  }

  /// Method: no file at all: the first 20 and the number of all in words, 1,000 by name.
  @Test func everythingMissing() throws {
    let check = ManifestCheck()
    try check.read(fileAt: Self.manifestPath, isGiven: true)
    let error = Self.error(Result { () throws(Failure) in try check.finish(nil) })
    let manifest = try #require(error?.backupFindings?.manifest)
    #expect(manifest.differenceCount > 1000 && manifest.differences.count == 1000)
    #expect(manifest.lines.count == 21)
    #expect(manifest.lines.last == "and \(manifest.differenceCount - 20) more")
  }

  /// Method: a bit of every 4,999th byte of the manifest, and cuts of its end.
  @Test func damagedManifest() throws {
    let sound = try Self.realManifest()
    let flipped = stride(from: 3, to: sound.count, by: 4999).map { offset in
      var manifest = sound
      manifest[offset] ^= 1
      return manifest
    }
    let cut = (sound.count - 100..<sound.count).map { Array(sound.prefix($0)) }
    for (index, manifest) in (flipped + cut).enumerated() {
      let check = ManifestCheck()
      try check.begin(try #require(try MemberPath(Array("backup_label".utf8).bytes)))
      try check.end()
      try Self.add(manifest, to: check)
      let error = Self.error(Result { () throws(Failure) in try check.finish(nil) })
      #expect(error?.message.hasPrefix("manifest 'backup_manifest': ") == true, "number \(index)")
    }
  }

  /// Method: two files under each algorithm, one of them changed, the sums made by coreutils.
  @Test(arguments: ["SHA224", "SHA256", "SHA384", "SHA512", "NONE"])
  func algorithms(algorithm: String) throws {
    var tar = TestTar([
      .init("./a", contents: Array("abc".utf8)),
      .init("./b", contents: SeededGenerator.bytes(seed: 3, count: 20_000)),
    ])
    var manifest = TestManifest(tar)
    for index in manifest.files.indices {
      manifest.files[index].algorithm = algorithm
      manifest.files[index].checksum =
        algorithm == "NONE"
        ? ""
        : try TestManifest.sum(algorithm.lowercased() + "sum", tar.members[index].contents)
    }
    let check = ManifestCheck()
    try Self.add(manifest.encoded(), to: check)
    try Self.feed(tar, to: check)
    #expect(try check.finish(nil).result == .verified)

    tar.members[1].contents[19_999] ^= 0x80
    let other = ManifestCheck()
    try Self.add(manifest.encoded(), to: other)
    try Self.feed(tar, to: other)
    let result = Result { () throws(Failure) in try other.finish(nil) }
    if algorithm == "NONE" {
      #expect(try result.get().result == .verified)
      return
    }
    #expect(Self.error(result)?.findings?.lines == ["the checksum of 'b' does not match"])

    let late = ManifestCheck()
    try Self.feed(tar, to: late)
    try Self.add(manifest.encoded(), to: late)
    let error = Self.error(Result { () throws(Failure) in try late.finish(nil) })
    #expect(error?.exitCode == .unsupported)
    #expect(error?.message.contains("\(algorithm) checksums") == true)
    #expect(error?.hint?.contains("--manifest") == true)
  }

  /// Method: a manifest that lists `backup_label` and a backup without it, which is how a cluster
  /// looks that was started from its backup; the same manifest given by the user counts.
  @Test func outdated() throws {
    var tar = try Self.realTar()
    tar.remove("backup_label")
    let summary = try Self.result(tar, try Self.realManifest(), manifestFirst: false).get()
    #expect(summary.result == .outdated)
    let check = ManifestCheck()
    try check.read(fileAt: Self.manifestPath, isGiven: true)
    try Self.feed(tar, to: check)
    let error = Self.error(Result { () throws(Failure) in try check.finish(nil) })
    #expect(error?.findings?.lines == ["'backup_label' is missing"])
  }

  /// Method: what the manifest says of the cluster against its control file: the identifier, and
  /// the WAL that must hold its checkpoint.
  @Test func cluster() throws {
    let tar = try Self.realTar()
    var manifest = TestManifest(tar)
    manifest.walRanges = [(1, "0/3000028", "0/34982D0")]
    let control = try ControlFile(decoding: tar["global/pg_control"].contents.bytes)
    manifest.systemIdentifier = control.systemIdentifier
    #expect(
      try Self.result(tar, try manifest.encoded(), manifestFirst: true).get().result == .verified)
    manifest.systemIdentifier = 1
    #expect(
      Self.error(try Self.result(tar, try manifest.encoded(), manifestFirst: true))?.message
        .contains("it belongs to cluster 1, ") == true)
    manifest.systemIdentifier = nil
    for range in [(2, "0/3000028", "0/34982D0"), (1, "0/3000029", "0/34982D0")] {
      manifest.walRanges = [range]
      #expect(
        Self.error(try Self.result(tar, try manifest.encoded(), manifestFirst: true))?.message
          .contains("outside its WAL ranges") == true)
    }
  }

  /// Goal: memory for a file is bounded, and files are still told apart. Method: paths of 4,000
  /// bytes that differ in their last one.
  @Test func longPaths() throws {
    let tar = TestTar(
      (0..<50).map {
        .init(
          "base/" + String(repeating: "x", count: 4000) + "\($0)",
          contents: [UInt8(truncatingIfNeeded: $0)])
      })
    let manifest = TestManifest(TestTar(Array(tar.members.dropLast())))
    let check = ManifestCheck()
    try Self.feed(tar, to: check)
    try Self.add(manifest.encoded(), to: check)
    let error = Self.error(Result { () throws(Failure) in try check.finish(nil) })
    #expect(
      error?.findings?.lines == [
        "'base/\(String(repeating: "x", count: 108))…' is not in the manifest"
      ])
  }
}

extension SeededGenerator {
  fileprivate static func bytes(seed: UInt64, count: Int) -> [UInt8] {
    var generator = Self(state: seed)
    return generator.bytes(count)
  }
}
