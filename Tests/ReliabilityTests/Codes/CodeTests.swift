import Foundation
import PostgresFormat
import System
import TestSupport
import Testing

/// Goal: every error has its code, its exit code and its JSON object. Method: a table with a way to
/// provoke each code in the built program, and the names of those that cannot be provoked there.
@Suite struct CodeTests {
  /// The object that a failure prints.
  private struct Object: Decodable {
    var exitCode: Int32
    var code: String
    var error: String
    var hint: String?
  }

  @Test(arguments: Provocation.all) func provoked(_ provocation: Provocation) async throws {
    if provocation.requiresRoot && geteuid() != 0 { return }
    let run = try await provocation.run(try CodeScene())
    let code = provocation.code
    #expect(run.exitCode == code.exitCode.rawValue, "\(code.rawValue): \(run.error)")
    let object = try #require(
      try? JSONDecoder().decode(Object.self, from: run.output),
      "\(code.rawValue): \(run.outputText) \(run.error)")
    #expect(object.code == code.rawValue, "\(object.error)")
    #expect(object.exitCode == code.exitCode.rawValue)
    #expect(run.outputText.split(separator: "\n").count == 1)
    #expect(run.error.contains("error: \(object.error) [\(code.rawValue)]\n"), "\(run.error)")
    if let hint = object.hint { #expect(run.error.contains("hint: \(hint)")) }
  }

  /// Method: each code has a row, or names a test that reads it in a line of the program, or a reason why
  /// nothing provokes it.
  @Test func completeness() throws {
    let codes =
      Array(Set(Provocation.all.map(\.code))) + Provocation.elsewhere.keys
      + Provocation.unprovoked.keys
    #expect(codes.map(\.rawValue).sorted() == ErrorCode.allCases.map(\.rawValue).sorted())
    for (code, suite) in Provocation.elsewhere {
      try TestFile.expect(suite, contains: "[\(code.rawValue)]")
    }
  }
}

/// The source of a test that a table names.
enum TestFile {
  /// Expects that a suite's file contains a text.
  static func expect(_ suite: String, contains text: String) throws {
    let tests = Fixture.path("..")
    let names = try #require(FileManager.default.enumerator(atPath: tests)).compactMap {
      $0 as? String
    }
    let name = try #require(names.first { $0.hasSuffix("/\(suite).swift") }, "no file of \(suite)")
    let source = try String(contentsOfFile: tests + "/" + name, encoding: .utf8)
    #expect(source.contains(text), "\(suite) has no '\(text)'")
  }
}

/// A directory in which one code is provoked.
struct CodeScene: Sendable {
  let directory: TemporaryDirectory

  var path: String { directory.path }
  var backup: String { path + "/backup.tar" }
  var output: String { path + "/out" }
  var timeline: String { output + "/" + Scene.timeline }
  var index: String { output + "/" + Scene.index }

  init() throws {
    directory = try TemporaryDirectory(inMemory: true)
    // For programs that are run as another user.
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  private static let ids = ["--tenant-id", Scene.tenantID, "--timeline-id", Scene.timelineID]

  /// Runs the program in the directory, with `--json`.
  func run(
    _ arguments: [String], script: String? = nil, input: ProgramRun.Input = .none,
    faults: [Fault] = [], under: String? = nil
  ) async throws -> ProgramRun {
    try await ProgramRun.run(
      arguments + ["--json"], input: input, script: script,
      environment: faults.isEmpty
        ? [:] : try FaultLibrary.environment(faults, under: under ?? output),
      directory: path)
  }

  /// Imports these bytes.
  func importing(
    _ bytes: [UInt8], _ more: [String] = [], script: String? = nil, faults: [Fault] = [],
    under: String? = nil
  ) async throws -> ProgramRun {
    try Data(bytes).write(to: URL(filePath: backup))
    return try await run(
      [backup, "--output", output] + Self.ids + more, script: script, faults: faults,
      under: under)
  }

  /// Imports a tar made of the sound one.
  func importing(
    _ more: [String] = [], script: String? = nil, faults: [Fault] = [], under: String? = nil,
    _ change: (inout TestTar) -> Void = { _ in }
  ) async throws -> ProgramRun {
    var tar = SmallBackup.tiny
    change(&tar)
    return try await importing(
      tar.encoded(), more, script: script, faults: faults, under: under)
  }

  /// Imports the tiny backup with other fields in its control file.
  func importing(control offset: Int, _ value: UInt32) async throws -> ProgramRun {
    try await importing {
      $0["global/pg_control"] =
        SmallBackup.withControlFile {
          $0.replaceSubrange(offset..<offset + 4, with: SmallBackup.bytesOf(value))
        }["global/pg_control"]
    }
  }

  /// Imports a data directory.
  func importingDirectory(
    _ more: [String] = [], script: String? = nil, faults: [Fault] = [],
    _ change: (inout TestTar) -> Void = { _ in }
  ) async throws -> ProgramRun {
    var tar = SmallBackup.tiny
    change(&tar)
    try tar.unpack(into: path + "/data")
    return try await run(
      [path + "/data", "--output", output] + Self.ids + more, script: script, faults: faults,
      under: path + "/data")
  }

  /// Recovers a data directory of a cluster that was running, with a program that says it is a
  /// version of Postgres and does nothing else, or as a server what the `program` says.
  func recovering(
    _ more: [String] = [], says: String = "postgres (PostgreSQL) 15.3", program: String = "",
    script: String? = nil, _ change: (inout TestTar) -> Void = { _ in }
  ) async throws -> ProgramRun {
    let programs = path + "/bin"
    try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
    _ = try Shell.output(
      "sh", "-c", #"printf '#!/bin/sh\n%s\n' "$1" > postgres; chmod 755 postgres"#, "sh",
      "echo '\(says)'; [ $1 = --single ] || exit 0; \(program)", directory: programs)
    let arguments = ["--recover-with", programs, "--trust-backup"] + more
    return try await importingDirectory(arguments, script: script) { tar in
      tar["global/pg_control"] =
        SmallBackup.withControlFile {
          $0.replaceSubrange(16..<20, with: SmallBackup.bytesOf(6))
        }["global/pg_control"]
      tar["pg_wal"] = .init("./pg_wal", type: "5")
      change(&tar)
    }
  }

  /// Imports the sound backup, so that there is a timeline.
  func imported() async throws {
    let run = try await importing()
    try #require(run.exitCode == 0, "\(run.error)")
  }

  /// The path of the tenant, without the digits of a shard.
  var tenant: String { output + "/tenants/" + Scene.tenantID }

  /// Imports the sound backup into two shards.
  func importedShards() async throws {
    let run = try await importing(["--shards", "2"])
    try #require(run.exitCode == 0, "\(run.error)")
  }

  /// Runs a command over a timeline whose index was changed.
  func reading(
    _ arguments: [String], index old: String, as new: String
  ) async throws -> ProgramRun {
    try await imported()
    let text = try String(contentsOfFile: index, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacing(old, with: new).write(
      toFile: index, atomically: false, encoding: .utf8)
    return try await run(arguments)
  }

  /// Writes a file, and gives its path.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(filePath: path + "/" + name))
    return path + "/" + name
  }
}

/// A way to provoke a code.
struct Provocation: CustomTestStringConvertible, Sendable {
  var code: ErrorCode
  var requiresRoot: Bool
  var run: @Sendable (CodeScene) async throws -> ProgramRun

  var testDescription: String { code.rawValue }

  init(
    _ code: ErrorCode, requiresRoot: Bool = false,
    _ run: @escaping @Sendable (CodeScene) async throws -> ProgramRun
  ) {
    self.code = code
    self.requiresRoot = requiresRoot
    self.run = run
  }

  static let all =
    commandLine + archives + members + recoveries + copies + timelines + places + unsupported
    + receipts + stores + service + machine

  /// The codes without a row, and the suite that runs the program for each and looks for it on standard error:
  /// the object would go into the broken pipe.
  static let elsewhere: [ErrorCode: String] = [.brokenPipe: "ProgramTests"]

  /// The codes that no run of the program provokes, and why.
  static let unprovoked: [ErrorCode: String] = [
    .bug: "there is none to be provoked",
    .tooManyFiles: "takes 4 GiB of paths",
    .tooManyChunks: "takes 131,000 chunks, of 2^17 relations each or of the least chunk size",
  ]
}
