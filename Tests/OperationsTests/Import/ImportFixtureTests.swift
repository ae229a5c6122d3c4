import TestSupport
import Testing

@testable import Operations

/// Imports of real backups, against the keys and values that a pageserver served for them.
@Suite struct ImportFixtureTests {
  static let names = [
    "clean-14", "clean-15", "clean-16", "clean-17", "clean-15-checksums-wal1m",
    "clean-15-minimal-promoted", "fullbackup-14", "fullbackup-15", "fullbackup-16",
    "fullbackup-17",
  ]

  /// Goal: an import holds exactly the keys and values it must. Method: list what the layers hold
  /// and compare with the fixture's list.
  @Test(arguments: names) func keysAndValues(_ name: String) async throws {
    let output = try TemporaryDirectory()
    let options = ImportOptions(
      backup: Fixture.path(name + ".tar.zst"), outputDirectory: output.path)
    let summary = try importBackup(options, progress: nil)
    let found = try TimelineListing.lines(of: summary.timelinePath)
    let expected = try Fixture.lines(name + ".keys").map(String.init)
    let missing = Set(expected).subtracting(found).sorted().prefix(5)
    let surplus = Set(found).subtracting(expected).sorted().prefix(5)
    #expect(missing.isEmpty && surplus.isEmpty)
    #expect(found.count == expected.count)
  }
}
