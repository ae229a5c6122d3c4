import Foundation
import PostgresFormat
import System
import TestSupport
import Testing

@testable import Operations

/// Goal: a dry run says what an import does, or every reason against it, and writes nothing.
@Suite struct DryRunTests {
  private static let tenant = "11111111111111111111111111111111"
  private static let timeline = "22222222222222222222222222222222"

  private static func options(
    _ backup: String, in directory: TemporaryDirectory
  ) -> ImportOptions {
    var options = ImportOptions(backup: backup, outputDirectory: directory.path + "/a/out")
    options.tenantID = tenant
    options.timelineID = timeline
    return options
  }

  /// Every name below the directory, with what the file system says of its times and length.
  private static func listing(_ directory: TemporaryDirectory) throws -> String {
    String(
      decoding: try Shell.output(
        "find", directory.path, "-printf", "%P %s %m %T@ %C@\\n"), as: UTF8.self)
  }

  /// What only an import can know: ids of files, hashes, times, the sizes of layers, and how many there are.
  private static let unknown: Set = [
    "indexPath", "receiptPath", "index", "layers", "seconds", "outputByteCount", "l0LayerCount",
  ]

  /// The fields of a summary that a dry run knows.
  private static func known(_ summary: ImportSummary) throws -> [String: NSObject] {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(summary))
    let fields = try #require(object as? [String: NSObject])
    return fields.filter { !unknown.contains($0.key) }
  }

  /// Method: real backups; every field is that of an import afterwards, the size is about right.
  @Test(arguments: [
    "clean-15-minimal-promoted", "clean-15-checksums-wal1m", "clean-14", "clean-17",
  ])
  func whatAnImportDoes(name: String) throws {
    let directory = try TemporaryDirectory()
    var options = Self.options(Fixture.path(name + ".tar.zst"), in: directory)
    options.smallRelationSize = 64 << 10
    options.imageLayerSize = 1 << 20
    options.chunkSize = 1 << 20
    let before = try Self.listing(directory)
    let forecast = try rehearseImport(options, progress: nil)
    #expect(try Self.listing(directory) == before)
    #expect(forecast.reasons == [] && forecast.isComplete && forecast.failure == nil)

    let summary = try importBackup(options, progress: nil)
    let said = forecast.summary
    let fields = (forecast: try Self.known(said), summary: try Self.known(summary))
    for name in Set(fields.summary.keys).union(fields.forecast.keys) {
      #expect(fields.forecast[name] == fields.summary[name], "\(name)")
    }
    #expect(abs(said.l0LayerCount - summary.l0LayerCount) <= 1)
    let ratio = Double(said.outputByteCount) / Double(summary.outputByteCount)
    #expect((0.95...1.05).contains(ratio), "\(ratio)")

    let again = try rehearseImport(options, progress: nil)
    #expect(again.reasons.map(\.code) == ["timeline-exists"])
    #expect(again.failure?.exitCode == .inUse)
    options.force = true
    #expect(try rehearseImport(options, progress: nil).reasons == [])
  }

  /// Method: one tar with a damaged page, a page from the future, a strange file, a file cut off, a
  /// link, a manifest that differs, a missing database and a damaged map.
  @Test func allReasonsAtOnce() throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tar
    let manifest = try TestManifest(tar).encoded()
    tar["global/1260"].contents[7000] ^= 1
    tar["base/5/pg_filenode.map"].contents[20] ^= 1
    tar.remove("base/16384/PG_VERSION")
    var page = [UInt8](repeating: 0, count: 8192)
    page.replaceSubrange(4..<8, with: SmallBackup.bytesOf(0x7FFF_AD68))
    page[15] = 0x20
    SmallBackup.setChecksum(of: &page, block: 0)
    tar.members.append(.init("./base/5/99999", contents: page))
    tar.members.append(.init("./base/5/strange"))
    tar.members.append(.init("./base/5/88888", contents: [1, 2, 3]))
    tar.members.append(.init("./base/5/77777", type: "2", linkTarget: "/etc/passwd"))
    tar.members.append(.init("./backup_manifest", contents: manifest))
    let backup = directory.path + "/backup.tar"
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    let before = try Self.listing(directory)
    let forecast = try rehearseImport(Self.options(backup, in: directory), progress: nil)
    #expect(try Self.listing(directory) == before)
    let expected: Set = [
      "page-checksum", "relation-map-damaged", "missing-file", "page-too-new", "unexpected-file",
      "file-truncated", "wrong-file-type", "manifest-mismatch",
    ]
    #expect(Set(forecast.reasons.map(\.code)) == expected, "\(forecast.reasons)")
    #expect(forecast.reasonCount == UInt64(forecast.reasons.count))
    #expect(forecast.failure?.exitCode == .damaged && forecast.isComplete)
    // A file that was refused is not missing as well.
    #expect(!forecast.reasons.contains { $0.error.contains("88888' is missing") })
  }

  /// Method: what an import refuses first is among the reasons of a dry run, with the same words.
  @Test(arguments: RefusalTests.unsupported + RefusalTests.damaged + RefusalTests.incomplete)
  func sameRefusals(_ refused: RefusalTests.Case) async throws {
    let bytes = refused.make().encoded()
    let error = try #require(try await SmallBackup.refusal(of: bytes))
    let directory = try TemporaryDirectory(inMemory: true)
    let backup = directory.path + "/backup.tar"
    try Data(bytes).write(to: URL(filePath: backup))
    let before = try Self.listing(directory)
    let forecast = try rehearseImport(Self.options(backup, in: directory), progress: nil)
    #expect(try Self.listing(directory) == before)
    #expect(
      forecast.reasons.contains {
        $0.code == error.code.rawValue && $0.error.hasPrefix(String(error.message.prefix(12)))
      },
      "\(error.message): \(forecast.reasons)")
    #expect(forecast.failure != nil)
  }

  /// Goal: what does not depend on the version is looked at without it. Method: no 'pg_xact', and a control file
  /// or a version that is damaged, or of another cluster.
  @Test(arguments: [
    ("global/pg_control", "control-file-damaged"), ("PG_VERSION", "version-file-damaged"),
    ("", "version-mismatch"),
  ]) func logsOfUnknownVersion(damaged: String, code: String) throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tiny
    if damaged.isEmpty {
      tar["PG_VERSION"].contents = Array("16\n".utf8)
    } else {
      tar[damaged].contents[0] ^= 0x40
    }
    tar.remove("pg_xact/0000")
    let backup = directory.path + "/backup.tar"
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    let forecast = try rehearseImport(Self.options(backup, in: directory), progress: nil)
    #expect(Set(forecast.reasons.map(\.code)) == [code, "missing-file"], "\(forecast.reasons)")
    #expect(forecast.reasons.contains { $0.error.contains("pg_xact") }, "\(forecast.reasons)")
  }

  /// Method: a tar that is cut off in the middle; what came before is still told.
  @Test func cutOff() throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tiny
    tar.members.insert(.init("./base/5/strange"), at: 1)
    let bytes = tar.encoded()
    let backup = directory.path + "/backup.tar"
    try Data(bytes.prefix(bytes.count / 2)).write(to: URL(filePath: backup))
    let forecast = try rehearseImport(Self.options(backup, in: directory), progress: nil)
    #expect(forecast.reasons.map(\.code) == ["backup-truncated", "unexpected-file"])
    #expect(!forecast.isComplete)
  }

  /// Goal: a directory in which a server may run is read all the same. Method: one with the mark of a server
  /// that begins, a strange file and a link to a tablespace, which shows in two ways.
  @Test func serverRunning() throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tiny
    tar.members.append(.init("./postmaster.pid"))
    tar.members.append(.init("./base/5/strange"))
    tar.members.append(.init("./pg_tblspc", type: "5"))
    tar.members.append(.init("./pg_tblspc/16999", type: "2", linkTarget: directory.path))
    try tar.unpack(into: directory.path + "/data")
    let forecast = try rehearseImport(
      Self.options(directory.path + "/data", in: directory), progress: nil)
    #expect(
      forecast.reasons.map(\.code).sorted()
        == ["server-running", "tablespaces-unsupported", "unexpected-file"])
    #expect(forecast.isComplete && forecast.reasonCount == 3)
  }

  /// Method: a backup that cannot be opened, to a directory that may not be made there.
  @Test func places() throws {
    let directory = try TemporaryDirectory()
    try Data().write(to: URL(filePath: directory.path + "/a"))
    let forecast = try rehearseImport(
      Self.options(directory.path + "/none.tar", in: directory), progress: nil)
    #expect(forecast.reasons.map(\.code) == ["output-not-found", "input-not-found"])
    #expect(forecast.failure?.code == .inputNotFound)
  }

  /// Method: a backup of a running cluster is no reason if it is to be recovered, and the programs
  /// are missed, as is the WAL if there is none at all.
  @Test func recovery() throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.withControlFile {
      $0.replaceSubrange(16..<20, with: SmallBackup.bytesOf(6))
    }
    tar.members.append(.init("./backup_label", contents: Array("START WAL".utf8)))
    let backup = directory.path + "/backup.tar"
    tar["pg_wal"] = .init("./pg_wal", type: "5")
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    var options = Self.options(backup, in: directory)
    let asItIs = try rehearseImport(options, progress: nil)
    #expect(Set(asItIs.reasons.map(\.code)) == ["running-cluster", "unclean-shutdown"])
    var noLog = options
    noLog.recovery = RecoveryOptions(programs: directory.path + "/bin")
    let refused = try rehearseImport(noLog, progress: nil)
    #expect(refused.reasons.map(\.code) == ["postgres-not-found", "wal-missing"])
    noLog.recovery?.restoreCommand = "false"
    #expect(
      try rehearseImport(noLog, progress: nil).reasons.map(\.code) == ["postgres-not-found"])
    tar.members.append(.init("./pg_wal/000000010000000000000001", contents: [1]))
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    options.recovery = RecoveryOptions(programs: directory.path + "/bin")
    let without = try rehearseImport(options, progress: nil)
    #expect(without.reasons.map(\.code) == ["postgres-not-found"])
    try FileManager.default.createDirectory(
      atPath: directory.path + "/bin", withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: directory.path + "/bin/postgres"))
    let before = try Self.listing(directory)
    let forecast = try rehearseImport(options, progress: nil)
    #expect(try Self.listing(directory) == before)
    #expect(forecast.reasons == [] && forecast.recovery?.programs == directory.path + "/bin")
    // Pages are in the scratch only if all is copied.
    #expect(forecast.recovery.map { $0.scratchByteCount < 1 << 20 } == true)
    options.recovery?.copiesAll = true
    let copying = try rehearseImport(options, progress: nil)
    #expect(copying.recovery.map { $0.scratchByteCount > 1 << 20 } == true)
  }
}
