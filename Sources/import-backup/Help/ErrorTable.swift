import Backup
import Operations
import PostgresFormat
import System

/// `Docs/errors.md`: every code that the program can print, from the tables of the codes.
enum ErrorTable {
  static func text() -> String {
    var lines = introduction
    lines += table(["Exit code", "Meaning"]) {
      ExitCode.allCases.map { ["\($0.rawValue)", HelpText.sentence($0.meaning)] }
    }
    lines += ["", "## Errors", ""]
    lines += table(["Code", "Exit code", "Meaning", "What to do"]) {
      ErrorCode.allCases.map {
        ["`\($0.rawValue)`", "\($0.exitCode.rawValue)", $0.meaning, $0.action]
      }
    }
    lines += codes(
      FindingCode.self, "Findings of `verify`",
      "With the error `timeline-damaged` or `timeline-differs`; `verify --json` has them in "
        + "`findings`.")
    lines += codes(
      ManifestDifference.Code.self, "Differences from a manifest",
      "With the error `manifest-mismatch`; in `findings.manifest.differences`.")
    lines += codes(
      DamagedPage.Code.self, "Damaged pages",
      "With the error `page-checksum`; in `findings.pageChecksums.damagedPages`.")
    lines += codes(
      ListedTimeline.Leftover.Code.self, "What else is in a timeline's directory",
      "In `timelines[].leftovers` of `list --json`.")
    lines += codes(
      TimelineList.Skipped.Code.self, "What `list` skips", "In `skipped` of `list --json`.")
    lines += codes(
      AttachSummary.DoneCode.self, "What `attach` did", "In `done` of `attach --json`.")
    lines += codes(
      AttachSummary.InPlaceCode.self, "What is in place for a service",
      "In `inPlace` of `attach --json`.")
    lines += codes(
      ChangeCode.self, "Changes", "What a compute finds otherwise than the cluster left it.")
    lines += codes(
      WarningCode.self, "Warnings", "What to look at although the command succeeded.")
    lines += codes(
      LeftOutReason.self, "Reasons to leave a file out", "Files that a timeline does not store.")
    return lines.joined(separator: "\n") + "\n"
  }

  private static let introduction = """
    # Errors

    Made by `make errors` from the program's own tables; a test compares them.

    An error is a line on standard error that ends with its code, and often a hint:

    ```
    error: cannot read 'a.tar': unexpected end of archive after 4096 bytes [backup-truncated]
    hint: The backup was not written or copied completely.
    ```

    A code never changes its meaning. A new release may have new ones: a script that does not know
    a code goes by the exit code.

    ## Exit codes

    """.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)

  /// A section for one kind of code.
  private static func codes<Code: StableCode>(
    _ type: Code.Type, _ title: String, _ place: String
  ) -> [String] {
    ["", "## \(title)", "", place, ""]
      + table(["Code", "Meaning"]) { Code.allCases.map { ["`\($0.rawValue)`", $0.meaning] } }
  }

  private static func table(_ heading: [String], _ rows: () -> [[String]]) -> [String] {
    ([heading, heading.map { _ in "---" }] + rows()).map { "| \($0.joined(separator: " | ")) |" }
  }
}
