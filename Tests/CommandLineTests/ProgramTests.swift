import Foundation
import TestSupport
import Testing

/// Goal: streams, messages and exit codes are as documented.
@Suite(.timeLimit(.minutes(1)))
struct ProgramTests {
  /// Method: the requested text is on standard output, and nothing is on standard error.
  @Test(arguments: [
    (["--help"], "Usage:\n"), (["import", "--help"], "Usage: import-backup [import] BACKUP"),
    (["help"], "Usage:\n"), (["help", "import"], "Usage: import-backup [import] BACKUP"),
    (["help", "--man"], ".Dd "), (["--version"], "import-backup "), (["-V"], "import-backup "),
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
        cd "$directory"; : > imprt; "$@" imprt
        """#)
    #expect(run.exitCode == 64)
    #expect(run.error.hasPrefix("error: option '--output' is required"))
  }

  /// Method: an argument that is not UTF-8; Swift's own list of arguments would repair it.
  @Test func argumentsThatAreNotText() async throws {
    let run = try await ProgramRun.run([], script: #""$@" -o out $'backup\xff.tar'"#)
    #expect(run.exitCode == 64)
    #expect(run.error.hasPrefix("error: argument 3 is not UTF-8 [argument-not-utf8]\nhint: "))
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
