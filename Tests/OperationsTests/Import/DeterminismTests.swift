import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import Operations

/// One backup gives one timeline: whatever the jobs, the compression and the way in.
@Suite struct DeterminismTests {
  /// The files of a timeline, from an import with ids that are always the same.
  private static func files(
    _ bytes: [UInt8], _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> [String: [UInt8]] {
    let directory = try TemporaryDirectory()
    _ = try await SmallBackup.importBytes(bytes, in: directory, configure)
    var files = try directory.files()
    files["backup"] = nil
    return files
  }

  /// Settings under which even the small backup has many layers of each kind.
  private static func manyLayers(_ options: inout ImportOptions) {
    options.smallRelationSize = 24 << 10
    options.imageLayerSize = 24 << 10
    options.chunkSize = 32 << 10
  }

  /// Goal: the same input gives the same bytes for any number of jobs and for every way in.
  /// Method: import the backup with many small layers, once as it is, then with other jobs, a
  /// pipe and each compression, and compare every file.
  @Test func sameBytes() async throws {
    let plain = SmallBackup.tar.encoded()
    let expected = try await Self.files(plain, Self.manyLayers)
    #expect(expected.count > 10)
    for jobs in [1, 2, 7] {
      let files = try await Self.files(plain) {
        Self.manyLayers(&$0)
        $0.jobs = jobs
      }
      #expect(files == expected, "\(jobs) jobs")
    }
    for program in ["gzip", "xz", "lz4", "zstd"] {
      let directory = try TemporaryDirectory()
      let path = directory.path + "/plain"
      try Data(plain).write(to: URL(filePath: path))
      let compressed = try Shell.output(program, "-c", path)
      #expect(try await Self.files(compressed, Self.manyLayers) == expected, "\(program)")
    }
  }

  /// Goal: what a named pipe gives in small pieces is imported as from a file.
  /// Method: feed the backup through a pipe in pieces of 1 to 70,000 bytes.
  @Test func pipe() async throws {
    let plain = SmallBackup.tar.encoded()
    let expected = try await Self.files(plain)
    let directory = try TemporaryDirectory()
    let path = directory.path + "/pipe"
    _ = try Shell.output("mkfifo", path)
    let feeder = Thread {
      guard let handle = FileHandle(forWritingAtPath: path) else { return }
      var generator = SeededGenerator(state: 15)
      var offset = 0
      while offset < plain.count {
        let count = min(Int.random(in: 1...70_000, using: &generator), plain.count - offset)
        try? handle.write(contentsOf: plain[offset..<offset + count])
        offset += count
      }
      try? handle.close()
    }
    feeder.start()
    var options = ImportOptions(backup: path, outputDirectory: directory.path + "/out")
    options.tenantID = "11111111111111111111111111111111"
    options.timelineID = "22222222222222222222222222222222"
    _ = try importBackup(options, progress: nil)
    var files = try directory.files()
    files["pipe"] = nil
    #expect(files == expected)
  }

  /// Goal: members in any order make the same timeline. Method: shuffle them with fixed seeds,
  /// import with many layers, and compare the lists of keys and values.
  @Test(arguments: 0..<6) func shuffled(seed: UInt64) async throws {
    var generator = SeededGenerator(state: seed)
    var tar = SmallBackup.tar
    // A relation of three segments would need 2 GiB, so order of segments is tested by the table.
    let expected = try await listing(tar)
    tar.members.shuffle(using: &generator)
    #expect(try await listing(tar) == expected, "seed \(seed)")
  }

  private func listing(_ tar: TestTar) async throws -> [String] {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(
      tar.encoded(), in: directory, Self.manyLayers)
    return try TimelineListing.lines(of: summary.timelinePath)
  }

  /// Goal: names without `./`, with more before them, and directories that stand twice are the
  /// same backup. Method: rename the members and compare the lists.
  @Test func names() async throws {
    let expected = try await listing(SmallBackup.tar)
    var plain = SmallBackup.tar
    for index in plain.members.indices where plain.members[index].name != "./" {
      plain.members[index].name = String(plain.members[index].name.dropFirst(2))
    }
    plain.members += plain.members.filter { $0.type == "5" }
    #expect(try await listing(plain) == expected)

    let deep = String(repeating: "directory-with-a-long-name/", count: 8)
    var deeper = plain
    for index in deeper.members.indices {
      deeper.members[index].name = deep + deeper.members[index].name
    }
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(deeper.encoded(), in: directory) {
      Self.manyLayers(&$0)
      $0.stripComponents = 8
    }
    #expect(try TimelineListing.lines(of: summary.timelinePath) == expected)
  }
}
