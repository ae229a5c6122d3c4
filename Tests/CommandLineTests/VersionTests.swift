import Foundation
import TestSupport
import Testing

@testable import import_backup

/// Goal: `--version` says what a report of a fault needs, and the changelog names the same version.
@Suite(.timeLimit(.minutes(10)))
struct VersionTests {
  /// Method: the lines that the program prints. The tests' build is a plain one, which knows no
  /// commit, unless the variable that `make` sets was set for it as well.
  @Test func output() async throws {
    let lines = try await ProgramRun.run(["--version"]).outputText
      .split(separator: "\n", omittingEmptySubsequences: false)
    try #require(lines.count == 4)
    let commit = try #require(lines[0].wholeMatch(of: /import-backup 0\.1\.0 \(commit (.+)\)/))
    #expect(commit.1.wholeMatch(of: /unknown|[0-9a-f]{7,40}(-dirty)?/) != nil)
    #expect(lines[1] == "Postgres 14 to 17, layer format 3, index version 15")
    let libraries = lines[2].split(separator: ", ")
    let names = [
      "libarchive", "libzstd", "liblzma", "liblz4", "nettle", "libcurl", "built with libxml2",
      "built with ISA-L",
    ]
    try #require(libraries.count == names.count)
    for (library, name) in zip(libraries, names) {
      #expect(library.hasPrefix("\(name) "))
      #expect(library.dropFirst(name.count + 1).wholeMatch(of: /\d+\.\d+(\.\d+)?/) != nil)
    }
    #expect(lines[3].isEmpty)
  }

  /// Method: the newest heading of CHANGELOG.md with a version has the program's number and date.
  @Test func changelog() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "CHANGELOG.md"), encoding: .utf8)
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "MMMM d, yyyy"
    let date = try #require(formatter.date(from: Version.releaseDate))
    formatter.dateFormat = "yyyy-MM-dd"
    let heading = try #require(text.firstMatch(of: /\n## \[\d[^\n]*/))
    #expect(heading.0 == "\n## [\(Version.number)] - \(formatter.string(from: date))")
  }
}
