import Foundation
import LayerFormat
import TestSupport
import Testing

@testable import Operations

/// Backups that went in and came out again.
@Suite struct ExportRoundTripTests {
  /// Goal: what is exported holds what was imported. Method: import, export, import again, and
  /// compare all keys and values, but for what an export changes: main forks of unlogged relations,
  /// whose other forks but one are gone, the control file and the checkpoint.
  @Test(arguments: ImportFixtureTests.names) func again(_ name: String) async throws {
    let directory = try TemporaryDirectory()
    let first = try await Self.importFile(Fixture.path(name + ".tar.zst"), directory, "first")
    let tar = directory.path + "/export.tar"
    let summary = try await Self.export(first, to: tar)
    let second = try await Self.importFile(tar, directory, "second")
    let before = try TimelineListing.lines(of: first)
    let after = try TimelineListing.lines(of: second)
    let unlogged = Self.unloggedRelations(in: before)
    #expect(unlogged.count >= 3)
    let kept = Set(before.filter { !Self.isChanged($0, unlogged) })
    let found = Set(after.filter { !Self.isChanged($0, unlogged) })
    #expect(kept.subtracting(found).sorted().prefix(3) == [])
    #expect(found.subtracting(kept).sorted().prefix(3) == [])
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: tar)))
    #expect(summary.outputByteCount == UInt64(bytes.count))
    let members = Self.members(of: bytes)
    for relation in unlogged {
      var main = relation
      main.fork = .main
      #expect(members[main.description] == members[relation.description])
      #expect(members[main.description] != nil)
    }
  }

  /// Goal: a pageserver's own backup comes out as it was. Method: every member's name, kind and
  /// contents, but for the configuration, which no timeline keeps.
  @Test(arguments: ["fullbackup-14", "fullbackup-15", "fullbackup-16", "fullbackup-17"])
  func fullbackup(_ name: String) async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.importFile(Fixture.path(name + ".tar.zst"), directory, "first")
    let tar = directory.path + "/export.tar"
    _ = try await Self.export(timeline, to: tar) { $0.forPageserver = true }
    let before = Self.members(of: try Fixture.bytes(name + ".tar"))
    let after = Self.members(of: [UInt8](try Data(contentsOf: URL(filePath: tar))))
    #expect(Set(before.keys) == Set(after.keys))
    for (path, contents) in before where after[path] != contents {
      #expect(path == "pg_hba.conf", "'\(path)' differs")
    }
  }

  /// Goal: one timeline gives one tar. Method: other numbers of jobs, a stream in the place of a
  /// file.
  @Test func determinism() async throws {
    let directory = try TemporaryDirectory()
    let timeline = try await Self.importFile(
      Fixture.path("clean-15.tar.zst"), directory, "first")
    var tars: Set<[UInt8]> = []
    for jobs in [1, 2, 7] {
      let tar = directory.path + "/export.tar"
      _ = try await Self.export(timeline, to: tar) { $0.jobs = jobs }
      tars.insert([UInt8](try Data(contentsOf: URL(filePath: tar))))
    }
    #expect(tars.count == 1)
  }

  static func importFile(
    _ path: String, _ directory: TemporaryDirectory, _ name: String
  ) async throws -> String {
    let options = ImportOptions(backup: path, outputDirectory: directory.path + "/" + name)
    return try importBackup(options, progress: nil).timelinePath
  }

  static func export(
    _ timeline: String, to path: String, _ configure: (inout ExportOptions) -> Void = { _ in }
  ) async throws -> ExportSummary {
    var options = ExportOptions(timeline: timeline, output: .file(path))
    configure(&options)
    return try exportTimeline(options, progress: nil)
  }

  /// Kind and contents of every member by its path; a directory may stand twice.
  private static func members(of tar: [UInt8]) -> [String: [UInt8]] {
    var members: [String: [UInt8]] = [:]
    for member in TestTar(decoding: tar).members {
      var path = member.name
      while path.hasSuffix("/") { path.removeLast() }
      members[path] = (member.type == "5" ? [1] : [0]) + member.contents
    }
    return members
  }

  // MARK: Keys in a listing

  private static func key(of line: String) -> Key? { Key(line.prefix(36)) }

  private static func relation(of line: String) -> RelationForkID? {
    switch key(of: line)?.meaning {
    case .relationBlock(let id, _), .relationSize(let id): id
    default: nil
    }
  }

  /// The init forks of unlogged relations.
  private static func unloggedRelations(in lines: [String]) -> Set<RelationForkID> {
    Set(lines.compactMap { relation(of: $0) }.filter { $0.fork == .initialisation })
  }

  private static func isChanged(_ line: String, _ unlogged: Set<RelationForkID>) -> Bool {
    switch key(of: line)?.meaning {
    case .controlFile, .checkpoint: return true
    case .relationDirectory(let databaseID):
      return unlogged.contains { $0.databaseID == databaseID }
    default: break
    }
    guard var id = relation(of: line), id.fork != .initialisation else { return false }
    id.fork = .initialisation
    return unlogged.contains(id)
  }
}
