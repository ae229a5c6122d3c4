import System
import TestSupport
import Testing

@testable import import_backup

/// The command line that is shown below a hint.
@Suite struct GivenCommandTests {
  /// The words that bash makes of a line, for a program that prints them.
  private static func words(_ line: String) throws -> [String] {
    let output = try Shell.output("bash", "-c", "printf '%s\\0' \(line)")
    return String(decoding: output, as: UTF8.self).split(
      separator: "\0", omittingEmptySubsequences: false
    ).dropLast().map(String.init)
  }

  /// Goal: bash reads every word as it was given, and the line is one line. Method: words with what
  /// a shell and a terminal treat specially.
  @Test(arguments: [
    "plain", "", "it's $HOME", "a b\tc", "new\nline", "back\\slash", "'", "$'x'", "*", "~/x", "#",
    "é猫", "\u{202E}reversed", "\u{1B}[31m", "--name=va lue", "a'b\u{7}'c", "!x", "{a,b}",
  ])
  func quoting(word: String) throws {
    let quoted = GivenCommand.quoted(word)
    #expect(quoted.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    #expect(!quoted.unicodeScalars.contains("\u{202E}"))
    #expect(try Self.words(quoted) == [word])
  }

  /// Goal: the backup is found among the words, whatever comes before and after it, and options are
  /// added where they count. Method: each form of an option before the backup.
  @Test(arguments: [
    (["b", "-o", "b"], ["new", "-o", "b", "--force"]),
    (["-o", "b", "b"], ["-o", "b", "new", "--force"]),
    (["-ob", "b"], ["-ob", "new", "--force"]),
    (["-fo", "b", "b"], ["-fo", "b", "new", "--force"]),
    (["--output=b", "b"], ["--output=b", "new", "--force"]),
    (["--output", "b", "b"], ["--output", "b", "new", "--force"]),
    (["--outp", "b", "b"], ["--outp", "b", "new", "--force"]),
    (["import", "-f", "b", "-o", "b"], ["import", "-f", "new", "-o", "b", "--force"]),
    (["-o", "x", "--", "b"], ["--force", "-o", "x", "--", "new"]),
    (["import", "-o", "x", "--", "-b"], ["import", "--force", "-o", "x", "--", "new"]),
    (["-o", "-", "-"], ["-o", "-", "new", "--force"]),
  ])
  func backup(words: [String], expected: [String]) throws {
    let given = GivenCommand(words: ["import-backup"] + words)
    let line = try #require(given.line(with: Remedy(backup: "new", options: ["--force"])))
    #expect(try Self.words(line) == ["import-backup"] + expected)
  }

  /// Goal: a filter reads the file that was given, and the program its output.
  @Test func filter() throws {
    let given = GivenCommand(words: ["./import-backup", "my file.tar", "-o", "out"])
    #expect(
      given.line(with: Remedy(filter: ["bzip2", "-dc"]))
        == "bzip2 -dc 'my file.tar' | ./import-backup - -o out")
    let piped = GivenCommand(words: ["import-backup", "-", "-o", "out"])
    #expect(piped.line(with: Remedy(filter: ["bzip2", "-dc"])) == nil)
  }

  /// Goal: a command is shown only if it can be followed. Method: commands without the options, with an
  /// option's name cut short, or whose backup is the value of an option.
  @Test func otherCommands() {
    let verify = GivenCommand(words: ["import-backup", "verify", "t", "--against", "b"])
    #expect(verify.line(with: Remedy(options: ["--force"])) == nil)
    #expect(verify.line(with: Remedy(backup: "c")) == "import-backup verify t --against c")
    let joined = GivenCommand(words: ["import-backup", "verify", "t", "--against=b"])
    #expect(joined.line(with: Remedy(backup: "c")) == "import-backup verify t --against=c")
    let short = GivenCommand(words: ["import-backup", "verify", "t", "--again", "b"])
    #expect(short.line(with: Remedy(backup: "c")) == nil)
    #expect(
      verify.line(with: Remedy(options: ["--strip-components", "1"]))
        == "import-backup verify t --against b --strip-components 1")
    let inspect = GivenCommand(words: ["import-backup", "inspect", "b"])
    #expect(inspect.line(with: Remedy(options: ["--recover-with", "x"])) == nil)
  }
}
