import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Backups in several tars.
@Suite struct BackupPartsTests {
  /// The members of the small backup in three tars: of each kind of file, some in each.
  private static func parts(in directory: TemporaryDirectory) throws -> [String] {
    let members = SmallBackup.tar.members
    var paths: [String] = []
    for part in 0..<3 {
      var tar = SmallBackup.tar
      tar.members = members.enumerated().filter { $0.offset % 3 == part }.map(\.element)
      let path = "\(directory.path)/part-\(part).tar"
      try Data(tar.encoded()).write(to: URL(filePath: path))
      paths.append(path)
    }
    // Each may be compressed in its own way.
    _ = try Shell.output("zstd", "-q", "--rm", paths[0])
    _ = try Shell.output("gzip", paths[1])
    return [paths[0] + ".zst", paths[1] + ".gz", paths[2]]
  }

  private static func summary(
    _ parts: [String], _ output: String
  ) throws -> ImportSummary {
    var options = ImportOptions(backup: parts[0], outputDirectory: output)
    options.backupParts = Array(parts.dropFirst())
    return try importBackup(options, progress: nil)
  }

  /// Goal: the parts are one backup, in whatever order they are given. Method: the same values as of the
  /// whole; and the dry run says the same.
  @Test(arguments: [[0, 1, 2], [2, 0, 1]]) func values(order: [Int]) throws {
    let directory = try TemporaryDirectory()
    let parts = try Self.parts(in: directory)
    let whole = directory.path + "/whole.tar"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: whole))
    let expected = try Self.summary([whole], directory.path + "/a")
    let summary = try Self.summary(order.map { parts[$0] }, directory.path + "/b")
    #expect(
      try TimelineListing.lines(of: summary.timelinePath)
        == TimelineListing.lines(of: expected.timelinePath))
    let sizes = try parts.map { try Data(contentsOf: URL(filePath: $0)).count }
    #expect(summary.inputByteCount == UInt64(sizes.reduce(0, +)))
    var options = ImportOptions(backup: parts[0], outputDirectory: directory.path + "/c")
    options.backupParts = [parts[1], parts[2]]
    #expect(try rehearseImport(options, progress: nil).reasons == [])
  }

  /// Goal: a part that is missing, given twice, cut off, another cluster's or a directory is refused.
  @Test func refused() throws {
    let directory = try TemporaryDirectory()
    let parts = try Self.parts(in: directory)
    let output = directory.path + "/out"
    func refusal(_ parts: [String]) -> ErrorCode? {
      #expect(throws: Failure.self) { try Self.summary(parts, output) }?.code
    }
    for missing in 0..<3 {
      let rest = parts.enumerated().filter { $0.offset != missing }.map(\.element)
      #expect(refusal(rest)?.exitCode == .damaged)
    }
    #expect(refusal(parts + [parts[2]]) == .duplicateFile)
    #expect(refusal(parts + [directory.path]) == .optionNotApplicable)
    #expect(refusal(parts + [directory.path + "/no"])?.exitCode == .cannotOpen)
    let other = directory.path + "/other.tar"
    try Data(SmallBackup.withControlFile { $0[0] ^= 1 }.encoded()).write(to: URL(filePath: other))
    #expect(refusal([parts[0], other])?.exitCode == .damaged)
    let cut = directory.path + "/cut.tar"
    try Data(contentsOf: URL(filePath: parts[2])).dropLast(3000).write(to: URL(filePath: cut))
    #expect(refusal([parts[0], cut, parts[1]])?.exitCode == .damaged)
    #expect(!FileManager.default.fileExists(atPath: output))
  }
}
