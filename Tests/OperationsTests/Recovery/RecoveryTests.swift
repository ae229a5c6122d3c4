import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import System

/// The parts of a recovery that need no Postgres; what it does as a whole, `RecoveryServerTests`
/// try.
struct RecoveryTests {
  /// Goal: tars are recognised by their names, whatever compresses them. Method: names as
  /// pg_basebackup gives them, and others beside them.
  @Test func forms() throws {
    let directory = try TemporaryDirectory()
    for name in [
      "base.tar.zst", "pg_wal.tar", "16384.tar.zst", "4294967295.tar.gz", "notes.tar", "base.txt",
      "backup_manifest",
    ] {
      try Data([1, 2, 3]).write(to: URL(filePath: directory.path + "/" + name))
    }
    guard case .tars(let base, let log, let tablespaces) = try OnlineBackup(at: directory.path)
    else {
      Issue.record("it is not taken for a directory of tars")
      return
    }
    #expect(base == directory.path + "/base.tar.zst")
    #expect(log == directory.path + "/pg_wal.tar")
    #expect(tablespaces.map(\.id) == [16384, 4_294_967_295])
    let sizes = try OnlineBackup(at: directory.path).byteCounts()
    #expect(sizes == (12, 6))

    try Data().write(to: URL(filePath: directory.path + "/base.tar"))
    let error = #expect(throws: Failure.self) { try OnlineBackup(at: directory.path) }
    #expect(error?.message.contains("'base.tar' twice") == true)
  }

  /// Goal: tars that a user keeps in a data directory make no base backup of it. Method: one of the
  /// name that pg_basebackup gives, and two of one name.
  @Test func tarsInDataDirectory() throws {
    let directory = try TemporaryDirectory()
    for name in ["PG_VERSION", "base.tar", "dump.tar", "dump.tar.gz"] {
      try Data().write(to: URL(filePath: directory.path + "/" + name))
    }
    guard case .directory = try OnlineBackup(at: directory.path) else {
      Issue.record("it is not taken for a data directory")
      return
    }
  }

  /// Goal: any name is one identifier of one line. Method: names with what ends either.
  @Test func quotedNames() {
    let quoted = TablespaceMove.quoted(Array("a\"b\\c\nd é".utf8))
    #expect(String(decoding: quoted, as: UTF8.self) == #"U&"a""b\\c\000Ad é""#)
  }

  /// A scratch directory, and an intake for it that no program is asked about.
  private static func intake(in directory: TemporaryDirectory) throws -> ScratchIntake {
    let programs = directory.path + "/bin"
    try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
    // By a process of its own: one that another test starts meanwhile would keep the file open.
    let script =
      "printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 15.3\"\\n' > postgres; chmod 755 postgres"
    _ = try Shell.output("sh", "-c", script, directory: programs)
    let scratch = try ScratchDirectory(in: directory.path, keep: false)
    return ScratchIntake(
      scratch: scratch,
      programs: try PostgresPrograms(
        in: programs, sandbox: Sandbox(for: nil, in: scratch, trustsBackup: true), log: scratch.log
      ))
  }

  /// Goal: files of prepared transactions that the WAL brings again are removed, under the names of every
  /// version: 17 itself fails to. Method: ids around the checkpoint's next one, and files that are none.
  @Test(arguments: [PostgresVersion.v14, .v15, .v16, .v17])
  func futureTransactions(version: PostgresVersion) throws {
    let directory = try TemporaryDirectory()
    let scratch = try ScratchDirectory(in: directory.path, keep: false)
    let control = try ControlFile(
      decoding: SmallBackup.withControlFile { _ in }["global/pg_control"].contents.bytes)
    let next = control.checkpointCopy.nextTransactionID
    let digitCount = version.twoPhaseNameDigits
    func name(_ id: UInt64) -> String {
      let digits = String(id, radix: 16, uppercase: true)
      return String(repeating: "0", count: digitCount - digits.utf8.count) + digits
    }
    let kept = [next - 3, next - 1].map(name) + ["other.txt"]
    for name in kept + [next, next + 1, next + 900].map(name) {
      try Data([1]).write(to: URL(filePath: scratch.data + "/pg_twophase/" + name))
    }
    try Recovery.removeFutureTransactions(control.checkpointCopy, version, scratch)
    let left = try FileManager.default.contentsOfDirectory(atPath: scratch.data + "/pg_twophase")
    #expect(left.sorted() == kept.sorted())
  }

  /// Goal: each file goes to its place below the scratch, and what recovery has no use for nowhere.
  @Test(
    arguments: [
      ("base/5/16384_fsm.2", "data/base/5/16384_fsm.2"),
      ("global/pg_control", "data/global/pg_control"),
      ("pg_commit_ts/0000", "data/pg_commit_ts/0000"), ("backup_label", "data/backup_label"),
      ("tablespace_map", "tablespace_map"),
      ("pg_wal/000000010000000000000001", "data/pg_wal/000000010000000000000001"),
      ("pg_wal/00000002.history", "data/pg_wal/00000002.history"),
      ("pg_tblspc/16400/PG_15_202209061/5/16500", "tablespaces/16400/PG_15_202209061/5/16500"),
      ("pg_wal/archive_status/000000010000000000000001.done", nil),
      ("pg_wal/000000010000000000000001.partial", nil),
      ("postgresql.auto.conf", "postgresql.auto.conf"),
      ("standby.signal", nil), ("recovery.signal", nil), ("postmaster.pid", nil),
      ("base/5/t3_16384", nil), ("base/pgsql_tmp/pgsql_tmp1.0", nil), ("pg_replslot/s/state", nil),
      ("pg_logical/snapshots/0-1.snap", nil), ("notes.txt", nil),
      ("pg_tblspc/16400/PG_15_202209061/pgsql_tmp/x", nil), ("pg_tblspc/16400/lost+found/x", nil),
      ("/etc/passwd", nil), ("base/5/._16384", nil), ("pg_tblspc/.DS_Store", nil),
      ("pg_tblspc/16400/PG_15_202209061/5/.nfs01", nil),
    ] as [(String, String?)])
  func places(name: String, place: String?) throws {
    let directory = try TemporaryDirectory()
    var intake = try Self.intake(in: directory)
    let member = BackupMember(name: name, kind: .file, byteCount: 8192)
    let path = try #require(try member.path(strippingComponents: 0))
    let target = try intake.target(of: member, at: path, in: .dataDirectory)
    #expect(target?.path == place.map { intake.scratch.path + "/" + $0 })
    #expect(target.map { $0.byteCount == 8192 } ?? true)
  }

  /// Goal: of a relation's file the whole pages are written, and all of any other. Method: files that end
  /// within a page.
  @Test func partialPages() throws {
    let directory = try TemporaryDirectory()
    var intake = try Self.intake(in: directory)
    for (name, byteCount) in [
      ("base/5/16384", 8192), ("base/5/16384_fsm", 8192), ("global/1260", 8192),
      ("pg_tblspc/16400/PG_15_202209061/5/16500", 8192), ("pg_xact/0000", 12288),
      ("pg_wal/000000010000000000000001", 12288),
    ] as [(String, UInt64)] {
      let member = BackupMember(name: name, kind: .file, byteCount: 12288)
      let path = try #require(try member.path(strippingComponents: 0))
      let target = try intake.target(of: member, at: path, in: .dataDirectory)
      #expect(target?.byteCount == byteCount, "\(name)")
    }
  }

  /// Goal: names that lead elsewhere, links, and names that belong nowhere are refused.
  @Test(
    arguments: [
      ("../x", .file), ("base/../../x", .file), ("/../x", .file), ("base/5", .symbolicLink),
      ("base/5/16384", .symbolicLink), ("base/5/16384", .hardLink), ("global/pg_control", .other),
      ("pg_tblspc/16400", .file), ("pg_tblspc/16400/PG_15_202209061/5/16500", .symbolicLink),
      ("neon.signal", .file),
      ("INCREMENTAL.x", .file), ("base/5/INCREMENTAL.16384", .file),
    ] as [(String, MemberKind)])
  func refused(name: String, kind: MemberKind) throws {
    let directory = try TemporaryDirectory()
    var intake = try Self.intake(in: directory)
    let member = BackupMember(name: name, kind: kind, byteCount: 8192)
    #expect(throws: Failure.self) {
      guard let path = try member.path(strippingComponents: 0) else { return }
      _ = try intake.target(of: member, at: path, in: .dataDirectory)
    }
  }

  /// Goal: names that belong nowhere are refused together, in a tablespace too, and nothing is copied
  /// after the first.
  @Test func unexpected() throws {
    let directory = try TemporaryDirectory()
    var intake = try Self.intake(in: directory)
    func target(_ name: String) throws -> String? {
      let member = BackupMember(name: name, kind: .file, byteCount: 8192)
      let path = try #require(try member.path(strippingComponents: 0))
      return try intake.target(of: member, at: path, in: .dataDirectory)?.path
    }
    #expect(try target("base/5/16384") != nil)
    let names = [
      "base/5/x", "pg_tblspc/x", "pg_tblspc/0/x", "pg_tblspc/16400/PG_15_202209061/5/x",
    ]
    for name in names { #expect(try target(name) == nil) }
    #expect(try target("base/5/16385") == nil)
    let error = #expect(throws: Failure.self) { try intake.requireNoUnexpectedFiles() }
    #expect(error?.message == "4 unexpected files in Postgres's directories")
    #expect(error?.findings?.lines == names.map { "'\($0)'" })
  }

  /// Goal: a scratch goes with all that is in it, and a link in it leads to nothing that goes.
  @Test func scratchIsRemoved() throws {
    let directory = try TemporaryDirectory()
    let kept = directory.path + "/kept"
    try Data([1]).write(to: URL(filePath: kept))
    do {
      var intake = try Self.intake(in: directory)
      try intake.addTablespace(16400)
      try FileManager.default.createSymbolicLink(
        atPath: intake.scratch.data + "/base/link", withDestinationPath: directory.path)
      let mode = try FileManager.default.attributesOfItem(atPath: intake.scratch.path)
      #expect(mode[.posixPermissions] as? Int == 0o700)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["bin", "kept"])
  }

  /// Goal: the exit code, the output and the last lines of a program come back, and a signal that
  /// ends it. Method: a shell that does each.
  @Test func children() throws {
    let directory = try TemporaryDirectory()
    let log = directory.path + "/log"
    func run(_ script: String) throws -> ChildProcess.Result {
      try ChildProcess.run(["/bin/sh", "-c", script].map { Array($0.utf8) }, log: log)
    }
    let result = try run(
      "echo out; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >&2; done; exit 3")
    #expect(result.exitCode == 3)
    #expect(result.output == Array("out\n".utf8))
    #expect(
      ServerLog.describe(result, log: log)
        == "exit code 3; its last lines:\n"
        + (3...12).map { "  \($0)" }.joined(separator: "\n"))
    #expect(try run("kill -9 $$").exitCode == 137)
    for _ in 0..<20 { #expect(try run("head -c 60000 /dev/zero").output.count == 60000) }
    #expect(try run("head -c 1000000 /dev/zero").output.count >= 64 << 10)
    #expect(throws: Failure.self) {
      try ChildProcess.run([Array("/there/is/none".utf8)], log: log)
    }
  }

  /// Goal: a copy has the same bytes, whether or not the file system can share them, and never
  /// takes the place of a file.
  @Test(arguments: [false, true]) func copies(inMemory: Bool) throws {
    let directory = try TemporaryDirectory(inMemory: inMemory)
    let (source, target) = (directory.path + "/a", directory.path + "/b")
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
    try Data(bytes).write(to: URL(filePath: source))
    var buffer = [UInt8](repeating: 0, count: 4096)
    let file = try InputFile(foundAt: source)
    try file.copy(to: OutputFile(creating: target, mode: 0o600), buffer: &buffer)
    #expect(try Array(Data(contentsOf: URL(filePath: target))) == bytes)
    #expect(throws: Failure.self) { try OutputFile(creating: target, mode: 0o600) }
  }
}
