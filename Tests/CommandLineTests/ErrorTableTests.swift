import Backup
import Foundation
import Operations
import PostgresFormat
import System
import TestSupport
import Testing

@testable import import_backup

/// Goal: the codes that scripts depend on are well-formed, and documented as they are.
struct ErrorTableTests {
  /// Method: `Docs/errors.md` is what `help --errors` prints.
  @Test func document() async throws {
    let run = try await ProgramRun.run(["help", "--errors"])
    #expect(run.exitCode == 0 && run.outputText == ErrorTable.text())
    let document = try String(
      contentsOfFile: Fixture.path("../../Docs/errors.md"), encoding: .utf8)
    #expect(document == run.outputText, "run 'make errors'")
  }

  /// Method: every code is in kebab case, and its texts are full sentences that fit a table.
  @Test func codes() {
    let codes: [(name: String, texts: [String])] =
      ErrorCode.allCases.map { ($0.rawValue, [$0.meaning, $0.action]) }
      + Self.described(FindingCode.self) + Self.described(ManifestDifference.Code.self)
      + Self.described(DamagedPage.Code.self) + Self.described(ChangeCode.self)
      + Self.described(LeftOutReason.self) + Self.described(WarningCode.self)
      + Self.described(ListedTimeline.Leftover.Code.self)
      + Self.described(TimelineList.Skipped.Code.self)
      + Self.described(AttachSummary.DoneCode.self) + Self.described(AttachSummary.InPlaceCode.self)
    for (name, texts) in codes {
      #expect(name.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*/) != nil, "\(name)")
      for text in texts {
        #expect(text.hasSuffix(".") && !text.contains("|") && !text.contains("\n"), "\(text)")
        #expect(text.first?.isLowercase == false, "\(text)")
        // Where a text is put together, a space belongs to neither what is quoted nor an option.
        #expect(!text.contains(#/- [a-z]|(^| )' /#), "\(text)")
      }
    }
  }

  /// Method: no code ends with success, and every other exit code has one.
  @Test func exitCodes() {
    let used = Set(ErrorCode.allCases.map(\.exitCode))
    #expect(used == Set(ExitCode.allCases).subtracting([.success]))
  }

  private static func described<Code: StableCode>(
    _ type: Code.Type
  ) -> [(name: String, texts: [String])] {
    Code.allCases.map { ($0.rawValue, [$0.meaning]) }
  }
}
