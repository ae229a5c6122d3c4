import Foundation
import LayerFormat
import TestSupport
import Testing

@testable import System
@testable import Timeline

/// Who may write into a timeline's directory, and what an interrupted run leaves to the next.
@Suite struct TimelineDirectoryTests {
  private let tenant = "11111111111111111111111111111111"
  private let timeline = "22222222222222222222222222222222"

  private func path(in directory: TemporaryDirectory) -> String {
    "\(directory.path)/out/tenants/\(tenant)/timelines/\(timeline)"
  }

  /// Goal: a directory with an index is taken with `--force` only, whatever its generation.
  /// Method: import twice, then with force and another generation; look at what is there.
  @Test func force() async throws {
    let directory = try TemporaryDirectory()
    let bytes = SmallBackup.tar.encoded()
    _ = try await SmallBackup.importBytes(bytes, in: directory) { $0.generation = 3 }
    let before = try directory.files()
    await #expect {
      _ = try await SmallBackup.importBytes(bytes, in: directory)
    } throws: { error in
      (error as? Failure)?.exitCode == .inUse
        && (error as? Failure)?.message.contains("index_part.json-00000003") == true
    }
    #expect(try directory.files() == before)
    let summary = try await SmallBackup.importBytes(bytes, in: directory) {
      $0.force = true
      $0.smallRelationSize = 16 << 10
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: summary.timelinePath)
    #expect(names.allSatisfy { $0.hasSuffix("-00000001") })
    #expect(names.count == summary.imageLayerCount + summary.l0LayerCount + 1)
    _ = try TimelineListing.lines(of: summary.timelinePath)
  }

  /// Goal: an import with `--force` that fails leaves the old timeline as it was.
  @Test func failedForce() async throws {
    let directory = try TemporaryDirectory()
    _ = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    var before = try directory.files()
    before["backup"] = nil
    await #expect(throws: Failure.self) {
      _ = try await SmallBackup.importBytes(
        SmallBackup.tar.encoded(isComplete: false), in: directory
      ) { $0.force = true }
    }
    var after = try directory.files()
    after["backup"] = nil
    #expect(after == before)
  }

  /// Goal: what an interrupted run leaves is cleared away, and nothing else. Method: put such
  /// files and others into the directory, import, and look.
  @Test func remains() async throws {
    let directory = try TemporaryDirectory()
    let path = path(in: directory)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let layer = LayerName.level0(.init(rawValue: 0x10)..<(.init(rawValue: 0x18)))
    let remains = ["layer-7.import-temp", layer.fileName(generation: 9)]
    let others = ["notes.txt", "layer-7.temp", "0000-FFFF__10-00000001"]
    for name in remains + others {
      try Data("x".utf8).write(to: URL(filePath: path + "/" + name))
    }
    _ = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(Set(names).isSuperset(of: others))
    #expect(Set(names).isDisjoint(with: remains))
  }

  /// Goal: of two imports into one directory one is refused at once. Method: hold the directory
  /// as an import does, and import.
  @Test func twoAtOnce() async throws {
    let directory = try TemporaryDirectory()
    let holder = try TimelineDirectory(
      OutputPlace(
        output: directory.path + "/out", tenant: try #require(Identifier(tenant)),
        timeline: try #require(Identifier(timeline))), force: false)
    await #expect {
      _ = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    } throws: { ($0 as? Failure)?.exitCode == .inUse }
    holder.abandon()
  }

  /// Goal: an output that cannot be made is refused with exit code 73. Method: a file stands where
  /// a directory must be.
  @Test func cannotCreate() async throws {
    let directory = try TemporaryDirectory()
    try Data().write(to: URL(filePath: directory.path + "/out"))
    await #expect {
      _ = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    } throws: { ($0 as? Failure)?.exitCode == .cannotCreate }
  }
}
