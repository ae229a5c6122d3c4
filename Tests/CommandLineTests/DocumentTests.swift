import Foundation
import TestSupport
import Testing

/// Goal: every command in `README.md` and `Docs` works as it stands there.
@Suite struct DocumentTests {
  private static let scripts = DocumentPage.root + "/Tests/Documents"

  /// Whether the programs are there that the commands use.
  static let canRun =
    PostgresServer.programs == "/usr/lib/postgresql/15/bin" && StoreServer.areInstalled
    && ["pgbackrest", "barman", "barman-cloud-backup", "rclone", "jq", "zstd", "perl"].allSatisfy {
      program in
      FileManager.default.isExecutableFile(atPath: "/usr/bin/" + program)
    }

  /// Backups, timelines and a cluster, once for all pages.
  private static let prepared = Task { () throws -> TemporaryDirectory in
    let directory = try TemporaryDirectory()
    _ = try PostgresServer.shell(
      #"exec "$@""#,
      [
        scripts + "/prepare", directory.path + "/prepared", ProgramRun.path,
        Fixture.path("clean-15-minimal-promoted.tar.zst"),
      ] + Sandboxing.options, directory.path)
    return directory
  }

  /// Runs blocks of commands one after the other, in a directory that has what they name (`Tests/Documents`).
  private static func run(_ blocks: [(name: String, text: String)]) async throws -> ProgramRun {
    let prepared = try await prepared.value.path + "/prepared"
    let directory = try TemporaryDirectory()
    var environment: [String: String] = [:]
    if blocks.contains(where: { $0.text.contains(/s3:\/\/|store:/) }) {
      let server = try await StoreServer.shared(.ceph)
      environment = server.environment
      environment["STORE_URL"] = server.url
      environment["STORE_BUCKET"] = "documents-\(UUID())".lowercased()
    }
    var files: [String] = []
    for block in blocks {
      files.append("\(directory.path)/\(block.name)")
      try block.text.write(toFile: files[files.count - 1], atomically: false, encoding: .utf8)
    }
    return try await ProgramRun.run(
      [scripts + "/run", prepared, directory.path + "/scene"] + files,
      script: #"chmod 755 . && mkdir scene && shift && exec "$@""#, environment: environment,
      directory: directory.path, timeLimit: .seconds(600))
  }

  /// Method: run the blocks of a page, in its order.
  @Test(
    .enabled(if: canRun, "what 'make deps' and 'make stores' install is not there"),
    arguments: DocumentPage.all.filter { !$0.commands.isEmpty })
  func commands(of page: DocumentPage) async throws {
    let run = try await Self.run(page.commands.map { ("line \($0.line)", $0.text) })
    #expect(run.exitCode == 0, "\(page): \(run.outputText)\(run.error)")
  }

  /// Goal: the examples for continuous integration, systemd and cron work. Method: run their commands, but
  /// for those that install packages, which `make check-deb` tries.
  @Test(
    .enabled(if: canRun, "what 'make deps' and 'make stores' install is not there"),
    arguments: ["github.yml", "gitlab.yml", "import-backup.service", "import-backup.cron"])
  func example(name: String) async throws {
    let file = DocumentPage.root + "/Docs/examples/" + name
    let text = String(decoding: try Shell.output(Self.scripts + "/steps", file), as: UTF8.self)
    #expect(text.contains("import-backup verify"))
    let run = try await Self.run([(name, text)])
    #expect(run.exitCode == 0, "\(run.outputText)\(run.error)")
  }

  /// Goal: systemd takes the units. Method: its own check, with the built program in place of the installed one.
  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"),
      "systemd is not installed"))
  func units() throws {
    let directory = try TemporaryDirectory()
    _ = try PostgresServer.shell(
      #"""
      sed -e "s|/usr/bin/import-backup|$2|" -e /^Documentation/d "$1.service" > import-backup.service
      cp "$1.timer" import-backup.timer
      systemd-analyze verify ./import-backup.service ./import-backup.timer
      """#, [DocumentPage.root + "/Docs/examples/import-backup", ProgramRun.path], directory.path)
  }

  /// Goal: no block of commands is passed over in silence. Method: the marks and the languages of all
  /// blocks; what looks like a command must be in a block of commands.
  @Test func marks() {
    for page in DocumentPage.all {
      #expect(page.strayComments.isEmpty, "\(page): lines \(page.strayComments)")
      for block in page.blocks {
        let place = "\(page.name), line \(block.line)"
        #expect(
          ["", "sh", "sql", "json", "ini", "yaml", "toml"].contains(block.language), "\(place)")
        if let reason = block.reasonNotToRun { #expect(reason.count >= 8, "\(place)") }
        guard block.language != "sh" else { continue }
        for line in block.text.split(separator: "\n")
        where line.hasPrefix("import-backup ") && !line.contains(/[\[{]|\.\.\./) {
          Issue.record("\(place): a command outside of a block of commands: \(line)")
        }
      }
    }
  }

  /// Goal: no link leads nowhere. Method: every link to a file of the project, with the headings of pages.
  @Test func links() throws {
    for page in DocumentPage.all {
      for match in page.text.matches(of: /\]\(([^)\s]+)\)/) where !match.1.contains(":") {
        let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let file = URL(filePath: DocumentPage.root + "/" + page.name)
        let target = parts[0].isEmpty ? file : URL(filePath: String(parts[0]), relativeTo: file)
        let place = "\(page.name): \(match.1)"
        #expect(FileManager.default.fileExists(atPath: target.path), "\(place)")
        guard parts.count == 2, target.pathExtension == "md" else { continue }
        let text = try String(contentsOf: target, encoding: .utf8)
        #expect(DocumentPage("", text: text).anchors.contains(String(parts[1])), "\(place)")
      }
    }
  }

  /// Goal: marks are found where they are, and only there. Method: a text of each kind.
  @Test func parsing() {
    let page = DocumentPage(
      "x",
      text: """
        <!-- not run: needs a reason -->

        ```sh
        a
        ```
        1. In a list:

           ```sh
           b
             c
           ```
        <!-- not run: belongs to nothing -->
        text
        ```
        d
        ```
        """)
    #expect(page.blocks.map(\.text) == ["a\n", "b\n  c\n", "d\n"])
    #expect(page.commands.map(\.line) == [8])
    #expect(page.blocks[0].reasonNotToRun == "needs a reason")
    #expect(page.strayComments == [12])
  }
}
