import Foundation
import TestSupport
import Testing

/// What another user of the machine can put in the way of an output.
@Suite struct OutputSafetyTests {
  private let tenant = String(repeating: "1", count: 32)
  private let timeline = String(repeating: "2", count: 32)

  /// Imports a small backup after `script` has prepared the output `out`.
  private func run(
    _ more: [String] = [], in directory: TemporaryDirectory, after script: String
  ) async throws -> ProgramRun {
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    return try await ProgramRun.run(
      [
        "backup.tar", "--output", "out", "--tenant-id", tenant, "--timeline-id", timeline,
        "--quiet",
      ] + more,
      script: """
        set -e; mkdir elsewhere; echo 1 > elsewhere/file
        T=out/tenants/\(tenant); L=$T/timelines/\(timeline)
        \(script)
        "$@"
        """, directory: directory.path)
  }

  private static func elsewhere(_ directory: TemporaryDirectory) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path + "/elsewhere")
  }

  /// Goal: a link below DIR is refused, also with `--force`, and what it leads to is not touched.
  @Test(
    arguments: [
      "mkdir -p $T/timelines; ln -s $PWD/elsewhere $L",
      "mkdir -p $T; ln -s $PWD/elsewhere $T/timelines",
      "mkdir -p out/tenants; ln -s $PWD/elsewhere $T",
      "mkdir out; ln -s $PWD/elsewhere out/tenants",
      "mkdir out; ln -s $PWD/elsewhere out/receipts",
    ], [[], ["--force"]])
  func links(script: String, more: [String]) async throws {
    let directory = try TemporaryDirectory()
    let run = try await run(more, in: directory, after: script)
    #expect(run.exitCode == 73, "\(run.error)")
    #expect(try Self.elsewhere(directory) == ["file"])
  }

  /// Goal: DIR itself may be a link: it is the user's own word.
  @Test func linkToOutput() async throws {
    let directory = try TemporaryDirectory()
    let run = try await run(in: directory, after: "ln -s elsewhere out")
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try Self.elsewhere(directory).sorted() == ["file", "receipts", "tenants"])
  }

  /// Goal: links at the names that an import writes and removes lead nowhere.
  @Test func linksAtNames() async throws {
    let directory = try TemporaryDirectory()
    let run = try await run(
      in: directory,
      after: """
        mkdir -p $L
        for name in layer-1 layer-2 index_part.json-00000001; do
          ln -s $PWD/elsewhere/file $L/$name.import-temp
        done
        mkdir out/receipts
        for name in json json.sha256 json.import-temp json.sha256.import-temp; do
          ln -s $PWD/elsewhere/file out/receipts/\(tenant)-\(timeline)-00000001.$name
        done
        """)
    #expect(run.exitCode == 0, "\(run.error)")
    let file = directory.path + "/elsewhere/file"
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "1\n")
  }

  /// Goal: a directory that somebody else owns is refused, unless that user is named; then root gives
  /// that user what it writes.
  @Test(.enabled(if: geteuid() == 0, "only root can give files away")) func owners() async throws {
    let script = "mkdir -p out/tenants; chown nobody out"
    let refused = try TemporaryDirectory()
    let run = try await run(in: refused, after: script)
    #expect(run.exitCode == 73, "\(run.error)")
    #expect(run.error.contains("belongs to user 'nobody'"))
    #expect(run.error.contains("'--output-owner nobody'"))
    let names = try FileManager.default.contentsOfDirectory(atPath: refused.path + "/out/tenants")
    #expect(names == [])

    let allowed = try TemporaryDirectory()
    let second = try await self.run(["--output-owner", "nobody"], in: allowed, after: script)
    #expect(second.exitCode == 0, "\(second.error)")
    let owners = try Shell.output(
      "sh", "-c",
      "find out/tenants out/receipts -mindepth 1 -printf '%u\\n' | sort | uniq -c | wc -l; "
        + "find out/receipts out/tenants/* ! -user nobody", directory: allowed.path)
    #expect(String(decoding: owners, as: UTF8.self) == "1\n")
  }
}
