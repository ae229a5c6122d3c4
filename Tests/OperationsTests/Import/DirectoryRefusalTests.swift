import Foundation
import Glibc
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Data directories that cannot be imported as they are.
@Suite struct DirectoryRefusalTests {
  /// The small cluster's directory, changed.
  private static func cluster(
    _ change: (inout TestTar) throws -> Void = { _ in }
  ) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tar
    try change(&tar)
    try tar.unpack(into: directory.path + "/data")
    return directory
  }

  /// The error that an import ends with; it must leave nothing behind.
  private static func refusal(
    _ directory: TemporaryDirectory, _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> Failure? {
    var options = ImportOptions(
      backup: directory.path + "/data", outputDirectory: directory.path + "/out")
    configure(&options)
    do {
      _ = try importBackup(options, progress: nil)
      return nil
    } catch {
      #expect(!FileManager.default.fileExists(atPath: directory.path + "/out"))
      return error
    }
  }

  private static func expect(
    _ error: Failure?, _ code: ExitCode, _ message: String, hint: String = "",
    location: SourceLocation = #_sourceLocation
  ) {
    #expect(error?.exitCode == code, sourceLocation: location)
    #expect(
      error?.message.contains(message) == true, "\(error?.message ?? "none")",
      sourceLocation: location)
    if !hint.isEmpty {
      #expect(
        error?.advice.contains(hint) == true, "\(error?.advice ?? "none")",
        sourceLocation: location)
    }
  }

  // MARK: A server

  /// A process that lives as long as the pipe into it is open, with this working directory.
  private static func liveProcess(
    in directory: String, _ program: String = "/bin/cat"
  ) throws -> (process: Process, input: Pipe) {
    let process = Process()
    let input = Pipe()
    process.executableURL = URL(filePath: program)
    process.currentDirectoryURL = URL(filePath: directory)
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return (process, input)
  }

  private static func write(_ lines: String..., to directory: TemporaryDirectory) throws {
    let text = (lines + ["1764000000", "5432", ""]).joined(separator: "\n")
    try Data(text.utf8).write(to: URL(filePath: directory.path + "/data/postmaster.pid"))
  }

  /// Goal: a directory in which a server is running is refused, whatever its control file says, and by
  /// an inspection too; one that is left of a crash does no harm. Method: the id of a process that
  /// works there, the same as of a single-user server, of this process, and of one that has ended.
  @Test func server() async throws {
    let directory = try Self.cluster()
    let data = directory.path + "/data"
    let (process, input) = try Self.liveProcess(in: data)
    let number = process.processIdentifier
    for (line, path) in [("\(number)", data), ("-\(number)", data), ("\(number)", "/other")] {
      try Self.write(line, path, to: directory)
      Self.expect(
        try await Self.refusal(directory), .unsupported, "process \(number), according",
        hint: "pg_basebackup takes, with '--recover-with'")
      guard case .backup(let backup) = try inspect(InspectOptions(path: data))
      else { throw Failure(.bug, "no backup") }
      #expect(backup.isDirectory && !backup.isImportable && backup.refusal?.exitCode == 69)
      #expect(backup.refusal?.error.contains("process \(number)") == true)
      #expect(backup.relationCount > 0)
    }
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    for line in ["\(number)", "\(getpid())", "\(getppid())"] {
      try Self.write(line, data, to: directory)
      #expect(try await Self.refusal(directory) == nil, "\(line)")
      try FileManager.default.removeItem(atPath: directory.path + "/out")
    }
  }

  /// Goal: the file of a server that works elsewhere keeps nobody from importing a copy. Method: a
  /// process that lives in another directory, under the path of that and of the copy, as after a
  /// restart of the machine; and one that has ended and was not waited for.
  @Test func serverElsewhere() async throws {
    let directory = try Self.cluster()
    let (process, input) = try Self.liveProcess(in: "/")
    for path in [directory.path + "/data", "/var/lib/postgresql/15/main", "/"] {
      try Self.write("\(process.processIdentifier)", path, to: directory)
      #expect(try await Self.refusal(directory) == nil, "\(path)")
      try FileManager.default.removeItem(atPath: directory.path + "/out")
    }
    try input.fileHandleForWriting.close()
    process.waitUntilExit()

    // The shell's child ends, and the program that takes the shell's place waits for nothing.
    let data = directory.path + "/data"
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/sh")
    shell.currentDirectoryURL = URL(filePath: data)
    shell.arguments = ["-c", "sleep 0.5 & echo $!; exec sleep 86400"]
    let output = Pipe()
    shell.standardOutput = output
    try shell.run()
    defer { kill(shell.processIdentifier, SIGKILL) }  // which it cannot ignore, unlike SIGTERM
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let zombie = try #require(Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)))
    while try String(contentsOfFile: "/proc/\(zombie)/stat", encoding: .utf8).contains(") Z")
      == false
    {
      try await Task.sleep(for: .milliseconds(10))
    }
    try Self.write("\(zombie)", data, to: directory)
    #expect(try await Self.refusal(directory) == nil)
  }

  /// Goal: a server whose number is another here is found, as one in a container is. Method: a program
  /// called `postgres` that works in the directory, and a file with the number of a container's first
  /// process.
  @Test func serverInContainer() async throws {
    let directory = try Self.cluster()
    let program = directory.path + "/postgres"
    try FileManager.default.copyItem(atPath: "/bin/cat", toPath: program)
    let (process, input) = try Self.liveProcess(in: directory.path + "/data", program)
    try Self.write("1", "/var/lib/postgresql/data", to: directory)
    Self.expect(
      try await Self.refusal(directory), .unsupported,
      "process \(process.processIdentifier), which has it as its working directory")
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(try await Self.refusal(directory) == nil)
  }

  /// Goal: a copy of a running cluster's directory, made in backup mode, is told to be that. Method: a
  /// process that works there, and a `backup_label`.
  @Test func serverAndLabel() async throws {
    let directory = try Self.cluster {
      $0.members.append(.init("./backup_label", contents: Array("START WAL".utf8)))
    }
    let (process, input) = try Self.liveProcess(in: directory.path + "/data")
    try Self.write("\(process.processIdentifier)", directory.path + "/data", to: directory)
    Self.expect(
      try await Self.refusal(directory), .unsupported, "it contains 'backup_label'",
      hint: "--recover-with")
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Goal: a file that a server may be about to fill is no reason to begin. Method: an empty one,
  /// other text, a directory and a link in its place.
  @Test func unreadableServerFile() async throws {
    for contents in ["", "\n", "postgres\n", "0\n", "99999999999\n"] {
      let directory = try Self.cluster {
        $0.members.append(.init("./postmaster.pid", contents: Array(contents.utf8)))
      }
      Self.expect(
        try await Self.refusal(directory), .unsupported, "'postmaster.pid' contains no process id",
        hint: "remove 'postmaster.pid'")
    }
    for type: Character in ["5", "2"] {
      let directory = try Self.cluster {
        $0.members.append(.init("./postmaster.pid", type: type, linkTarget: "PG_VERSION"))
      }
      Self.expect(try await Self.refusal(directory), .unsupported, "'postmaster.pid' is not a file")
    }
  }

  // MARK: What lies there

  /// Goal: a map of tablespaces is refused by what it says, by an inspection too. Method: one that a
  /// base backup left in the directory, with its `backup_label` gone.
  @Test func tablespaceMap() async throws {
    let directory = try Self.cluster {
      $0.members.append(.init("./tablespace_map", contents: Array("16400 /x\n".utf8)))
    }
    Self.expect(
      try await Self.refusal(directory), .unsupported, "16400 ('/x')", hint: "--recover-with")
    guard case .backup(let backup) = try inspect(InspectOptions(path: directory.path + "/data"))
    else { throw Failure(.bug, "no backup") }
    #expect(backup.refusal?.error.contains("16400 ('/x')") == true)
  }

  /// Goal: what of a directory is read and what an import asks for fit together. Method: a file of each
  /// kind with nonsense in it; a tar of the same is refused for the same, or neither is.
  @Test(
    arguments: [
      "backup_label", "tablespace_map", "neon.signal", "zenith.signal", "pg_twophase/00000400",
      "pg_logical/replorigin_checkpoint", "base/99999/PG_VERSION", "base/99999/pg_filenode.map",
      "base/5/99999", "global/99999", "pg_xact/00FF", "pg_multixact/offsets/00FF",
      "base/5/INCREMENTAL.99999", "pg_tblspc/16400", "base/5/x", "notes.txt", "log/a",
    ])
  func sameAsTar(name: String) async throws {
    let member = TestTar.Member("./" + name, contents: Array("16400 /x\n".utf8))
    var tar = SmallBackup.tar
    tar.members.removeAll { $0.name == member.name }
    tar.members.append(member)
    let directory = try Self.cluster { $0 = tar }
    try Data(tar.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    let ofDirectory = try await Self.refusal(directory)
    let ofTar = try await Self.refusal(directory) {
      $0.backup = directory.path + "/backup.tar"
      $0.outputDirectory = directory.path + "/out-of-tar"
    }
    #expect(ofDirectory?.message == ofTar?.message && ofDirectory?.code == ofTar?.code)
    _ = try inspect(InspectOptions(path: directory.path + "/data"))
  }

  /// Goal: a cluster that was not shut down is refused before its relations are read. Method: its
  /// control file says so, and a relation is torn, which a tar of it would be refused for.
  @Test func state() async throws {
    let directory = try Self.cluster { tar in
      tar = SmallBackup.withControlFile {
        $0.replaceSubrange(16..<20, with: SmallBackup.bytesOf(6))
      }
      tar.members.append(.init("./base/5/99999", contents: [1]))
    }
    Self.expect(try await Self.refusal(directory), .unsupported, "state: in production")
  }

  /// Goal: nothing is written into the directory. Method: outputs in it, by its name and by a link to it.
  @Test func outputWithin() async throws {
    let directory = try Self.cluster()
    try FileManager.default.createSymbolicLink(
      atPath: directory.path + "/link", withDestinationPath: "data/base")
    for output in ["data", "data/out", "data/../data/base/out/deep", "link", "link/out"] {
      let error = try await Self.refusal(directory) {
        $0.outputDirectory = directory.path + "/" + output
      }
      Self.expect(error, .usage, "is within the backup", hint: "outside of the backup")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/data/base")
    #expect(names.allSatisfy { UInt32($0) != nil })
  }

  /// Goal: no link leads out of the directory, and nothing but files is opened. Method: a link or a
  /// pipe in the place of each kind of thing; of `pg_wal` and of a user's own it is left out.
  @Test func linksAndOthers() async throws {
    let outside = try TemporaryDirectory()
    try SmallBackup.tar.unpack(into: outside.path)
    let cases: [(name: String, message: String, hint: String)] = [
      ("base/5/1259", "'base/5/1259': it is a symbolic link", "--dereference"),
      ("base/5", "'base/5': it is a symbolic link", "--dereference"),
      ("base", "'base': it is a symbolic link", "--dereference"),
      ("global", "'global': it is a symbolic link", "--dereference"),
      ("global/pg_control", "'global/pg_control': it is a symbolic link", "--dereference"),
      ("pg_xact", "'pg_xact': it is a symbolic link", "--dereference"),
      ("pg_tblspc", "'pg_tblspc': it is a symbolic link", "--dereference"),
    ]
    for (name, message, hint) in cases {
      let directory = try Self.cluster()
      let path = directory.path + "/data/" + name
      _ = try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(
        atPath: path, withDestinationPath: outside.path + "/" + name)
      Self.expect(try await Self.refusal(directory), .damaged, message, hint: hint)
    }

    let directory = try Self.cluster()
    let manager = FileManager.default
    let data = directory.path + "/data"
    try manager.createSymbolicLink(
      atPath: data + "/pg_tblspc/16400", withDestinationPath: outside.path)
    Self.expect(
      try await Self.refusal(directory), .unsupported, "tablespaces", hint: "--recover-with")
    try manager.removeItem(atPath: data + "/pg_tblspc/16400")

    _ = try Shell.output("mkfifo", data + "/base/5/99999", data + "/fifo")
    Self.expect(
      try await Self.refusal(directory), .damaged, "'base/5/99999': it is a device, pipe or socket")
    try manager.removeItem(atPath: data + "/base/5/99999")
    try manager.createSymbolicLink(atPath: data + "/secrets", withDestinationPath: "/etc")
    #expect(try await Self.refusal(directory) == nil)
  }

  /// Goal: what is no data directory is told as that. Method: an empty directory, the one above a
  /// data directory, one that is not there, and names to be stripped.
  @Test func noDataDirectory() async throws {
    let directory = try Self.cluster()
    let base = try await Self.refusal(directory) { $0.backup = directory.path + "/data/base" }
    Self.expect(base, .cannotOpen, "it has no 'PG_VERSION' and no 'base.tar'")
    let above = try await Self.refusal(directory) { $0.backup = directory.path }
    Self.expect(above, .cannotOpen, "contains one: '\(directory.path)/data'")
    #expect(above?.remedy == Remedy(backup: directory.path + "/data"))
    let missing = try await Self.refusal(directory) { $0.backup = directory.path + "/none" }
    Self.expect(missing, .cannotOpen, "No such file or directory")
    let stripped = try await Self.refusal(directory) { $0.stripComponents = 1 }
    Self.expect(
      stripped, .usage, "'--strip-components' is for tars", hint: "Give the data directory itself")
    try FileManager.default.removeItem(atPath: directory.path + "/data/global/pg_control")
    Self.expect(try await Self.refusal(directory), .damaged, "no 'global/pg_control'")
  }
}
