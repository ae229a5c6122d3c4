import Foundation
import TestSupport
import Testing

/// Goal: the commands that hints show do what they are for, as they are. Method: bash runs each line
/// as it was printed, and the line that its failure prints, until an import succeeds.
@Suite struct HintedCommandTests {
  /// How many commands had to be followed, and the last one's run.
  struct Outcome {
    var stepCount = 0
    var run: ProgramRun
  }

  /// Options that a hint must keep.
  static let options = [
    "--output", "out it's $HOME", "--tenant-id", String(repeating: "a", count: 32),
    "--timeline-id", String(repeating: "b", count: 32), "--generation", "7",
  ]

  /// Where that timeline is.
  static func index(in directory: TemporaryDirectory) -> String {
    directory.path + "/out it's $HOME/tenants/\(String(repeating: "a", count: 32))/timelines/"
      + "\(String(repeating: "b", count: 32))/index_part.json-00000007"
  }

  /// Imports, and does what the hints say; `path` comes before the usual programs.
  static func follow(
    _ arguments: [String], in directory: TemporaryDirectory, path: String = ""
  ) async throws -> Outcome {
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    let environment = ["PATH": path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")]
    var outcome = Outcome(
      run: try await ProgramRun.run(
        arguments + options, environment: environment, directory: directory.path))
    while outcome.run.exitCode != 0, outcome.stepCount < 4 {
      let lines = outcome.run.error.split(separator: "\n")
      let hint = try #require(
        lines.lastIndex { $0.hasPrefix("hint: ") }, "\(outcome.run.error)")
      var command = try #require(lines.dropFirst(hint + 1).first, "\(outcome.run.error)")
      #expect(command.hasPrefix("  ") && lines.count == hint + 2, "\(outcome.run.error)")
      if command.contains("--recover-with") {
        command += Sandboxing.options.map { " " + $0 }.joined()
      }
      outcome.run = try await ProgramRun.run(
        [], script: String(command), environment: environment, directory: directory.path)
      outcome.stepCount += 1
    }
    #expect(outcome.run.exitCode == 0, "\(outcome.run.error)")
    #expect(FileManager.default.fileExists(atPath: index(in: directory)))
    return outcome
  }

  /// A tar made one directory higher, with too much stripped, a directory above the data directory,
  /// and a stream that another program has to decompress.
  @Test(arguments: ["higher.tar", "stripped", "above", "data.tar.lzma"])
  func withoutPostgres(form: String) async throws {
    let directory = try TemporaryDirectory()
    try SmallBackup.tar.unpack(into: directory.path + "/a b/data")
    _ = try Shell.output(
      "bash", "-euc",
      """
      rm 'a b/data/pg_wal'
      tar -C 'a b' -cf higher.tar data; tar -C 'a b/data' -cf stripped .
      tar -C 'a b/data' -c . | xz --format=lzma -0 > data.tar.lzma
      """, directory: directory.path)
    let arguments =
      switch form {
      case "stripped": ["stripped", "--strip-components", "2"]
      case "above": ["a b"]
      default: [form]
      }
    let outcome = try await Self.follow(arguments, in: directory)
    #expect(outcome.stepCount == 1)
  }
}
