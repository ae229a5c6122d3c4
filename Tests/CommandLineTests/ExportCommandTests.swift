import Foundation
import Operations
import TestSupport
import Testing

/// Exports by the built program, as a person and as a script see them.
@Suite struct ExportCommandTests {
  /// A timeline of a fixture below `directory`.
  static func timeline(
    of fixture: String = "clean-15-minimal-promoted", in directory: TemporaryDirectory
  ) async throws -> String {
    let options = ImportOptions(
      backup: Fixture.path(fixture + ".tar.zst"), outputDirectory: directory.path + "/storage")
    return try importBackup(options, progress: nil).timelinePath
  }

  /// Goal: a file, a stream and a device get the same tar, and standard error gets a note.
  /// Method: export to an existing file, which needs --force, and to standard output; nothing else
  /// is left.
  @Test func outputs() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.timeline(in: directory)
    let file = directory.path + "/backup.tar"
    try "old".write(toFile: file, atomically: false, encoding: .utf8)
    let refused = try await ProgramRun.run(["export", timeline, "--output", file])
    #expect(refused.exitCode == 73)
    #expect(refused.error.hasPrefix("error: file '\(file)' already exists [output-exists]\nhint: "))
    #expect(refused.error.contains("--force"))
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "old")
    let toFile = try await ProgramRun.run(["export", timeline, "--force", "--output", file])
    #expect(toFile.exitCode == 0, "\(toFile.error)")
    #expect(toFile.output.isEmpty)
    #expect(toFile.error.hasPrefix("note: exported Postgres 15 at LSN 0/215AD68: 4 databases, "))
    let toStream = try await ProgramRun.run(["export", timeline, "--quiet"])
    #expect(toStream.exitCode == 0)
    #expect(toStream.error.isEmpty)
    #expect(try toStream.output == Data(contentsOf: URL(filePath: file)))
    #expect(toStream.output.suffix(1024).allSatisfy { $0 == 0 })
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let toDevice = try await ProgramRun.run(["export", timeline, "-q", "-o", "/dev/null"])
    #expect(toDevice.exitCode == 0)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        == ["backup.tar", "storage"])
  }

  /// Goal: if standard output is full or closed, or its reader has exited: exit code 74, no signal.
  @Test(arguments: [
    (#""$@" > /dev/full"#, "No space left on device [no-space]"),
    (#""$@" >&-"#, "Bad file descriptor [write-failed]"),
    (#"exec 3> >(exec true); wait $!; "$@" >&3"#, "Broken pipe [broken-pipe]"),
  ])
  func brokenOutput(script: String, cause: String) async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.timeline(in: directory)
    let run = try await ProgramRun.run(["export", timeline], script: script)
    #expect(run.exitCode == 74)
    #expect(run.error == "error: cannot write to standard output: \(cause)\n")
  }

  /// Goal: a backup is never written to a terminal. Method: run under `script` from util-linux.
  @Test func terminal() async throws {
    let run = try await ProgramRun.run(
      [], script: #"script -qec "$1 export /nowhere" /dev/null < /dev/null"#)
    #expect(run.exitCode == 64)
    #expect(run.outputText.contains("error: refusing to write a tar to a terminal"))
    #expect(run.outputText.contains("hint: Write it to a file with '--output', or pipe it to "))
  }

  /// Goal: each kind of failure has its exit code and message, and leaves no file.
  @Test(
    arguments: [
      (["/nowhere", "-o", "x.tar"], 66, "/nowhere"), (["/", "-o", "x.tar"], 66, "index_part.json"),
      ([], 64, "no timeline given"), (["a", "b"], 64, "unexpected argument 'b'"),
      (["a", "--output", ""], 64, "option '--output' needs a value: FILE"),
    ] as [([String], Int32, String)])
  func failures(arguments: [String], code: Int32, message: String) async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      ["export"] + arguments, script: #""$@" | cat; exit ${PIPESTATUS[0]}"#,
      directory: directory.path)
    #expect(run.exitCode == code)
    #expect(run.error.hasPrefix("error: "))
    #expect(run.error.contains(message), "\(run.error)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }

  /// Goal: an output that cannot be created ends in exit code 73, and the message has the name that
  /// was asked for, not the temporary one.
  @Test(arguments: ["/nowhere/x.tar", "/"]) func impossibleOutput(path: String) async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.timeline(in: directory)
    let run = try await ProgramRun.run(["export", timeline, "-o", path])
    #expect(run.exitCode == 73)
    #expect(run.error.contains("cannot create '\(path)': "), "\(run.error)")
  }
}
