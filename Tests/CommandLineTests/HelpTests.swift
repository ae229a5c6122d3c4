import Foundation
import System
import TestSupport
import Testing

@testable import import_backup

/// Goal: help, man page and completions have every option, and are valid for their readers.
struct HelpTests {
  /// Method: the usage of each option is in the help of its command; no line is wider than a page.
  @Test func helpNamesEveryOption() {
    for command in Program.commands {
      let text = HelpText.command(command)
      for option in command.describedOptions { #expect(text.contains(option.usage)) }
    }
    let overview = HelpText.overview()
    #expect(overview.contains("\nOptions of import:\n"))
    for line in overview.split(separator: "\n") { #expect(line.count <= HelpText.columns) }
    for code in ExitCode.allCases {
      #expect(overview.contains("\n  \(code.rawValue) "))
      #expect(overview.contains(code.meaning))
    }
  }

  /// Method: the names and letters of each command are unique.
  @Test func namesAreUnique() {
    for command in Program.commands {
      let options = command.describedOptions
      #expect(Set(options.map(\.name)).count == options.count)
      let letters = options.compactMap(\.letter)
      #expect(Set(letters).count == letters.count)
    }
  }

  /// Method: the requests of the man page are paired, and each line that begins with a dot is a
  /// request.
  @Test func manualPage() {
    let lines = ManualPage.text().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count { $0.hasPrefix(".Bl") } == lines.count { $0 == ".El" })
    let requests = lines.filter { $0.hasPrefix(".") }.map { $0.dropFirst().prefix(2) }
    let known: Set<Substring> = [
      "Dd", "Dt", "Os", "Sh", "Ss", "Nm", "Nd", "Op", "Cm", "Pp", "Bl", "It", "El", "Bd", "Ed",
      "Xr",
    ]
    for section in ["EXAMPLES", "SEE ALSO"] { #expect(lines.contains(".Sh \(section)")) }
    #expect(Set(requests).isSubset(of: known))
    for option in ImportCommand.describedOptions {
      #expect(lines.contains { $0.hasPrefix(".It") && $0.contains("Fl -\(option.name)") })
    }
  }

  /// Method: mandoc finds nothing wrong, and shows every variable as it is, and every example, whose
  /// lines bash takes for whole commands, in a window of 80 columns.
  @Test(.timeLimit(.minutes(10))) func manualPageAsItIsRead() async throws {
    let lint = try await ProgramRun.run(
      [], script: #""$@" help --man | mandoc -T lint -W warning"#)
    #expect(lint.exitCode == 0, "\(lint.outputText)\(lint.error)")
    let page = try await ProgramRun.run(
      [], script: #""$@" help --man | mandoc -T utf8 -O width=200 | col -b"#)
    #expect(page.exitCode == 0, "\(page.error)")
    let narrow = try await ProgramRun.run(
      [], script: #""$@" help --man | mandoc -T utf8 -O width=80 | col -bx"#)
    for (purpose, command) in ManualPage.examples {
      let lines = command.split(separator: "\n").map { String(repeating: " ", count: 11) + $0 }
      #expect(lines.allSatisfy { $0.count <= 80 })
      #expect(narrow.outputText.contains("\n" + lines.joined(separator: "\n") + "\n"), "\(command)")
      let pasted = try await ProgramRun.run([command], script: #"bash -n -c "$2""#)
      #expect(pasted.exitCode == 0 && pasted.error.isEmpty, "\(purpose) \(pasted.error)")
      let words = command.replacing("\\\n", with: "").split(separator: "\n")
      #expect(words.count == 1 || words[0].hasSuffix("|"), "\(command)")
    }
    for (name, meaning) in EnvironmentVariable.all {
      #expect(page.outputText.contains(name))
      #expect(page.outputText.contains(HelpText.sentence(meaning)))
    }
  }

  /// Goal: help fits the terminal. Method: several widths in `COLUMNS`; only what is to be copied
  /// may be longer.
  @Test(.timeLimit(.minutes(10)), arguments: [40, 66, 80, 100, 300])
  func widths(columns: Int) async throws {
    for arguments in [["--help"], ["import", "--help"], ["export", "--help"], ["inspect", "-h"]] {
      let run = try await ProgramRun.run(arguments, environment: ["COLUMNS": "\(columns)"])
      #expect(run.exitCode == 0)
      let lines = run.outputText.split(separator: "\n")
      for line in lines where !line.contains("import-backup ") {
        #expect(line.count <= min(columns, 100), "\(line)")
      }
      #expect(lines.contains { $0.count > min(columns, 100) * 3 / 4 })
    }
    let unset = try await ProgramRun.run(["--help"], script: #"env -u COLUMNS "$@""#)
    let usual = try await ProgramRun.run(["--help"], environment: ["COLUMNS": "80"])
    #expect(unset.output == usual.output)
  }

  /// Method: prose is broken; quotes and commands are not, and what follows the first line is left.
  @Test func hints() {
    let hint = """
      Let Postgres recover a copy of it, and import that: import-backup 'my backup' --output out \
      --recover-with /usr/lib/postgresql/15/bin
      """
    #expect(
      HelpText.hint(hint, columns: 30) == [
        "hint: Let Postgres recover a", "copy of it, and import that:",
        "import-backup 'my backup' --output out --recover-with /usr/lib/postgresql/15/bin",
      ])
    #expect(
      HelpText.hint("Did you mean it? See 'import-backup verify --help'.", columns: 30)
        == ["hint: Did you mean it? See", "'import-backup verify --help'."])
    #expect(HelpText.hint("One.\n  two two two", columns: 10) == ["hint: One.", "  two two two"])
    let quotes = "A word's quote 'b c', '' and 'd' e f"
    #expect(
      HelpText.wrapped(quotes, columns: 1)
        == ["A", "word's", "quote", "'b c',", "''", "and", "'d'", "e", "f"])
  }

  /// Method: zsh parses the script, and its completion system completes words with it.
  @Test(
    .timeLimit(.minutes(10)),
    arguments: [
      ("import-backup --tim", ["--timeline-id"]), ("import-backup ver", ["verify"]),
      ("import-backup verify --aga", ["--against"]),
      ("import-backup x --page-checksums ", ["skip", "verify", "warn"]),
      ("import-backup verify x --progress pl", ["plain"]),
      ("import-backup export x --output=st", ["store", "store.tar"]),
      ("import-backup x -o st", ["store"]), ("import-backup verify st", ["store", "store.tar"]),
      ("import-backup help ex", ["export"]), ("import-backup x --recover-as roo", ["root"]),
      ("import-backup help --completions ", ["bash", "zsh"]),
      ("import-backup x --compression-level f", ["fast"]),
    ] as [(String, [String])])
  func zshCompletions(line: String, expected: [String]) async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path + "/store", withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: directory.path + "/store.tar"))
    let syntax = try await ProgramRun.run(
      [], script: #""$@" help --completions zsh > _import-backup && zsh -n _import-backup"#,
      directory: directory.path)
    #expect(syntax.exitCode == 0, "\(syntax.error)")
    try Data(Self.zshDriver.utf8).write(to: URL(filePath: directory.path + "/.driver"))
    let run = try await ProgramRun.run(
      [line], script: "zsh -f .driver \"$2\"", directory: directory.path)
    let words = run.outputText.split(whereSeparator: \.isNewline).map(String.init)
    #expect(Set(words) == Set(expected), "\(run.outputText) \(run.error)")
  }

  /// Types a line and a tab into a zsh on a terminal of its own, and prints what it would insert.
  ///
  /// Each match is printed between marks, as `compadd` gets it; it does not insert anything then.
  private static let zshDriver = #"""
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1= PROMPT= RPS1=; fpath=($PWD \$fpath); autoload -Uz compinit"
    zpty -w shell "compinit -u -D; zstyle ':completion:*' completer _complete"
    zpty -w shell "compadd() {
      if [[ \${@[1,(i)(-|--)]} == *-[OAD]* ]]; then builtin compadd \"\$@\"; return; fi
      local -a hits
      builtin compadd -A hits \"\$@\"
      for hit in \$hits; do print -r -- \"<<\$hit>>\"; done
      builtin compadd \"\$@\"
    }"
    zpty -w shell "finish() { zle kill-whole-line; print READY }; zle -N finish; bindkey '^G' finish"
    zpty -w shell "print STARTED"
    zpty -r -m shell output "*STARTED*STARTED*"
    zpty -n -w shell "$1"$'\t\a'
    zpty -r -m shell output "*READY*"
    print -rn -- $output | tr -d "\r" | sed -n "s/.*<<\(.*\)>>.*/\1/p"
    """#

  /// Method: bash sources the script and completes words with it.
  @Test(
    .timeLimit(.minutes(10)),
    arguments: [
      ("import-backup --tim", "--timeline-id"), ("import-backup imp", "import"),
      ("import-backup help --m", "--man"), ("import-backup x --output /us", "/usr"),
      ("import-backup x --jobs ", ""), ("import-backup verify x --against st", "store store.tar"),
      ("import-backup x --manifest st", "store store.tar"),
      ("import-backup x --wal st", "store store.tar"),
      ("import-backup inspect x --svg st", "store store.tar"),
      ("import-backup inspect x --svg-layers st", "store store.tar"),
      ("import-backup li", "list"),
      ("import-backup x --recover-with st", "store"), ("import-backup x -o st", "store"),
      ("import-backup export x -o st", "store store.tar"),
      ("import-backup export x --output st", "store store.tar"),
      ("import-backup x --output = st", "store"), ("import-backup x --output =", "store"),
      ("import-backup x --page-checksums ", "skip verify warn"),
      ("import-backup x --page-checksums = w", "warn"),
      ("import-backup help ", "attach export help import inspect list publish status verify"),
      ("import-backup help ex", "export"), ("import-backup verify s", "store store.tar"),
      ("import-backup x --recover-as roo", "root"),
      ("import-backup help --completions ", "bash zsh"),
      ("import-backup help --completions z", "zsh"),
      ("import-backup x --compression-level f", "fast"),
      ("import-backup x --compression-level 1", "1 10 11 12 13 14 15 16 17 18 19"),
    ])
  func completions(line: String, expected: String) async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path + "/store", withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: directory.path + "/store.tar"))
    // The words as bash splits them: '=' is a word of its own.
    let script = #"""
      source <("$1" help --completions)
      read -ra COMP_WORDS <<< "$2"; [[ $2 == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _import_backup
      printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' '
      """#
    let run = try await ProgramRun.run([line], script: script, directory: directory.path)
    #expect(run.outputText == expected + "\n")
    #expect(run.error.isEmpty)
  }
}
