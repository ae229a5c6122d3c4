import Foundation
import TestSupport
import Testing

/// Progress as people and scripts see it: real runs, whose input stops in the middle.
@Suite struct ProgressTests {
  private static let ids = [
    "--tenant-id", Scene.tenantID, "--timeline-id", Scene.timelineID,
  ]

  private static func importing(_ more: String...) -> [String] {
    ["-", "--output", "out"] + ids + more
  }

  /// Goal: a log has the timeline's path first, each phase, and in between that it waits.
  /// Method: the pipe goes on once the log says so.
  @Test func plain() async throws {
    let pipe = try SlowPipe()
    let run = try await pipe.run(
      Self.importing("--progress", "plain"), then: "until_seen 'waiting for input'")
    #expect(run.exitCode == 0)
    let lines = try pipe.error().split(separator: "\n").filter { $0.hasPrefix("progress: ") }
    #expect(
      lines.first
        == "progress: importing into '\(pipe.directory.path)/out/\(Scene.timeline)', generation 1")
    #expect(lines.dropFirst().first == "progress: reading")
    let waiting = try #require(lines.first { $0.contains("waiting for input 0:") })
    #expect(waiting.hasPrefix("progress: reading 0:"))
    #expect(
      waiting.hasSuffix(
        ", 3.0 MiB, waiting for input \(Self.clock(waiting)), \(SlowPipe.name)"))
    #expect(lines.contains { $0.hasPrefix("progress: reading done in ") })
    #expect(lines.contains("progress: finishing"))
    #expect(lines.last?.hasPrefix("progress: ended after 0:") == true)
  }

  /// The time after `waiting for input`.
  private static func clock(_ line: Substring) -> Substring {
    let words = line.split(separator: " ")
    guard let index = words.firstIndex(of: "input") else { return "" }
    return words[index + 1].dropLast()
  }

  /// Goal: every line is an event; the first has the ids, and with `--input-size` there is a total.
  @Test func json() async throws {
    struct Event: Decodable {
      var event: String
      var seconds: Double
      var command: String?
      var timelinePath: String?
      var tenantID: String?
      var timelineID: String?
      var generation: UInt32?
      var phase: String?
      var doneByteCount: UInt64?
      var totalByteCount: UInt64?
      var waitingFor: String?
      var item: String?
    }
    let pipe = try SlowPipe()
    let run = try await pipe.run(
      Self.importing(
        "--progress", "json", "--json", "--input-size", "\(pipe.byteCount)", "--generation", "7"),
      then: #"until_seen '"waitingFor":"input"'"#)
    #expect(run.exitCode == 0)
    let events = try pipe.error().split(separator: "\n").map {
      try JSONDecoder().decode(Event.self, from: Data($0.utf8))
    }
    let first = try #require(events.first)
    #expect(first.event == "start" && first.command == "import" && first.generation == 7)
    #expect(first.timelinePath == pipe.directory.path + "/out/" + Scene.timeline)
    #expect(first.tenantID == Scene.tenantID && first.timelineID == Scene.timelineID)
    #expect(events.filter { $0.event == "phase" }.map(\.phase) == ["reading", "finishing"])
    #expect(events.filter { $0.event == "phaseEnd" }.map(\.phase) == ["reading", "finishing"])
    let waiting = try #require(events.first { $0.waitingFor == "input" })
    #expect(waiting.event == "progress" && waiting.phase == "reading")
    #expect(waiting.totalByteCount == UInt64(pipe.byteCount))
    #expect(waiting.doneByteCount == 3 << 20)
    #expect(waiting.item == SlowPipe.name)
    #expect(events.last?.event == "end")
    #expect(zip(events, events.dropFirst()).allSatisfy { $0.seconds <= $1.seconds + 1 })
  }

  /// Goal: SIGUSR1 gives a line of progress, in every command and without a terminal. Method: ask
  /// each command that reads from a pipe while it waits.
  @Test(arguments: ["import", "inspect", "verify"]) func asked(command: String) async throws {
    let pipe = try SlowPipe()
    var arguments = [command, "-"]
    if command == "import" { arguments = Self.importing("--quiet") }
    if command == "verify" {
      let imported = try await ProgramRun.run(
        ["backup.tar", "--output", "out"] + Self.ids, directory: pipe.directory.path)
      try #require(imported.exitCode == 0, "\(imported.error)")
      arguments = ["verify", "out/" + Scene.timeline, "--against", "-"]
    }
    let run = try await pipe.run(
      arguments,
      then: """
        until grep --quiet --line-regexp progress /proc/$program/task/*/comm; do sleep 0.05; done
        until kill -USR1 $program; grep --quiet '^progress: .*large' error; do sleep 0.3; done
        """)
    let error = try pipe.error()
    #expect(run.exitCode == 0, "\(error)")
    let line = try #require(error.split(separator: "\n").first { $0.contains("large") })
    #expect(
      line.hasPrefix("progress: \(command == "verify" ? "comparing" : "reading") 0:"), "\(line)")
  }

  /// Goal: the line on a terminal fits, follows a change of its width, and is gone in the end; the
  /// path of the timeline comes before it. Method: 80 and 40 columns, then 60, then a note is asked
  /// for with SIGUSR1.
  @Test(arguments: [80, 40]) func bar(columns: Int) async throws {
    let pipe = try SlowPipe()
    let run = try await pipe.run(
      Self.importing(),
      then: """
        until_seen 'waiting for input'
        stty --file "$(< terminal)" cols 60
        until_seen 'waiting for input [0-9:]*  log/large'
        until kill -USR1 "$(< number)"; grep --quiet --text 'progress: reading' error
        do sleep 0.3; done
        """,
      run: """
        { printf 'tty > terminal; echo $$ > number; stty cols \(columns); exec '
          printf '%q ' "$@"; echo '< pipe'; } > run
        TERM=xterm script --quiet --return --flush --command 'bash run' error \
          < /dev/null > /dev/null 3>&-
        """)
    #expect(run.exitCode == 0, "\(run.error)")
    let text = try pipe.error()
    let eraser = "\r\u{1B}[K"
    let pieces = text.components(separatedBy: eraser)
    #expect(pieces.first?.contains("progress: importing into '\(pipe.directory.path)/out/") == true)
    let drawn = pieces.dropFirst().filter { !$0.contains("\n") && !$0.isEmpty }
    #expect(drawn.allSatisfy { $0.hasPrefix("reading 0:") || $0.hasPrefix("finishing 0:") })
    #expect(drawn.allSatisfy { $0.count < max(columns, 60) })
    let waiting = try #require(drawn.first { $0.contains("waiting for input 0:0") })
    #expect(waiting.count < columns)
    #expect(pieces.contains { $0.hasPrefix("progress: reading 0:") })
    let end = try #require(pieces.last)
    #expect(end.contains("imported Postgres 15"), "\(end)")
  }

  /// Goal: an export that nobody takes says so. Method: a pipe that is read once the log has said it.
  @Test func waitingForOutput() async throws {
    let scene = try Scene()
    let imported = try await scene.run()
    try #require(imported.exitCode == 0, "\(imported.error)")
    let run = try await ProgramRun.run(
      ["export", scene.output + "/" + Scene.timeline, "--progress", "json"],
      script: """
        mkfifo pipe; exec 3<> pipe; "$@" > pipe 2> error 3>&- & program=$!
        until grep --quiet '"waitingFor":"output"' error; do sleep 0.05; done
        cat < pipe > /dev/null 3>&- & exec 3>&-; wait $program
        """, directory: scene.directory.path)
    #expect(run.exitCode == 0, "\(run.error)")
  }

  /// Goal: a recovery whose restore command takes its time says so. Method: a command that ends once the log has
  /// said it, with the answer that there is no such file.
  @Test func waitingForWAL() async throws {
    let scene = try CodeScene()
    let run = try await scene.recovering(
      [
        "--restore-command",
        "until grep --quiet '\"waitingFor\":\"WAL\"' '\(scene.path)/error'; do sleep 0.05; done; exit 1",
        "--assume-snapshot", "--progress", "json",
      ], program: CodeScene.asksForWAL, script: "\"$@\" 2> error")
    #expect(
      run.exitCode == 65 && run.outputText.contains("\"recovery-failed\""), "\(run.outputText)")
  }

  /// Goal: only what was asked for is written. Method: `--quiet` and `none` on a terminal, and no
  /// option without one.
  @Test func nothing() async throws {
    let scene = try Scene()
    let script = #"TERM=xterm script --quiet --return --command "$*" /dev/null < /dev/null"#
    for (more, script) in [
      (["--quiet"], script), (["--progress", "none", "--quiet"], script), (["--quiet"], #""$@""#),
    ] {
      let run = try await ProgramRun.run(scene.arguments(more + ["--force"]), script: script)
      #expect(run.exitCode == 0, "\(run.error)")
      #expect(!run.outputText.contains("\r\u{1B}") && !run.error.contains("progress"))
    }
    let run = try await ProgramRun.run(
      scene.arguments(["--force", "--progress", "plain"]))
    #expect(run.error.hasPrefix("progress: importing into "))
  }

  /// Goal: who looks at a log knows from the start what is written, and reads it once. Method: no terminal
  /// and no options; `--quiet`, which leaves only this, at the end; `--json`, which has it in the object.
  @Test func start() async throws {
    let scene = try Scene()
    let path = "'\(scene.output)/\(Scene.timeline)'"
    let text = try await ProgramRun.run(scene.arguments().filter { $0 != "--quiet" })
    #expect(text.error.hasPrefix("note: importing into \(path), generation 1\n"), "\(text.error)")
    #expect(text.error.components(separatedBy: path).count == 2)
    #expect(text.errorAfterStart.hasPrefix("note: small relations are in "))
    let quiet = try await scene.run(with: ["--force"])
    #expect(quiet.error == "note: the timeline is \(path)\n")
    let json = try await scene.run(with: ["--force", "--json"])
    #expect(json.exitCode == 0 && json.error.isEmpty, "\(json.error)")
  }

  /// Goal: every command says by name what it does. Method: the phases in the log of each.
  @Test func phases() async throws {
    let scene = try Scene()
    let timeline = scene.output + "/" + Scene.timeline
    let expected = [
      (scene.arguments(), ["reading", "finishing"]),
      (["verify", timeline], ["verifying layers"]),
      (["verify", timeline, "--against", scene.backup], ["verifying layers", "comparing"]),
      (["inspect", timeline], ["reading layers"]), (["inspect", scene.backup], ["reading"]),
      (["export", timeline], ["reading indexes", "exporting", "finishing"]),
    ]
    for (arguments, phases) in expected {
      let run = try await ProgramRun.run(
        arguments + ["--quiet", "--progress", "plain"], script: #""$@" > /dev/null"#)
      #expect(run.exitCode == 0, "\(run.error)")
      let lines = run.error.split(separator: "\n").filter { $0.hasPrefix("progress: ") }
      for phase in phases {
        #expect(lines.contains("progress: \(phase)"), "\(run.error)")
        #expect(lines.contains { $0.hasPrefix("progress: \(phase) done in ") }, "\(run.error)")
      }
      #expect(lines.count >= 2 * phases.count + 1)
    }
  }
}
