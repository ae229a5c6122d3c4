import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// A sound timeline is found sound, and a backup that differs from it is told from one that does
/// not.
@Suite struct VerifyTests {
  /// Goal: the import of every kind of backup is sound and equal to it. Method: import each
  /// fixture, and compare it with itself.
  @Test(arguments: [
    "clean-14", "clean-15", "clean-15-checksums-wal1m", "clean-15-minimal-promoted", "clean-16",
    "clean-17", "fullbackup-14", "fullbackup-15", "fullbackup-15-doubled-twophase-crc",
    "fullbackup-16", "fullbackup-17",
  ]) func fixture(name: String) async throws {
    let directory = try TemporaryDirectory()
    let backup = Fixture.path(name + ".tar.zst")
    let imported = try importBackup(
      ImportOptions(backup: backup, outputDirectory: directory.path), progress: nil)
    var options = VerifyOptions(timeline: imported.timelinePath)
    options.backup = backup
    let summary = try verifyTimeline(options, progress: nil)
    #expect(summary.findings == [] && summary.findingCount == 0)
    #expect(summary.isCompared && !summary.isWrittenOn && summary.unreplayedKeyCount == 0)
    #expect(summary.pageCount == imported.pageCount)
    #expect(summary.comparedPageCount == imported.pageCount)
    #expect(summary.layerCount == imported.imageLayerCount + imported.l0LayerCount)
  }

  /// Goal: any number of jobs and any shape of the timeline give the same. Method: import with
  /// many small layers and with none compressed.
  @Test(arguments: [1, 2, 7]) func shapes(jobs: Int) async throws {
    for level in [ImportOptions.fastCompressionLevel, 0, 1] {
      let sample = try await VerifySample.make {
        $0.compressionLevel = level
        $0.smallRelationSize = 24 << 10
        $0.imageLayerSize = 24 << 10
        $0.chunkSize = 8 << 10
      }
      let summary = try await sample.verify(against: true, jobs: jobs)
      #expect(summary.findings == [] && summary.isCompared && summary.layerCount > 10)
    }
  }

  /// Goal: a comparison ends wherever its batches keep the input's buffers. Method: relations that are
  /// just big enough to be left in them, files between them that are left out, and where the first
  /// begins within a buffer in steps.
  @Test(.timeLimit(.minutes(10)), arguments: [0, 256, 512, 768]) func gaps(kibibytes: Int)
    async throws
  {
    var members = [
      TestTar.Member("./log/0", contents: [UInt8](repeating: 1, count: kibibytes << 10))
    ]
    for number in 1...3 {
      members.append(
        .init("./base/5/9000\(number)", contents: [UInt8](repeating: 0, count: 8 << 20)))
      members.append(.init("./log/\(number)", contents: [UInt8](repeating: 1, count: 3 << 19)))
    }
    var tar = SmallBackup.tiny
    tar.members.insert(contentsOf: members, at: 0)
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    #expect(summary.imageLayerCount == 3)
    let sample = VerifySample(directory: directory, path: summary.timelinePath)
    for jobs in [1, 6] {
      let verified = try await sample.verify(against: true, jobs: jobs)
      #expect(verified.isCompared && verified.findings == [])
    }
  }

  /// Goal: a page that differs is named by file and block, with both LSNs. Method: change one byte
  /// of one page in the backup.
  @Test func changedPage() async throws {
    let sample = try await VerifySample.make()
    var tar = SmallBackup.tar
    let path = "global/1260"
    let block = tar[path].contents.count / 8192 - 1
    tar[path].contents[block * 8192 + 5000] ^= 1
    let lsn = PageHeader(tar[path].contents.bytes, at: block * 8192).lsn.description
    let summary = try await sample.verify(against: tar)
    #expect(summary.findingCount == 1)
    let finding = try #require(summary.findings.first)
    #expect(finding.file == path && finding.block == UInt32(block))
    #expect(finding.backupLSN == lsn && finding.timelineLSN == lsn)
    #expect(
      finding.message
        == "block \(block) of '\(path)' differs from the backup (same LSN, different bytes)")
  }

  /// Goal: what only one side has is found, as is every value that is no page. Method: take files
  /// from the backup, add some, change some.
  @Test func changedBackup() async throws {
    let sample = try await VerifySample.make()
    let changes: [(String, @Sendable (inout TestTar) -> Void)] = [
      ("'global/1260_fsm' is not in the backup", { $0.remove("global/1260_fsm") }),
      (
        "block 0 of 'base/5/99999' is not in the timeline",
        {
          $0.members.append(
            .init("./base/5/99999", contents: [UInt8](repeating: 0, count: 8192)))
        }
      ),
      (
        "the size of 'global/1260' is 1 block in the timeline, 2 blocks in the backup",
        { $0["global/1260"].contents += [UInt8](repeating: 0, count: 8192) }
      ),
      (
        "'global/pg_filenode.map' differs",
        { $0["global/pg_filenode.map"].contents = SmallBackup.relationMap { $0[500] ^= 1 } }
      ),
      ("'pg_stat/pgstat.stat' differs", { $0["pg_stat/pgstat.stat"].contents[20] ^= 1 }),
      ("'pg_stat/pgstat.stat' is not in the backup", { $0.remove("pg_stat/pgstat.stat") }),
    ]
    for (message, change) in changes {
      var tar = SmallBackup.tar
      change(&tar)
      let summary = try await sample.verify(against: tar)
      #expect(summary.findings.contains { $0.message.contains(message) }, "\(summary.findings)")
    }
  }

  /// Goal: a backup of another cluster is one finding, whatever else differs. Method: another system
  /// identifier, and a page that differs.
  @Test func otherCluster() async throws {
    let sample = try await VerifySample.make()
    var tar = SmallBackup.withControlFile { $0[0] ^= 1 }
    tar["global/1260"].contents[5000] ^= 1
    let summary = try await sample.verify(against: tar)
    #expect(summary.findingCount == 1 && summary.comparedPageCount == 0)
    #expect(summary.findings.first?.message.hasPrefix("the backup is from another cluster") == true)
  }

  /// Goal: a file in the place of a timeline is told as that. Method: a tar.
  @Test func file() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/stop.tar"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: path))
    let error = #expect(throws: Failure.self) {
      try verifyTimeline(VerifyOptions(timeline: path), progress: nil)
    }
    #expect(error?.exitCode == .cannotOpen && error?.hint?.contains("timelines/") == true)
  }

  /// Goal: what an import leaves out for its version is left out of a comparison too. Method: a
  /// statistics file in a backup of Postgres 14, which has none.
  @Test func leftOutByVersion() async throws {
    var tar = TestTar(decoding: try Fixture.bytes("clean-14.tar"))
    tar.members.removeAll { member in
      member.type == "0" && member.name.hasPrefix("./base/")
        && !["PG_VERSION", "pg_filenode.map"].contains { member.name.hasSuffix($0) }
    }
    tar.fitRelationMaps()
    tar.members.append(.init("./pg_stat/pgstat.stat", contents: [1, 2, 3]))
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    #expect(summary.leftOut.contains { $0.names == ["pg_stat/pgstat.stat"] })
    let sample = VerifySample(directory: directory, path: summary.timelinePath)
    let verified = try await sample.verify(against: true)
    #expect(verified.isCompared && verified.findings.isEmpty, "\(verified.findings)")
  }

  /// Goal: no more than 20 findings are listed, and all are counted. Method: change every page of
  /// the largest relation files.
  @Test func manyDifferences() async throws {
    let sample = try await VerifySample.make()
    var tar = SmallBackup.tar
    var changed: UInt64 = 0
    for index in tar.members.indices where tar.members[index].name.hasPrefix("./global/1") {
      for offset in stride(from: 0, to: tar.members[index].contents.count, by: 8192) {
        tar.members[index].contents[offset + 8000] ^= 1
        changed += 1
      }
    }
    let summary = try await sample.verify(against: tar)
    #expect(changed > 20 && summary.findingCount == changed)
    #expect(summary.findings.count == 20)
  }
}

/// A small imported timeline, and ways to verify it.
struct VerifySample {
  let directory: TemporaryDirectory
  let path: String

  static func make(
    _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> VerifySample {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(
      SmallBackup.tar.encoded(), in: directory, configure)
    return VerifySample(directory: directory, path: summary.timelinePath)
  }

  /// Verifies the timeline, against the backup that it was made from where that is asked for.
  func verify(against: Bool = false, jobs: Int? = nil) async throws -> VerifySummary {
    var options = VerifyOptions(timeline: path)
    options.jobs = jobs
    if against { options.backup = directory.path + "/backup" }
    return try verifyTimeline(options, progress: nil)
  }

  /// Verifies the timeline against another backup.
  func verify(against tar: TestTar) async throws -> VerifySummary {
    let backup = directory.path + "/other"
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    var options = VerifyOptions(timeline: path)
    options.backup = backup
    return try verifyTimeline(options, progress: nil)
  }

  /// The names of the layers, image layers first.
  func layers() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.contains("__") }
      .sorted { ($0.count, $0) < ($1.count, $1) }
  }

  func read(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path + "/" + name)))
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: path + "/" + name))
  }
}
