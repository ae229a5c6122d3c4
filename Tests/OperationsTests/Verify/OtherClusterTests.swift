import Foundation
import System
import TestSupport
import Testing

@testable import Operations

/// Goal: a backup of another cluster, which is to be recovered, is one finding, and is not read any further
/// than to where it says so, be it its control file or its WAL. Method: backups that are broken off after
/// that place, which is an error of whoever reads on; a server would fail, as there is none.
@Suite struct OtherClusterTests {
  enum Form: String, CaseIterable {
    /// A tar that begins with the control file.
    case tar
    /// What pg_basebackup writes in tar format, of which the WAL names the cluster.
    case tars
    /// A data directory, which begins with the control file as well.
    case directory
  }

  /// The beginning of a WAL segment of Postgres 15, in the order of its bytes.
  private static func segment(of identifier: [UInt8]) -> [UInt8] {
    [0x10, 0xD1, 2, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 16) + identifier
      + [0, 0, 0, 1, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 8152)
  }

  private static func make(_ form: Form, isOther: Bool, in directory: String) throws {
    var tar = SmallBackup.withControlFile { if isOther { $0[0] ^= 1 } }
    let control = try #require(
      tar.members.firstIndex { $0.name.hasSuffix("global/pg_control") })
    let identifier = Array(tar.members[control].contents[..<8])
    if form != .tars { tar.members.insert(tar.members.remove(at: control), at: 0) }
    switch form {
    case .directory:
      // A file of a length that no relation has.
      tar.remove("pg_wal")
      try tar.unpack(into: directory)
      try Data([1, 2, 3]).write(to: URL(filePath: directory + "/global/1260_vm"))
    case .tar:
      let bytes = tar.encoded()
      try Data(bytes.prefix(bytes.count / 2)).write(to: URL(filePath: directory))
    case .tars:
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: false)
      let bytes = tar.encoded()
      try Data(bytes.prefix(bytes.count / 2)).write(to: URL(filePath: directory + "/base.tar"))
      // A right backup may have segments of another cluster beside its own.
      let other = [identifier[0] ^ 1] + identifier.dropFirst()
      let log = TestTar(
        (isOther ? [identifier] : [identifier, other]).enumerated().map { number, identifier in
          .init("00000001000000000000000\(number + 1)", contents: segment(of: identifier))
        })
      try Data(log.encoded()).write(to: URL(filePath: directory + "/pg_wal.tar"))
    }
  }

  @Test(arguments: Form.allCases) func isNotRead(form: Form) async throws {
    let sample = try await VerifySample.make()
    _ = try Shell.output(
      "sh", "-euc",
      """
      chmod 755 .; mkdir bin scratch
      printf '#!/bin/sh\\necho "postgres (PostgreSQL) 15.3"\\n' > bin/postgres
      chmod 755 bin/postgres
      """, directory: sample.directory.path)
    var recovery = RecoveryOptions(programs: sample.directory.path + "/bin")
    recovery.trustsBackup = true
    recovery.scratchParent = sample.directory.path + "/scratch"
    for isOther in [true, false] {
      var options = VerifyOptions(timeline: sample.path)
      options.backup = sample.directory.path + "/backup-\(isOther)"
      options.recovery = recovery
      try Self.make(form, isOther: isOther, in: options.backup ?? "")
      guard isOther else {
        #expect(throws: Failure.self) { try verifyTimeline(options, progress: nil) }
        continue
      }
      let summary = try verifyTimeline(options, progress: nil)
      #expect(summary.findings.map(\.code) == [.otherCluster])
      #expect(summary.findingCount == 1 && summary.comparedPageCount == 0)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: recovery.scratchParent ?? "") == [])
    }
  }
}
