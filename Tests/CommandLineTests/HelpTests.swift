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
      "Dd", "Dt", "Os", "Sh", "Ss", "Nm", "Nd", "Op", "Cm", "Pp", "Bl", "It", "El", "Dl", "Xr",
    ]
    for section in ["EXAMPLES", "SEE ALSO"] { #expect(lines.contains(".Sh \(section)")) }
    #expect(Set(requests).isSubset(of: known))
    for option in ImportCommand.describedOptions {
      #expect(lines.contains { $0.hasPrefix(".It") && $0.contains("Fl -\(option.name)") })
    }
  }

  /// Method: bash sources the script and completes words with it.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      ("import-backup --tim", "--timeline-id"), ("import-backup imp", "import"),
      ("import-backup help --m", "--man"), ("import-backup x --output /us", "/usr"),
      ("import-backup x --jobs ", ""), ("import-backup verify x --against st", "store store.tar"),
      ("import-backup x --manifest st", "store store.tar"),
      ("import-backup x --wal st", "store store.tar"),
      ("import-backup inspect x --svg st", "store store.tar"),
      ("import-backup x --recover-with st", "store"), ("import-backup x -o st", "store"),
      ("import-backup export x -o st", "store store.tar"),
      ("import-backup export x --output st", "store store.tar"),
      ("import-backup x --output = st", "store"), ("import-backup x --output =", "store"),
      ("import-backup x --page-checksums ", "skip verify warn"),
      ("import-backup x --page-checksums = w", "warn"),
      ("import-backup help ", "export help import inspect verify"),
      ("import-backup help ex", "export"), ("import-backup verify s", "store store.tar"),
      ("import-backup x --recover-as roo", "root"),
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
