import Foundation
import Operations
import TestSupport
import Testing
import Timeline

/// Receipts of the built program, and copies that are checked by them.
@Suite struct ReceiptCommandTests {
  private static let tenant = String(repeating: "a", count: 32)
  private static let timeline = String(repeating: "b", count: 32)

  /// An import of the small backup with layers of each kind, and its receipt.
  private struct Imported {
    let directory: TemporaryDirectory
    let run: ProgramRun

    var output: String { directory.path + "/out" }
    var timeline: String {
      output + "/tenants/\(ReceiptCommandTests.tenant)/timelines/\(ReceiptCommandTests.timeline)"
    }
    var receipt: String { ReceiptCommandTests.receipt(in: output, generation: "00000001") }

    init(_ directory: TemporaryDirectory, _ more: [String] = []) async throws {
      self.directory = directory
      run = try await ReceiptCommandTests.importSmall(into: directory, more)
      try #require(run.exitCode == 0, "\(run.error)")
    }

    /// Copies the timeline under a name that says nothing.
    func copied() throws -> String {
      let copy = directory.path + "/copy"
      try FileManager.default.copyItem(atPath: timeline, toPath: copy)
      return copy
    }

    /// The names of the layers, the largest file first.
    func layers() throws -> [String] {
      let summary = try JSONDecoder().decode(ImportSummary.self, from: contents(receipt))
      return summary.layers.sorted { $0.byteCount > $1.byteCount }.map(\.name)
    }
  }

  private static func receipt(in output: String, generation: String) -> String {
    "\(output)/receipts/\(tenant)-\(timeline)-\(generation).json"
  }

  private static func importSmall(
    into directory: TemporaryDirectory, _ more: [String] = []
  ) async throws -> ProgramRun {
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: backup))
    return try await ProgramRun.run(
      [
        backup, "--output", directory.path + "/out", "--tenant-id", tenant, "--timeline-id",
        timeline,
        "--small-relation-size", "24K", "--image-layer-size", "1M", "--json",
      ] + more)
  }

  private static func contents(_ path: String) throws -> Data {
    try Data(contentsOf: URL(filePath: path))
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  /// Goal: the receipt is what standard output gets, and lists every file with its size and SHA-256.
  /// Method: compare the two, and let sha256sum(1) check the table in the timeline's directory.
  @Test func usual() async throws {
    let imported = try await Imported(try TemporaryDirectory())
    #expect(imported.run.error.isEmpty)
    #expect(try Self.contents(imported.receipt) == imported.run.output)
    let summary = try JSONDecoder().decode(ImportSummary.self, from: imported.run.output)
    #expect(summary.receiptPath == imported.receipt)
    #expect(summary.timelinePath == imported.timeline)
    #expect(summary.indexPath == imported.timeline + "/index_part.json-00000001")
    #expect(summary.databases.contains { $0.id == 5 && $0.name == "postgres" })
    let names = try FileManager.default.contentsOfDirectory(atPath: imported.timeline).sorted()
    let index = try #require(summary.index)
    #expect((summary.layers + [index]).map(\.name).sorted() == names)
    for file in summary.layers + [index] {
      #expect(try Self.contents(imported.timeline + "/" + file.name).count == Int(file.byteCount))
    }
    _ = try Shell.output(
      "bash", "-c",
      "cd '\(imported.timeline)' && sha256sum --check --strict '\(imported.receipt).sha256'")
    let table = String(decoding: try Self.contents(imported.receipt + ".sha256"), as: UTF8.self)
    #expect(table.count { $0 == "\n" } == names.count)
  }

  /// Goal: a copy is checked without the backup, wherever it is. Method: a copy under another name,
  /// in text and as JSON; and the timeline itself, which the receipt names.
  @Test func copy() async throws {
    let imported = try await Imported(try TemporaryDirectory())
    let copy = try imported.copied()
    let person = try await ProgramRun.run(["verify", copy, "--receipt", imported.receipt])
    #expect(person.exitCode == 0 && person.error.isEmpty, "\(person.error)")
    #expect(person.outputText.hasPrefix("verified Postgres 15 timeline, "))
    #expect(person.outputText.contains(" files compared with the receipt, "))
    let script = try await ProgramRun.run(["verify", "--receipt", imported.receipt, "--json"])
    #expect(script.exitCode == 0, "\(script.error)")
    let summary = try JSONDecoder().decode(VerifySummary.self, from: script.output)
    #expect(summary.timelinePath == imported.timeline)
    #expect(summary.tenantID == Self.tenant && summary.findingCount == 0)
    #expect(summary.comparedFileCount == (try imported.layers().count) + 1)
  }

  /// Method: the directory that `--output` named.
  @Test func outputRoot() async throws {
    let imported = try await Imported(try TemporaryDirectory())
    let root = imported.timeline.components(separatedBy: "/tenants/")[0]
    let run = try await ProgramRun.run(["verify", root, "--receipt", imported.receipt])
    #expect(run.exitCode == 66 && run.error.contains("[not-a-timeline]"), "\(run.error)")
  }

  /// Goal: damage of one shard is a finding. Method: a byte too many, by the path of the tenant.
  @Test func shards() async throws {
    let imported = try await Imported(try TemporaryDirectory(), ["--shards", "2"])
    let tenants = imported.output + "/tenants"
    _ = try Shell.output(
      "bash", "-c",
      "for file in \(Self.tenant)-0102/timelines/*/0*; do printf x >> $file; break; done",
      directory: tenants)
    let run = try await ProgramRun.run(
      ["verify", "\(tenants)/\(Self.tenant)", "--receipt", imported.receipt])
    #expect(
      run.exitCode == 1 && run.error.contains(" bytes, but the receipt says "), "\(run.error)")
    #expect(run.error.contains("\nhint: Copy these files again from where"), "\(run.error)")
  }

  /// Goal: what to do about a file too many is not what to do about one too few.
  @Test func fileTooMany() async throws {
    let imported = try await Imported(try TemporaryDirectory())
    try Data().write(to: URL(filePath: imported.timeline + "/other"))
    let run = try await ProgramRun.run(["verify", "--receipt", imported.receipt])
    #expect(
      run.exitCode == 1 && run.error.contains("\nhint: Remove what is not listed"), "\(run.error)")
  }

  /// Goal: a receipt of another timeline is no damage of this one. Method: the same backup under other ids, by
  /// the path of the timeline, of its tenant and of a link; then nothing there.
  @Test func otherTimeline() async throws {
    let directory = try TemporaryDirectory()
    let imported = try await Imported(directory)
    let (tenant, timeline) = (String(repeating: "3", count: 32), String(repeating: "4", count: 32))
    let run = try await Self.importSmall(
      into: directory, ["--tenant-id", tenant, "--timeline-id", timeline])
    #expect(run.exitCode == 0, "\(run.error)")
    let place = "\(directory.path)/out/tenants/\(tenant)/timelines/\(timeline)"
    _ = try Shell.output("ln", "-s", place, directory.path + "/link")
    for path in [place, "\(directory.path)/out/tenants/\(tenant)", directory.path + "/link"] {
      let run = try await ProgramRun.run(["verify", path, "--receipt", imported.receipt])
      #expect(run.exitCode == 64, "\(path): \(run.error)")
      #expect(
        run.error.contains("is of timeline '\(Self.timeline)' of tenant '\(Self.tenant)', not"))
    }
    try FileManager.default.removeItem(atPath: place)
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let empty = try await ProgramRun.run(["verify", place, "--receipt", imported.receipt])
    #expect(empty.exitCode == 66 && empty.error.contains("there is nothing in "), "\(empty.error)")
  }

  /// Goal: whatever differs in a copy is found, each with the name of its file. Method: change one
  /// thing after the other.
  @Test(arguments: [
    ("printf x >> LAYER", "file-size", " bytes, but the receipt says "),
    ("rm LAYER", "file-missing", " is missing"),
    (
      "printf x | dd of=LAYER bs=1 seek=9000 conv=notrunc status=none", "file-hash",
      "the SHA-256 of "
    ),
    ("printf ' ' >> INDEX", "file-size", " bytes, but the receipt says "),
    ("rm INDEX", "file-missing", " is missing"),
    ("cp INDEX index_part.json-00000002", "file-unlisted", " is not listed in the receipt"),
    ("touch other", "file-unlisted", "'other' is not listed in the receipt"),
    ("mkdir other", "file-unlisted", "'other' is not listed in the receipt"),
    ("rm LAYER; mkdir LAYER", "file-unreadable", " is not a regular file"),
    ("rm INDEX LAYER", "file-missing", " is missing"),
  ])
  func different(change: String, code: String, message: String) async throws {
    let imported = try await Imported(try TemporaryDirectory())
    let copy = try imported.copied()
    let script = change.replacing("LAYER", with: try #require(try imported.layers().first))
      .replacing("INDEX", with: "index_part.json-00000001")
    _ = try Shell.output("bash", "-c", "cd '\(copy)' && \(script)")
    let run = try await ProgramRun.run(["verify", copy, "--receipt", imported.receipt])
    #expect(run.exitCode == 1, "\(run.error)")
    #expect(run.error.contains("finding: ") && run.error.contains(message), "\(run.error)")
    #expect(run.error.contains("error: timeline '\(copy)' differs from its receipt: "))
    let json = try await ProgramRun.run(["verify", copy, "--receipt", imported.receipt, "--json"])
    #expect(json.exitCode == 1)
    let summary = try JSONDecoder().decode(VerifySummary.self, from: json.output)
    let finding = summary.findings.first { $0.message.contains(message) }
    #expect(finding?.code.rawValue == code, "\(summary.findings)")
    let names = summary.findings.map(\.message)
    #expect(Set(names).count == names.count, "a finding appears twice: \(names)")
  }

  /// Goal: the receipt goes where it is asked for, or nowhere. Method: a file; none; a file that
  /// exists, with and without `--force`; places that are refused.
  @Test func places() async throws {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/receipt.json"
    let given = try await Self.importSmall(into: directory, ["--receipt", file])
    #expect(given.exitCode == 0, "\(given.error)")
    #expect(try Self.contents(file) == given.output)
    #expect(Self.exists(file + ".sha256") && !Self.exists(directory.path + "/out/receipts"))

    let another = ["--timeline-id", String(repeating: "c", count: 32)]
    let refused = try await Self.importSmall(into: directory, ["--receipt", file] + another)
    #expect(refused.exitCode == 73)
    #expect(refused.error.contains("file '\(file)' already exists"), "\(refused.error)")
    #expect(try Self.contents(file) == given.output)
    let forced = try await Self.importSmall(
      into: directory, ["--receipt", file, "--force"] + another)
    #expect(forced.exitCode == 0, "\(forced.error)")
    #expect(try Self.contents(file) == forced.output)

    let none = try await Self.importSmall(into: directory, ["--receipt", "none", "--force"])
    #expect(none.exitCode == 0, "\(none.error)")
    #expect(!Self.exists(directory.path + "/out/receipts") && !Self.exists("none"))
    for (place, code) in [
      ("-", 64), ("", 64), (directory.path + "/out/tenants/receipt", 64),
      (directory.path + "/out/tenants/\(Self.tenant)/receipt", 64), ("/nowhere/receipt", 73),
      ("/dev/null", 73), (directory.path, 73),
    ] as [(String, Int32)] {
      let before = try directory.files()
      let run = try await Self.importSmall(
        into: directory, ["--receipt", place, "--force"] + another)
      #expect(run.exitCode == code, "\(place): \(run.error)")
      #expect(try directory.files() == before, "\(place)")
    }
  }

  /// Goal: a receipt is of the timeline that exists. Method: replace a timeline by one of another
  /// generation, with a receipt and without; import where receipts are left, and no timeline.
  @Test func replaced() async throws {
    let directory = try TemporaryDirectory()
    let first = try await Imported(directory)
    let old = try Self.contents(first.receipt)
    let refused = try await Self.importSmall(into: directory)
    #expect(refused.exitCode == 2)
    #expect(try Self.contents(first.receipt) == old)

    let second = try await Self.importSmall(into: directory, ["--generation", "10", "--force"])
    #expect(second.exitCode == 0, "\(second.error)")
    let names = { try FileManager.default.contentsOfDirectory(atPath: first.output + "/receipts") }
    let receipt = Self.receipt(in: first.output, generation: "0000000a")
    #expect(
      try Set(names())
        == ["", ".sha256"].reduce(into: []) { names, suffix in
          names.insert(URL(filePath: receipt + suffix).lastPathComponent)
        })
    let none = try await Self.importSmall(into: directory, ["--receipt", "none", "--force"])
    #expect(none.exitCode == 0, "\(none.error)")
    #expect(try names().isEmpty)

    _ = try await Self.importSmall(into: directory, ["--force"])
    try FileManager.default.removeItem(atPath: first.timeline)
    let again = try await Self.importSmall(into: directory, ["--generation", "2"])
    #expect(again.exitCode == 0, "\(again.error)")
    #expect(try names().allSatisfy { $0.contains("-00000002.json") })
  }

  /// Goal: what is no receipt is refused, and never leads to other files. Method: change its text.
  @Test func damagedReceipt() async throws {
    let imported = try await Imported(try TemporaryDirectory())
    let text = String(decoding: try Self.contents(imported.receipt), as: UTF8.self)
    let layer = try #require(try imported.layers().first)
    let path = imported.directory.path + "/receipt"
    for (changed, code, message) in [
      ("", 65, "does not begin with '{'"), (String(text.dropLast(20)), 65, "is not valid JSON"),
      (text.replacing("\"import\"", with: "\"verify\""), 65, "not of an import"),
      (text.replacing("\"schema\":2", with: "\"schema\":3"), 69, "schema 3 is not supported"),
      (text.replacing(layer, with: "../" + layer), 65, "is not the name of a layer"),
      (
        text.replacing("index_part.json-00000001\",\"sha", with: "x\",\"sha"), 65,
        "name of an index"
      ),
      (text.replacing("\"layers\"", with: "\"sheets\""), 65, "field 'layers'"),
      (text.replacing("\"sha256\":\"", with: "\"sha256\":\"A"), 65, "is not 64 hexadecimal digits"),
    ] as [(String, Int32, String)] {
      try Data(changed.utf8).write(to: URL(filePath: path))
      let run = try await ProgramRun.run(["verify", imported.timeline, "--receipt", path])
      #expect(run.exitCode == code && run.error.contains(message), "\(message): \(run.error)")
    }
    let missing = try await ProgramRun.run(["verify", "--receipt", "/nowhere"])
    #expect(missing.exitCode == 66 && missing.error.contains("--receipt"), "\(missing.error)")
    let neither = try await ProgramRun.run(["verify"])
    #expect(neither.exitCode == 64)
  }

  /// Goal: the script of the documents works. Method: run it on a real backup, and once on one that
  /// is refused.
  @Test func example() async throws {
    let directory = try TemporaryDirectory()
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Docs/examples/import-and-check.sh").standardizedFileURL
    func run(_ backup: String) async throws -> ProgramRun {
      try await ProgramRun.run(
        [backup, "storage", "copy"], script: "IMPORT_BACKUP=$1 exec '\(script.path)' \"${@:2}\"",
        directory: directory.path)
    }
    let good = try await run(Fixture.path("clean-15-minimal-promoted.tar.zst"))
    #expect(good.exitCode == 0, "\(good.error)")
    #expect(good.outputText.contains("\ndatabase 5 postgres\n"), "\(good.outputText)")
    #expect(good.error.contains("changed ("), "\(good.error)")
    let bad = try await run(Fixture.path("clean-18.tar.zst"))
    #expect(bad.exitCode == 1)
    #expect(bad.error.contains("import failed: "), "\(bad.error)")
    let second = try await run(Fixture.path("clean-15.tar.zst"))
    #expect(second.exitCode == 0, "\(second.error)")
    let list = try await ProgramRun.run(["list", directory.path + "/copy"])
    #expect(list.outputText.components(separatedBy: " complete ").count == 3, "\(list.outputText)")
  }
}
