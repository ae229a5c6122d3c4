import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// `list` by the built program, as a person and as a script see it.
@Suite struct ListCommandTests {
  private static let tenant = String(repeating: "a", count: 32)
  private static let timeline = String(repeating: "b", count: 32)

  /// Imports a small backup, uncompressed, so that sizes do not depend on the version of libzstd.
  private static func imported(in directory: TemporaryDirectory) async throws -> String {
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    let output = directory.path + "/out"
    let run = try await ProgramRun.run([
      backup, "-o", output, "--tenant-id", tenant, "--timeline-id", timeline,
      "--compression-level", "0", "-q",
    ])
    #expect(run.exitCode == 0, "\(run.error)")
    return output
  }

  /// Goal: the text is a table that fits a terminal; notes go to standard error, not with --quiet.
  @Test func text() async throws {
    let directory = try TemporaryDirectory()
    let output = try await Self.imported(in: directory)
    let path = "\(output)/tenants/\(Self.tenant)/timelines/\(Self.timeline)"
    try Data(count: 2048).write(to: URL(filePath: path + "/layer-1.import-temp"))
    let run = try await ProgramRun.run(["list", output])
    #expect(run.exitCode == 0)
    let lines = run.outputText.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "tenant \(Self.tenant)")
    #expect(lines[1].hasPrefix("  timeline                          state     PG  gen"))
    #expect(lines[2].hasPrefix("  \(Self.timeline)  complete  15    1  "))
    #expect(lines[2].hasSuffix("  0/215AD68"))
    #expect(lines.allSatisfy { $0.count <= 100 })
    #expect(
      run.error
        == "note: timeline \(Self.timeline) has 1 temporary file (2.0 KiB), layer-1.import-temp\n")
    let quiet = try await ProgramRun.run(["list", "-q", output])
    #expect(quiet.outputText == run.outputText && quiet.error.isEmpty && quiet.exitCode == 0)
  }

  /// Goal: what there is room for is shown, the import LSN before the end LSN, and both before the number
  /// of layers. Method: a complete timeline and an unfinished one in terminals of several widths.
  @Test(
    arguments: [
      (40, []), (80, ["import"]), (90, ["import", "end"]), (100, ["layers", "import", "end"]),
    ] as [(Int, [String])])
  func widths(columns: Int, shown: [String]) async throws {
    let directory = try TemporaryDirectory()
    let output = try await Self.imported(in: directory)
    try FileManager.default.createDirectory(
      atPath: "\(output)/tenants/\(Self.tenant)/timelines/\(Self.tenant)",
      withIntermediateDirectories: false)
    let run = try await ProgramRun.run(["list", output], environment: ["COLUMNS": "\(columns)"])
    let lines = run.outputText.split(separator: "\n")
    for line in lines { #expect(line.count <= columns, "\(line)") }
    if shown.isEmpty {
      #expect(
        lines.contains("  import LSN        0/215ACF0") && lines.contains("    \(Self.timeline)"))
    } else {
      let headings = lines[1].split(separator: " ")
      #expect(shown == ["layers", "import", "end"].filter { headings.contains(Substring($0)) })
      #expect(lines.contains { $0.hasPrefix("  \(Self.timeline)  complete ") })
    }
  }

  /// Goal: nothing to list is said, and no error.
  @Test func empty() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(["list", directory.path])
    #expect(run.exitCode == 0 && run.error.isEmpty)
    #expect(run.outputText.hasPrefix("no timelines in '"))
    let json = try await ProgramRun.run(["list", directory.path, "--json"])
    let list = try JSONDecoder().decode(TimelineList.self, from: json.output)
    #expect(json.exitCode == 0 && list.timelines.isEmpty)
  }

  /// Goal: JSON has everything in one object; a damaged index is listed, and ends in 65.
  @Test func damaged() async throws {
    let directory = try TemporaryDirectory()
    let output = try await Self.imported(in: directory)
    let path = "\(output)/tenants/\(Self.tenant)/timelines/\(Self.timeline)"
    try Data("{".utf8).write(to: URL(filePath: path + "/index_part.json-00000002"))
    let run = try await ProgramRun.run(["list", output, "--json"])
    #expect(run.exitCode == 65)
    #expect(run.outputText.count { $0 == "\n" } == 1)
    #expect(run.outputText.contains(#""code":"index-damaged","#))
    #expect(run.outputText.contains(#""error":"timeline '"#))
    let list = try JSONDecoder().decode(TimelineList.self, from: run.output)
    #expect(list.timelines.map(\.state) == [.damaged])
    #expect(list.timelines[0].generation == 2)
    #expect(run.error.hasPrefix("error: timeline '"), "\(run.error)")
    let text = try await ProgramRun.run(["list", output])
    #expect(text.exitCode == 65)
    #expect(text.outputText.contains("  damaged  "))
  }

  /// Goal: what is no directory is refused.
  @Test(
    arguments: [
      ([], 64, "no directory given"), (["a", "b"], 64, "unexpected argument 'b'"),
      (["/nowhere"], 66, "cannot open '/nowhere'"), (["/dev/null"], 66, "is not a directory"),
    ] as [([String], Int32, String)])
  func refusals(arguments: [String], code: Int32, message: String) async throws {
    let run = try await ProgramRun.run(["list"] + arguments)
    #expect(run.exitCode == code)
    #expect(run.output.isEmpty)
    #expect(run.error.hasPrefix("error: ") && run.error.contains(message), "\(run.error)")
  }
}
