import Foundation
import Operations
import TestSupport
import Testing

/// Where what the tests need is.
private enum KubernetesFile {
  static let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path
  static let path = root + "/Deploy/kubernetes/import.yaml"
  static let check = root + "/Scripts/check-kubernetes"
  static let schemas = root + "/.build/stores/kubernetes_validate"
}

/// The Jobs in `Deploy/kubernetes`, without an engine that runs pods.
@Suite(
  .enabled(
    if: FileManager.default.fileExists(atPath: KubernetesFile.schemas),
    "what 'make stores' fetches is not there"))
struct KubernetesTests {
  private static func check(_ argument: String? = nil) throws -> [String] {
    let output =
      if let argument {
        try Shell.output(KubernetesFile.check, KubernetesFile.path, argument)
      } else {
        try Shell.output(KubernetesFile.check, KubernetesFile.path)
      }
    return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Goal: the API takes the documents. Method: its own schemas, unknown fields refused; and a document
  /// with a field that is misspelt is not taken.
  @Test func schema() throws {
    #expect(try Self.check() == ["3"])
    let directory = try TemporaryDirectory()
    let text = try String(contentsOfFile: KubernetesFile.path, encoding: .utf8)
      .replacing("completionMode", with: "completionsMode")
    try Data(text.utf8).write(to: URL(filePath: directory.path + "/wrong.yaml"))
    #expect(throws: (any Error).self) {
      try Shell.output(KubernetesFile.check, directory.path + "/wrong.yaml")
    }
  }

  /// Goal: the pods make a whole tenant, also if one is killed and started again. Method: the command of
  /// the pods as the file has it, with the variables that the engine sets, all at once; one is killed
  /// first, and done again; then the command that publishes, twice.
  @Test func pods() async throws {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: backup))
    try FileManager.default.createDirectory(
      atPath: directory.path + "/bin", withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: directory.path + "/bin/import-backup", withDestinationPath: ProgramRun.path)
    var variables = [
      "PATH": directory.path + "/bin:/usr/bin:/bin", "BACKUP": backup,
      "OUTPUT": directory.path + "/storage",
    ]
    for line in try Self.check("--data") {
      let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
      variables[parts[0]] = parts[1]
    }
    let environment = variables
    let count = try #require(variables["SHARDS"].flatMap { Int($0) })
    let pod = try Self.check("import-shards")
    let publish = try Self.check("publish-shards")

    @Sendable func run(
      _ words: [String], index: Int? = nil, seconds: String = "60"
    ) async throws -> ProgramRun {
      var environment = environment
      environment["JOB_COMPLETION_INDEX"] = index.map { "\($0)" }
      return try await ProgramRun.run(
        words, script: "shift; exec timeout -s KILL \(seconds) \"$@\"", environment: environment)
    }
    _ = try await run(pod, index: 2, seconds: "0.05")
    let early = try await run(publish)
    #expect(early.exitCode != 0)
    try await withThrowingTaskGroup(of: ProgramRun.self) { group in
      for index in 0..<count { group.addTask { try await run(pod, index: index) } }
      for try await result in group { #expect(result.exitCode == 0, "\(result.error)") }
    }
    for expected in [count, 0] {
      let result = try await run(publish)
      #expect(result.exitCode == 0, "\(result.error)")
      let summary = try JSONDecoder().decode(PublishSummary.self, from: result.output)
      #expect(summary.publishedShardCount == expected && summary.shardCount == count)
      let verified = try await ProgramRun.run(
        ["verify", summary.timelinePath, "--against", backup, "--json"])
      #expect(verified.exitCode == 0, "\(verified.error)")
    }
  }
}
