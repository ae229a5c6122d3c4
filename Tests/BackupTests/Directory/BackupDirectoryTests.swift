import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Which links of a backup are followed. Method: a data directory with a tablespace and its WAL behind
/// links. As root, owners are given away; a user's links lead to directories of root instead.
@Suite struct BackupDirectoryTests {
  private static let isRoot = geteuid() == 0

  /// A backup whose links lead to directories beside it, after `script`.
  private static func make(_ script: String = "") throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    _ = try Shell.output(
      "bash", "-euc",
      """
      mkdir -p data/pg_tblspc one/PG_15_202209061/5 one/lost+found wal
      echo 15 > data/PG_VERSION; echo 123456789 > one/PG_15_202209061/5/16500
      echo x > one/lost+found/file; echo y > wal/000000010000000000000001
      ln -s "$PWD/one" data/pg_tblspc/16400; ln -s ../wal data/pg_wal
      \(script)
      """, directory: directory.path)
    return directory
  }

  private static func open(
    _ directory: TemporaryDirectory, _ named: [UInt32: String] = [:], wal: Bool = true
  ) throws(Failure) -> BackupDirectory {
    try BackupDirectory(
      path: directory.path + "/data", tablespaces: named, needsWriteAheadLog: wal)
  }

  private static func names(_ backup: BackupDirectory) throws -> [String] {
    var walk = try DirectoryWalk(of: backup.root, linked: backup.linked)
    var names: [String] = []
    while let found = try walk.next() {
      if found.member.kind == .file { names.append(found.member.name) }
    }
    return names.sorted()
  }

  /// Goal: what is behind links that may be followed is part of the backup, and its size; what is not
  /// Postgres's at the top of a tablespace is not looked into.
  @Test(arguments: ["", "chown -hR nobody data one wal", "chown -R nobody data one wal"])
  func followed(script: String) throws {
    if !script.isEmpty && !Self.isRoot { return }
    let directory = try Self.make(script)
    let backup = try Self.open(directory)
    let expected = [
      "PG_VERSION", "pg_tblspc/16400/PG_15_202209061/5/16500",
      "pg_wal/000000010000000000000001",
    ]
    #expect(try Self.names(backup) == expected)
    let (all, moved) = try backup.byteCounts()
    #expect(all == 3 + 10 + 2 && moved == 10)
    // Otherwise it is a link like any other.
    let withoutLog = try Self.names(Self.open(directory, wal: false))
    #expect(withoutLog == Array(expected.dropLast()))
    let sizes = try BackupDirectory.tablespaceByteCounts(at: directory.path + "/data")
    #expect(sizes.map(\.id) == [16400])
    #expect(sizes.map(\.byteCount) == [12])
  }

  /// Goal: a link of another user, and one to files of another user, are refused, with the option
  /// that allows it; that option is followed.
  @Test(
    arguments: [
      ("ln -sfn /usr data/pg_tblspc/16400", "leads to '/usr', which belongs to user 'root'", false),
      ("chown -R nobody data; chown -R 65533 one", "which belongs to user '65533'", true),
      ("chown -R nobody data one; chown -h 65533 data/pg_tblspc/16400", "to user '65533'", true),
      ("chown -hR nobody data; ln -sfn /etc data/pg_tblspc/16400", "belongs to user 'root'", true),
    ]) func refused(script: String, message: String, requiresRoot: Bool) throws
  {
    // Root's own backup may have links to root's files.
    if requiresRoot != Self.isRoot { return }
    let directory = try Self.make(script)
    let error = #expect(throws: Failure.self) { try Self.open(directory, wal: false) }
    #expect(error?.code == .inputOfOtherUser)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    let path = try SystemCalls.resolved(directory.path + "/data/pg_tblspc/16400")
    #expect(error?.hint?.contains("'--tablespace 16400=\(path)'") == true)
    #expect(error?.remedy?.options == ["--tablespace", "16400=\(path)"])
    let sizes = try BackupDirectory.tablespaceByteCounts(at: directory.path + "/data")
    #expect(sizes.map(\.byteCount) == [nil])
    let backup = try Self.open(directory, [16400: directory.path + "/one"], wal: false)
    #expect(try Self.names(backup).count == 2)
  }

  /// The same of a link in the place of `pg_wal`.
  @Test func refusedLog() throws {
    let owner = Self.isRoot ? "chown -hR nobody data one;" : ""
    let directory = try Self.make("\(owner) ln -sfn /usr/bin data/pg_wal")
    let error = #expect(throws: Failure.self) { try Self.open(directory) }
    #expect(error?.code == .inputOfOtherUser)
    #expect(error?.hint?.contains("'--wal /usr/bin'") == true, "\(error?.hint ?? "")")
    #expect(try Self.open(directory, wal: false).linked.count == 1)
  }

  /// Goal: all tablespaces whose links are refused are named at once.
  @Test func several() throws {
    let owner = Self.isRoot ? "chown -hR nobody data;" : ""
    let directory = try Self.make(
      "\(owner) for id in 16400 16401 16402; do ln -sfn /usr data/pg_tblspc/$id; done")
    let error = #expect(throws: Failure.self) { try Self.open(directory, wal: false) }
    #expect(error?.message.hasSuffix(" (and 2 more)") == true)
    let options = [16400, 16401, 16402].flatMap { ["--tablespace", "\($0)=/usr"] }
    #expect(error?.remedy?.options == options)
  }

  /// Goal: what is missing, or named and not there, is said.
  @Test func missing() throws {
    let directory = try Self.make("rm -r one/* wal/*; rmdir one wal")
    let tablespace = #expect(throws: Failure.self) { try Self.open(directory) }
    #expect(tablespace?.code == .missingTablespace)
    let log = #expect(throws: Failure.self) { try Self.open(directory, [16400: "/usr"]) }
    #expect(log?.code == .walMissing)
    let other = #expect(throws: Failure.self) { try Self.open(directory, [16401: "/usr"]) }
    #expect(other?.code == .optionNotApplicable)
    let path = #expect(throws: Failure.self) { try Self.open(directory, [16400: "/no/such"]) }
    #expect(path?.code == .inputNotFound)
  }

  /// Goal: a tar that was found is opened if it is a file of its directory's owner, or a link to one.
  @Test func foundFiles() throws {
    let owner = Self.isRoot ? "chown -hR nobody data one" : ""
    let directory = try Self.make(
      """
      mkfifo data/fifo; mkdir data/directory; ln -s fifo data/to-fifo; ln -s /dev/null data/device
      ln -s ../one/PG_15_202209061/5/16500 data/link; ln -s /etc/passwd data/passwd
      \(owner)
      """)
    func open(_ name: String) throws(Failure) -> InputFile {
      try InputFile(foundAt: directory.path + "/data/" + name)
    }
    #expect(try open("PG_VERSION").status().byteCount == 3)
    #expect(try open("link").status().byteCount == 10)
    for name in ["fifo", "directory", "to-fifo"] {
      let error = #expect(throws: Failure.self, "\(name)") { try open(name) }
      #expect(error?.code == .wrongFileType, "\(name): \(error?.message ?? "")")
    }
    for name in ["device", "passwd"] {
      let error = #expect(throws: Failure.self, "\(name)") { try open(name) }
      #expect(error?.code == .inputOfOtherUser, "\(name): \(error?.message ?? "")")
      #expect(error?.hint != nil)
    }
    let error = #expect(throws: Failure.self) { try open("no-such-file") }
    #expect(error?.code == .missingFile)
  }
}
