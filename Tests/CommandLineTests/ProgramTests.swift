import Foundation
import TestSupport
import Testing

/// Goal: streams, messages and exit codes are as documented.
@Suite(.timeLimit(.minutes(10)))
struct ProgramTests {
  /// Method: the requested text is on standard output, and nothing is on standard error.
  @Test(arguments: [
    (["--help"], "Usage:\n"), (["import", "--help"], "Usage: import-backup [import] BACKUP"),
    (["help"], "Usage:\n"), (["help", "import"], "Usage: import-backup [import] BACKUP"),
    (["help", "--man"], ".Dd "), (["--man"], ".Dd "), (["version"], "import-backup "),
    (["--completions"], "_import_backup() {"),
    (["--completions", "zsh"], "#compdef import-backup"),
    (["help", "--completions", "bash"], "_import_backup() {"), (["--version"], "import-backup "),
    (["-V"], "import-backup "),
  ])
  func results(arguments: [String], beginning: String) async throws {
    let run = try await ProgramRun.run(arguments)
    #expect(run.exitCode == 0)
    #expect(run.outputText.hasPrefix(beginning))
    #expect(run.error.isEmpty)
  }

  /// Method: wrong usage is an error line, a hint line and exit code 64; nothing is written.
  @Test(arguments: [
    (
      [], "no backup given [missing-argument]",
      "For example: import-backup backup.tar.zst --output storage. "
    ),
    (["imprt", "a"], "unknown command 'imprt' [unknown-command]", "Did you mean 'import'? "),
    (
      ["help", "improt"], "unknown command 'improt' [unknown-command]", "Did you mean 'import'? "
    ),
    (
      ["a.tar", "--ouput", "b"], "unknown option '--ouput' [unknown-option]",
      "Did you mean '--output'? "
    ),
    (["info", "a"], "unknown command 'info' [unknown-command]", "Did you mean 'inspect'? "),
    (["man"], "unknown command 'man' [unknown-command]", "Did you mean 'help --man'? "),
    (
      ["s3://b/p"], "'s3://b/p' is a URL, not a path [url-unsupported]",
      "Copy it to a local file first, or pipe a tar in with 'aws s3 cp URL - | import-backup - ...'. "
    ),
    (
      ["help", "--completions", "fish"],
      "there are no completions for 'fish' [unexpected-argument]", "Give 'bash' or 'zsh'. "
    ),
    (
      ["a.tar", "-o", "b", "--jobs", "0"],
      "option '--jobs' must be a number from 1 to 256, not '0' [bad-option]",
      ""
    ),
  ])
  func wrongUsage(arguments: [String], message: String, hint: String) async throws {
    let run = try await ProgramRun.run(arguments)
    #expect(run.exitCode == 64)
    #expect(run.error == "error: \(message)\nhint: \(hint)See 'import-backup --help'.\n")
    #expect(run.output.isEmpty)
  }

  /// Method: wrong options of a command other than the default point to that command's help.
  @Test(
    arguments: [
      (["verify", "a", "--frce"], "verify"), (["inspect", "a", "--svg", ""], "inspect"),
      (["inspect", "a", "--svg", "-", "--json"], "inspect"), (["export", "a", "b"], "export"),
      (["inspect", "/dev/null", "--key", "1"], "inspect"),
    ] as [([String], String)])
  func wrongUsage(arguments: [String], command: String) async throws {
    let run = try await ProgramRun.run(arguments)
    #expect(run.exitCode == 64)
    #expect(run.error.hasSuffix("See 'import-backup \(command) --help'.\n"), "\(run.error)")
  }

  /// Method: two forms of help together, and one form for a single command, are refused.
  @Test(arguments: [["help", "--man", "--completions"], ["help", "verify", "--man"]])
  func formsOfHelp(arguments: [String]) async throws {
    let run = try await ProgramRun.run(arguments)
    #expect(run.exitCode == 64)
    #expect(run.output.isEmpty)
  }

  /// Method: a word that is nearly a command is still a backup if a file has that name.
  @Test func aFileIsNoCommand() async throws {
    let run = try await ProgramRun.run(
      [],
      script: #"""
        directory=$(mktemp -d); trap 'rm -r "$directory"' EXIT
        cd "$directory"; : > imprt; : > version; "$@" imprt; "$@" version
        """#)
    #expect(run.exitCode == 64)
    let errors = run.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }
    #expect(errors.count == 2)
    #expect(errors.allSatisfy { $0.hasPrefix("error: option '--output' is required") })
  }

  /// Method: an argument that is not UTF-8; Swift's own list of arguments would repair it.
  @Test func argumentsThatAreNotText() async throws {
    let run = try await ProgramRun.run([], script: #""$@" -o out $'backup\xff.tar'"#)
    #expect(run.exitCode == 64)
    #expect(run.error.hasPrefix("error: argument 3 is not UTF-8 [argument-not-utf8]\nhint: "))
  }

  /// Goal: an object is printed on every failure that '--json' is given with. Method: with a value, which it
  /// does not take, and for the command that does not have it.
  @Test(arguments: [
    (["list", "--json=1", "."], "bad-option"), (["--json=1"], "bad-option"),
    (["help", "--json"], "unknown-option"), (["help", "import", "--json=1"], "unknown-option"),
  ]) func jsonInAWrongLine(arguments: [String], code: String) async throws {
    let run = try await ProgramRun.run(arguments)
    #expect(run.exitCode == 64 && run.error.contains("[\(code)]"), "\(run.error)")
    #expect(run.outputText.contains(#""code":"\#(code)""#), "\(run.outputText)")
    try ResultSchema.check(run.output)
  }

  /// Goal: a directory that is neither a backup nor a timeline ends with 66, and the hint is of use.
  /// Method: an empty one and none at all, to every command and with recovery; a timeline's that the
  /// user may not read.
  @Test func wrongDirectories() async throws {
    let directory = try TemporaryDirectory()
    for path in [directory.path + "/empty", directory.path + "/none"] {
      for arguments in [
        [path, "-o", "out"], [path, "-o", "out", "--recover-with", "/usr/bin"],
        ["verify", path], ["export", path], ["inspect", path], ["publish", path],
        ["attach", path, "--controller", "http://127.0.0.1:1"],
        ["publish", path + "/tenants/" + String(repeating: "a", count: 32)],
      ] {
        let run = try await ProgramRun.run(
          arguments, script: #"mkdir -p empty; "$@" | cat; exit ${PIPESTATUS[0]}"#,
          directory: directory.path)
        #expect(run.exitCode == 66, "\(arguments): \(run.error)")
      }
    }
    let token = try await ProgramRun.run([
      "status", directory.path, "--controller", "http://127.0.0.1:1",
      "--token-file", directory.path + "/none",
    ])
    #expect(token.exitCode == 66 && token.error.contains("/none'"), "\(token.error)")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names == ["empty"])
  }

  /// Method: root makes a directory of its own, and becomes somebody else.
  @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
  func timelineOfAnotherUser() async throws {
    let run = try await ProgramRun.run(
      [],
      script: #"""
        directory=$(mktemp -d); trap 'rm -r "$directory"' EXIT; mkdir "$directory/timeline"
        cp "$1" "$directory/program"; chmod 711 "$directory"; chmod 700 "$directory/timeline"
        chmod 755 "$directory/program"
        setpriv --reuid=nobody --clear-groups "$directory/program" verify "$directory/timeline"
        """#)
    #expect(run.exitCode == 66, "\(run.error)")
    #expect(
      run.error.contains(
        "Permission denied [input-permission-denied]\nhint: Only the user who ran the import "))
    #expect(!run.error.contains("Give the directory of a timeline"))
  }

  /// Method: standard output is full or closed, or its reader has exited: exit code 74, no signal.
  @Test(arguments: [
    (#""$@" > /dev/full"#, "No space left on device [no-space]"),
    (#""$@" >&-"#, "Bad file descriptor [write-failed]"),
    (#"exec 3> >(exec true); wait $!; "$@" >&3"#, "Broken pipe [broken-pipe]"),
  ])
  func outputThatCannotBeWritten(script: String, cause: String) async throws {
    let run = try await ProgramRun.run(["--help"], script: script)
    #expect(run.exitCode == 74)
    #expect(run.error == "error: cannot write to standard output: \(cause)\n")
  }

  /// Method: with standard error closed there is no message, but the same exit code.
  @Test func errorsThatCannotBeWritten() async throws {
    let run = try await ProgramRun.run([], script: #""$@" 2>&-"#)
    #expect(run.exitCode == 64)
    #expect(run.output.isEmpty)
  }

  /// Method: `script` from util-linux runs the program with a terminal as standard input.
  @Test func aTerminalIsNoBackup() async throws {
    let run = try await ProgramRun.run(
      [], script: #"script -qec "$1 - --output out" /dev/null < /dev/null"#)
    #expect(run.exitCode == 64)
    #expect(
      run.outputText.contains(
        "error: standard input is a terminal, not a backup [terminal-refused]\r\n"))
  }
}
