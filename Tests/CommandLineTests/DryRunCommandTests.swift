import Foundation
import Operations
import TestSupport
import Testing

/// Dry runs by the built program, as a person and as a script see them.
@Suite struct DryRunCommandTests {
  /// Goal: a backup that can be imported is one line and exit code 0, and nothing is written.
  @Test func sound() async throws {
    let directory = try TemporaryDirectory()
    let backup = Fixture.path("clean-15.tar.zst")
    let run = try await ProgramRun.run(
      [backup, "--output", "out", "--dry-run"], directory: directory.path)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.hasPrefix("dry run: would import Postgres 15 (clean shutdown): "))
    #expect(run.error.hasPrefix("note: the timeline would be 'out/tenants/TENANT/timelines/"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    let json = try await ProgramRun.run(
      [backup, "--output", "out", "-n", "--json"], directory: directory.path)
    let object = try #require(
      try JSONSerialization.jsonObject(with: json.output) as? [String: Any])
    #expect(object["dryRun"] as? Bool == true && object["isComplete"] as? Bool == true)
    #expect((object["reasons"] as? [Any])?.isEmpty == true && object["code"] == nil)
    let forecast = try JSONDecoder().decode(ImportForecast.self, from: json.output)
    #expect(forecast.summary.postgresVersion == 15)
    // The import prints the same notes; only where the timeline is, and what comes next, are its own.
    let real = try await ProgramRun.run([backup, "--output", "out"], directory: directory.path)
    let notes = run.error.split(separator: "\n").dropFirst()
    #expect(
      notes.elementsEqual(
        real.error.split(separator: "\n").dropFirst().filter { $0.hasPrefix("note:") }))
    #expect(notes.contains { $0.contains("waits for COMMIT PREPARED") }, "\(notes)")
  }

  /// Goal: the reasons are lines with their codes, and fields of the object; the worst decides.
  @Test func refused() async throws {
    let directory = try TemporaryDirectory()
    var tar = SmallBackup.tiny
    tar.members.append(.init("./base/5/strange"))
    tar.members.append(.init("./base/5/INCREMENTAL.16384", contents: [1, 2, 3]))
    let backup = directory.path + "/backup.tar"
    try Data(tar.encoded()).write(to: URL(filePath: backup))
    let run = try await ProgramRun.run([backup, "--output", directory.path + "/out", "-n"])
    #expect(run.exitCode == 65)
    #expect(run.outputText.hasPrefix("dry run: would not import "))
    let lines = run.error.split(separator: "\n")
    let codes = lines.filter { $0.hasPrefix("reason: ") }.map { $0.split(separator: " ").last }
    #expect(codes == ["[incremental-backup]", "[unexpected-file]"])
    #expect(lines.last == "error: the import would be refused for 2 reasons [unexpected-file]")
    let json = try await ProgramRun.run(
      [backup, "--output", directory.path + "/out", "-n", "--json"])
    #expect(json.exitCode == 65 && json.outputText.split(separator: "\n").count == 1)
    let object = try #require(
      try JSONSerialization.jsonObject(with: json.output) as? [String: Any])
    #expect(object["code"] as? String == "unexpected-file" && object["exitCode"] as? Int == 65)
    let reasons = try #require(object["reasons"] as? [[String: Any]])
    #expect(reasons.map { $0["exitCode"] as? Int } == [69, 65])
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["backup.tar"])
  }
}
