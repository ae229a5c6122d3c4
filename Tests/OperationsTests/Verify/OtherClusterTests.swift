import Foundation
import PostgresFormat
import System
import TestSupport
import Testing

@testable import Operations

/// Goal: a backup that cannot be the timeline's, and is to be recovered, is one finding, and is not read any
/// further than to where it says so, in one pass and on a full copy. Method: backups that cannot be read
/// beyond that place: tars that are cut off right after it, and a directory in which every later file is a
/// named pipe. One that could be the timeline's fails by that, so that an end without an error shows that
/// nothing more was read.
@Suite struct OtherClusterTests {
  enum Form: String, CaseIterable {
    /// A tar that begins with the control file.
    case tar
    /// A tar that begins with the label, which says where the backup began.
    case label
    /// A tar whose WAL is given besides it.
    case givenLog
    /// What pg_basebackup writes in tar format, of which the WAL names the cluster.
    case tars
    /// A data directory, which begins with the control file as well.
    case directory

    /// What a backup that could be the timeline's fails by.
    var error: ErrorCode { self == .directory ? .wrongFileType : .backupTruncated }
    var finding: FindingCode { self == .label ? .laterBackup : .otherCluster }
  }

  /// A backup of one member, which is broken off where the next one must be.
  private static func write(_ members: TestTar.Member..., to path: String) throws {
    try Data(TestTar(members).encoded(isComplete: false)).write(to: URL(filePath: path))
  }

  /// The beginning of a WAL segment of Postgres 15, in the order of its bytes.
  private static func segment(_ number: Int, of identifier: [UInt8]) -> TestTar.Member {
    let page =
      [0x10, 0xD1, 2, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 16) + identifier
      + [0, 0, 0, 1, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 8152)
    return .init("00000001000000000000000\(number)", contents: page)
  }

  /// Makes the backup at a path, beside which is the WAL that is given, if any.
  private static func make(_ form: Form, isOther: Bool, at path: String) throws {
    var tar = SmallBackup.withControlFile { if isOther { $0[0] ^= 1 } }
    let control = tar["global/pg_control"]
    let identifier = Array(control.contents[..<8])
    // A right backup may have segments of another cluster beside its own.
    let other = [identifier[0] ^ 1] + identifier.dropFirst()
    let log = TestTar(
      (isOther ? [identifier] : [identifier, other]).enumerated().map {
        segment($0 + 1, of: $1)
      })
    switch form {
    case .tar: try write(control, to: path)
    case .label:
      // The end of the timeline, or the record after it: 8 bytes are the least that one takes.
      let start = LogSequenceNumber(rawValue: SmallBackup.end.rawValue + (isOther ? 8 : 0))
      let text = "START WAL LOCATION: \(start) (file 000000010000000000000002)\n"
      try write(.init("backup_label", contents: Array(text.utf8)), to: path)
    case .givenLog:
      try write(tar["PG_VERSION"], to: path)
      try Data(log.encoded()).write(to: URL(filePath: path + ".wal"))
    case .tars:
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try write(tar["PG_VERSION"], to: path + "/base.tar")
      try Data(log.encoded()).write(to: URL(filePath: path + "/pg_wal.tar"))
    case .directory:
      tar.remove("pg_wal")
      try tar.unpack(into: path)
      _ = try Shell.output(
        "sh", "-euc",
        """
        find . -mindepth 2 -type f ! -path ./global/pg_control > ../files
        xargs rm < ../files
        xargs mkfifo < ../files
        """, directory: path)
    }
  }

  @Test(arguments: Form.allCases, [false, true])
  func isNotRead(form: Form, copiesAll: Bool) async throws {
    let sample = try await VerifySample.make()
    let directory = sample.directory.path
    _ = try Shell.output(
      "sh", "-euc",
      """
      chmod 755 .; mkdir bin scratch
      printf '#!/bin/sh\\necho "postgres (PostgreSQL) 15.3"\\n' > bin/postgres
      chmod 755 bin/postgres
      """, directory: directory)
    var recovery = RecoveryOptions(programs: directory + "/bin")
    recovery.trustsBackup = true
    recovery.copiesAll = copiesAll
    recovery.scratchParent = directory + "/scratch"
    for isOther in [true, false] {
      let backup = directory + "/backup-\(isOther)"
      try Self.make(form, isOther: isOther, at: backup)
      recovery.writeAheadLog = form == .givenLog ? backup + ".wal" : nil
      var options = VerifyOptions(timeline: sample.path)
      options.backup = backup
      options.recovery = recovery
      guard isOther else {
        let error = #expect(throws: Failure.self) { try verifyTimeline(options, progress: nil) }
        #expect(error?.code == form.error, "\(String(describing: error))")
        continue
      }
      let summary = try verifyTimeline(options, progress: nil)
      #expect(summary.findings.map(\.code) == [form.finding])
      #expect(summary.findingCount == 1 && summary.comparedPageCount == 0)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: directory + "/scratch") == [])
    }
  }
}
