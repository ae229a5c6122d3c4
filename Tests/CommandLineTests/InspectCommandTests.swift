import Foundation
import Operations
import TestSupport
import Testing

/// `inspect` by the built program, as a person and as a script see it.
@Suite struct InspectCommandTests {
  private static let backup = Fixture.path("clean-15-minimal-promoted.tar.zst")

  /// Imports the backup uncompressed, so that sizes do not depend on the version of libzstd.
  private static func timeline(in directory: TemporaryDirectory) async throws -> String {
    let ids = (String(repeating: "a", count: 32), String(repeating: "b", count: 32))
    let run = try await ProgramRun.run([
      backup, "--output", directory.path, "--tenant-id", ids.0, "--timeline-id", ids.1,
      "--compression-level", "0", "--small-relation-size", "4M", "--image-layer-size", "4M",
      "--chunk-size", "20M", "--quiet",
    ])
    #expect(run.exitCode == 0, "\(run.error)")
    return "\(directory.path)/tenants/\(ids.0)/timelines/\(ids.1)"
  }

  /// Goal: the text describes a whole backup on one page. Method: compare all of it, for a backup
  /// on standard input.
  @Test func backupText() async throws {
    let run = try await ProgramRun.run(["inspect", "-"], input: .pipe(Self.backup))
    #expect(run.exitCode == 0)
    #expect(run.error.isEmpty)
    #expect(run.outputText == Self.expectedBackup)
  }

  /// Goal: the same for a timeline.
  @Test func timelineText() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let run = try await ProgramRun.run(["inspect", path])
    #expect(run.exitCode == 0)
    #expect(run.error.isEmpty)
    #expect(run.outputText == "timeline '\(path)'\n" + Self.expectedTimeline)
  }

  /// Goal: a value is shown with its position and its bytes, without repeated lines; a layer with
  /// its entries, and nothing else; no line is wider than a page.
  @Test func keyAndLayer() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let key = "030000000000000000000000000000000000"
    let run = try await ProgramRun.run(["inspect", path, "--key", key, "--layer", "4"])
    #expect(run.exitCode == 0)
    let lines = run.outputText.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.starts(with: ["timeline '\(path)'", "", "key \(key): global/pg_control"]))
    #expect(lines.dropFirst().allSatisfy { $0.count <= 100 })
    let dump = try #require(lines.firstIndex { $0.hasPrefix("  000000 ") })
    #expect(
      lines[dump]
        == "  000000  7f 16 f3 c1 46 1e 04 6b  14 05 00 00 25 77 0d 0c  |....F..k....%w..|")
    #expect(lines[dump...].contains("  *"))
    #expect(lines[dump...].contains { $0.hasPrefix("  001ff0  00 00 ") })
    let entries = lines.drop { !$0.hasPrefix("entries of layer 4,") }
    #expect(entries.dropFirst(2).first?.hasSuffix("base/16384/16403 block 0") == true)
    #expect(entries.dropFirst(2).filter { !$0.isEmpty }.count == 510)
  }

  /// Goal: a narrow terminal gets no wider lines, and names remain. Method: a backup, its timeline, a
  /// key and a layer; the first line has the path, which is never broken.
  @Test(arguments: [40, 60]) func narrow(columns: Int) async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let key = "030000000000000000000000000000000000"
    let cases: [(arguments: [String], parts: [String])] = [
      ([Self.backup], ["  app\n", "big_loaded\n", "configuration", "7711321751215609471\n"]),
      (
        [path],
        [
          "  app\n", "big_loaded\n", "base/16384/1640", " \(String(repeating: "a", count: 32))\n",
        ]
      ),
      ([path, "--key", key], ["\(key): global/pg_control\n", "\n  000000  7f 16"]),
      ([path, "--layer", "4"], [" 000000067F000040000000401300000001FD"]),
    ]
    for (arguments, parts) in cases {
      let run = try await ProgramRun.run(
        ["inspect"] + arguments, environment: ["COLUMNS": "\(columns)"])
      let lines = run.outputText.split(separator: "\n").dropFirst()
      #expect(run.exitCode == 0 && lines.count > 10)
      for line in lines { #expect(line.count <= columns, "\(line)") }
      for part in parts {
        #expect(
          run.outputText.replacing("\n", with: " ").contains(part.replacing("\n", with: " ")),
          "\(part): \(run.outputText)")
      }
    }
  }

  /// Goal: JSON has everything in one object, for both.
  @Test func json() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let backupRun = try await ProgramRun.run(["inspect", Self.backup, "--json"])
    let backup = try JSONDecoder().decode(BackupDescription.self, from: backupRun.output)
    #expect(backup.subject == "backup" && backup.isImportable)
    #expect(backup.hasDataChecksums == true && backup.postgresTimeline == 2)
    #expect(backup.relations.count == 100)
    #expect(backup.databases.map(\.name) == [nil, "template1", "template0", "postgres", "app"])
    #expect(backup.relations[0].name == "big_loaded")
    let run = try await ProgramRun.run([
      "inspect", path, "--json", "--layer", "4", "--key", "030000000000000000000000000000000001",
    ])
    #expect(run.outputText.count { $0 == "\n" } == 1)
    let timeline = try JSONDecoder().decode(TimelineDescription.self, from: run.output)
    #expect(timeline.subject == "timeline")
    #expect(timeline.key?.meaning == "checkpoint")
    #expect(timeline.key?.bytes?.count == 176)
    #expect(timeline.layerEntries?.layerNumber == 4)
    #expect(timeline.layers.count == 6)
    #expect(timeline.relations.map(\.name) == backup.relations.map(\.name))
    #expect(timeline.layers[3].keys == "base/16384/16403 blocks 0–509")
  }

  /// Goal: pictures are written to the given files, and the result is printed as well, unless a
  /// picture goes to standard output.
  @Test(arguments: ["--svg", "--svg-layers"]) func drawing(option: String) async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let run = try await ProgramRun.run(["inspect", path, option, directory.path + "/map.svg"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.outputText.hasPrefix("timeline "))
    let svg = try String(contentsOfFile: directory.path + "/map.svg", encoding: .utf8)
    #expect(svg.hasPrefix("<?xml") && svg.hasSuffix("</svg>\n"))
    #expect(svg.contains("base/16384/16403"))
    #expect(svg.contains("prefers-color-scheme: dark"))
    #expect(svg.contains("big_loaded") == (option == "--svg"))
    let stream = try await ProgramRun.run(
      ["inspect", path, option, "-"], directory: directory.path)
    #expect(stream.exitCode == 0 && stream.error.isEmpty, "\(stream.error)")
    #expect(stream.outputText == svg)
    #expect(!FileManager.default.fileExists(atPath: directory.path + "/-"))
    let nowhere = try await ProgramRun.run(["inspect", path, option, "/nowhere/map.svg"])
    #expect(nowhere.exitCode == 73)
    #expect(
      nowhere.error
        == "error: cannot create '/nowhere/map.svg': No such file or directory [output-not-found]\n"
        + "hint: Directory '/nowhere' does not exist. Create the directory, or give another path.\n"
    )
  }

  /// Goal: the sizes of a backup are drawn as well.
  @Test func drawingOfBackup() async throws {
    let run = try await ProgramRun.run(["inspect", Self.backup, "--svg", "-"])
    #expect(run.exitCode == 0 && run.error.isEmpty, "\(run.error)")
    #expect(run.outputText.contains(">big_loaded&#10;table&#10;base/16384/16403&#10;8.6 MiB<"))
  }

  /// Goal: a key that no layer has is said to be missing, in text and JSON, and ends in 1.
  @Test func missingKey() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let key = "000000067F000040000000FFFF0000000000"
    let run = try await ProgramRun.run(["inspect", path, "--key", key])
    #expect(run.exitCode == 1)
    #expect(run.outputText.contains("\n  not found in any layer\n"))
    #expect(run.error == "error: key '\(key)' was not found in any layer [key-not-found]\n")
    let json = try await ProgramRun.run(["inspect", path, "--key", key, "--json"])
    #expect(json.outputText.contains(#""code":"key-not-found""#))
    let timeline = try JSONDecoder().decode(TimelineDescription.self, from: json.output)
    #expect(json.exitCode == 1 && timeline.key?.isFound == false)
    let present = try await ProgramRun.run([
      "inspect", path, "--key", "030000000000000000000000000000000000", "--json",
    ])
    let found = try JSONDecoder().decode(TimelineDescription.self, from: present.output)
    #expect(present.exitCode == 0 && found.key?.isFound == true)
  }

  /// Goal: a backup that cannot be imported is shown with the error that an import ends with.
  @Test func notImportable() async throws {
    let backup = Fixture.path("clean-18.tar.zst")
    let directory = try TemporaryDirectory()
    let refused = try await ProgramRun.run([backup, "--output", directory.path + "/out"])
    let run = try await ProgramRun.run(["inspect", backup, "--json"])
    #expect(run.exitCode == 0)
    let description = try JSONDecoder().decode(BackupDescription.self, from: run.output)
    let refusal = try #require(description.refusal)
    #expect(refused.exitCode == refusal.exitCode)
    #expect(
      refused.errorAfterStart
        == "error: \(refusal.error) [\(refusal.code)]\nhint: \(refusal.hint ?? "")\n")
    let text = try await ProgramRun.run(["inspect", backup]).outputText
    #expect(text.contains("\ncannot be imported (exit code 69): \(refusal.error)\nhint: "))
  }

  /// Goal: a damaged layer does not hide the others, and ends in exit code 65.
  @Test func damagedLayer() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let image = try #require(
      try FileManager.default.contentsOfDirectory(atPath: path).first {
        $0.contains("__00000000000FFFF8")
      })
    try Data(count: 8192).write(to: URL(filePath: path + "/" + image))
    let run = try await ProgramRun.run(["inspect", path])
    #expect(run.exitCode == 65)
    #expect(run.error.hasPrefix("error: layer '"))
    #expect(run.outputText.contains("  damaged  "))
    #expect(run.outputText.contains("base/16384/16403 blocks 0–509"))
  }

  /// Goal: a path that is neither a backup nor a timeline, and options that do not fit it, are
  /// refused.
  @Test(
    arguments: [
      ([], 64, "no backup or timeline given"),
      (["a", "b"], 64, "unexpected argument 'b'"),
      (["/nowhere"], 66, "cannot open '/nowhere'"),
      (["/usr/bin"], 66, "'/usr/bin' has no 'index_part.json-"),
      (["/dev/null"], 65, "empty"),
      ([backup, "--key", "00"], 64, "neither keys nor layers"),
      ([backup, "--svg-layers", "/nowhere/x"], 64, "draws a timeline"),
      ([backup, "--svg", ""], 64, "option '--svg' needs a value"),
      ([backup, "--svg", "-", "--json"], 64, "'--svg -' and '--json' both write"),
      ([backup, "--svg-layers", "-", "--svg", "-"], 64, "both write to standard output"),
    ] as [([String], Int32, String)])
  func refusals(arguments: [String], code: Int32, message: String) async throws {
    let run = try await ProgramRun.run(["inspect"] + arguments)
    #expect(run.exitCode == code)
    #expect(run.output.isEmpty || arguments.contains("--json"))
    #expect(run.error.hasPrefix("error: ") && run.error.contains(message), "\(run.error)")
  }

  /// Goal: a data directory is recognised, and shown like a tar of it.
  /// Method: inspect the tar and what it unpacks to, and compare all but the lines of the input.
  @Test func dataDirectory() async throws {
    let directory = try TemporaryDirectory()
    let tar = directory.path + "/backup.tar"
    let data = directory.path + "/data"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: tar))
    try SmallBackup.tar.unpack(into: data)
    var texts: [[String]] = []
    for path in [tar, data] {
      let run = try await ProgramRun.run(["inspect", path])
      #expect(run.exitCode == 0, "\(run.error)")
      let lines = run.outputText.split(separator: "\n").map(String.init)
      let kind = lines.first { $0.hasPrefix("  kind ") }
      #expect(
        kind?.hasSuffix(path == tar ? "clean shutdown" : "clean shutdown, data directory") == true)
      texts.append(
        lines.filter { line in
          !["backup ", "  kind ", "  files "].contains { line.hasPrefix($0) }
        })
    }
    #expect(texts[0] == texts[1] && texts[0].count > 20)

    let keys = try await ProgramRun.run(["inspect", data, "--layer", "1"])
    #expect(keys.exitCode == 64 && keys.error.contains("neither keys nor layers"))
    let stripped = try await ProgramRun.run(["inspect", data, "--strip-components", "1"])
    #expect(stripped.exitCode == 64 && stripped.error.contains("'--strip-components' is for tars"))
  }

  /// Goal: a wrong key or layer of a timeline is refused before anything is printed.
  @Test(arguments: [["--key", "12"], ["--layer", "9"], ["--layer", "nonsense"]])
  func unknownParts(arguments: [String]) async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.timeline(in: directory)
    let run = try await ProgramRun.run(["inspect", path] + arguments)
    #expect(run.exitCode == 64)
    #expect(run.output.isEmpty)
  }
}
