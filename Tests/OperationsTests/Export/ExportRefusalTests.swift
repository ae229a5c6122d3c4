import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// Timelines that are not exported, and failures on the way out.
@Suite struct ExportRefusalTests {
  /// A small timeline in a directory of its own.
  private static func timeline(
    _ directory: TemporaryDirectory
  ) async throws -> (path: String, indexPath: String) {
    let summary = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    return (summary.timelinePath, summary.timelinePath + "/index_part.json-00000001")
  }

  private static func error(
    exporting path: String, to output: String
  ) async -> Failure? {
    do throws(Failure) {
      _ = try exportTimeline(
        ExportOptions(timeline: path, output: .file(output)), progress: nil)
      return nil
    } catch {
      return error
    }
  }

  /// Goal: what the index alone forbids. Method: change one field at a time; no file is left.
  @Test(
    arguments: [
      (
        #""ancestor_timeline":null"#, #""ancestor_timeline":"00000000000000000000000000000001""#,
        .unsupported, "is a branch"
      ),
      (
        #""generation":1"#, #""generation":1,"shard":"0104""#, .unsupported,
        "one shard of a timeline"
      ),
      (#""pg_version":15"#, #""pg_version":18"#, .unsupported, "Postgres 18"),
      (#""pg_version":15"#, #""pg_version":16"#, .damaged, "the control file 15"),
      (#""0/215AD68""#, #""0/215AD69""#, .damaged, "no WAL record can end at 0/215AD69"),
      (#""version":15"#, #""version":99"#, .unsupported, "99"),
    ] as [(String, String, ExitCode, String)])
  func index(field: String, replacement: String, code: ExitCode, message: String)
    async throws
  {
    let directory = try TemporaryDirectory()
    let (path, indexPath) = try await Self.timeline(directory)
    let index = try String(contentsOfFile: indexPath, encoding: .utf8)
    let changed = index.replacing(field, with: replacement)
    #expect(changed != index)
    try changed.write(toFile: indexPath, atomically: false, encoding: .utf8)
    let error = await Self.error(exporting: path, to: directory.path + "/export.tar")
    if message.contains("is a branch") || message.contains("one shard") {
      // The same keeps a verification from reading all of it.
      #expect(throws: try #require(error)) {
        try verifyTimeline(VerifyOptions(timeline: path), progress: nil)
      }
    }
    #expect(error?.exitCode == code)
    #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    #expect(try Self.exports(in: directory) == [])
  }

  /// Goal: the only shard of a tenant holds all, and is exported and verified. Method: its number and
  /// count in the index.
  @Test func onlyShard() async throws {
    let directory = try TemporaryDirectory()
    let (path, indexPath) = try await Self.timeline(directory)
    let index = try String(contentsOfFile: indexPath, encoding: .utf8)
    try index.replacing(#""generation":1"#, with: #""generation":1,"shard":"0001""#)
      .write(toFile: indexPath, atomically: false, encoding: .utf8)
    #expect(await Self.error(exporting: path, to: directory.path + "/export.tar") == nil)
    let verified = try verifyTimeline(VerifyOptions(timeline: path), progress: nil)
    #expect(verified.findings.isEmpty)
  }

  /// Goal: a timeline that a pageserver has written on is refused. Method: an L0 above the import with
  /// a WAL record for a page, and one with a record for a size.
  @Test(arguments: [0, UInt32.max]) func records(field6: UInt32) async throws {
    let directory = try TemporaryDirectory()
    let (path, indexPath) = try await Self.timeline(directory)
    var index = try IndexPart(decoding: [UInt8](try Data(contentsOf: URL(filePath: indexPath))))
    let start = LogSequenceNumber(rawValue: SmallBackup.end.rawValue + 1)
    let name = LayerName.level0(start..<LogSequenceNumber(rawValue: start.rawValue + 8))
    let file = try OutputFile(creating: path + "/" + name.fileName(generation: 1), mode: 0o600)
    var writer = LayerWriter(
      file: file,
      of: LayerOwner(
        tenant: try #require(Identifier("11111111111111111111111111111111")),
        timeline: try #require(Identifier("22222222222222222222222222222222"))), valuesAt: start)
    // A blob of 6 bytes: u32 1, then the record.
    try writer.append(
      [6, 0, 0, 0, 1, 7, 7].bytes, for: Key(0, 1664, 0, 1262, 0, field6))
    let layer = try writer.finish(as: name)
    try file.makeDurable()
    index.layers[name.description] = .init(fileSize: layer.byteCount, generation: 1)
    index.diskConsistentLSN = start + 7
    index.metadata.diskConsistentLSN = start + 7
    try Data(index.encoded()).write(to: URL(filePath: indexPath))
    let error = await Self.error(exporting: path, to: directory.path + "/export.tar")
    #expect(error?.exitCode == .unsupported)
    #expect(
      error?.message.contains("needs WAL replay") == true, "\(String(describing: error))")
    #expect(try Self.exports(in: directory) == [])
  }

  /// Goal: a timeline that lacks what its directories name is refused, never given out in part.
  /// Method: take the layers with pages from the index; then those with everything else.
  @Test func missingLayers() async throws {
    let directory = try TemporaryDirectory()
    let (path, indexPath) = try await Self.timeline(directory)
    let index = try IndexPart(decoding: [UInt8](try Data(contentsOf: URL(filePath: indexPath))))
    let last = try #require(index.layers.keys.max())
    for (kept, message) in [
      ([last], "page 0 of '"), (Array(index.layers.keys.filter { $0 != last }), "is missing"),
    ] {
      var partial = index
      partial.layers = index.layers.filter { kept.contains($0.key) }
      try Data(partial.encoded()).write(to: URL(filePath: indexPath))
      let error = await Self.error(exporting: path, to: directory.path + "/export.tar")
      #expect(error?.exitCode == .damaged)
      #expect(error?.message.contains(message) == true, "\(String(describing: error))")
      #expect(try Self.exports(in: directory) == [])
    }
  }

  /// Goal: damage never comes out as a backup. Method: flip a byte in every 997th of each layer; an
  /// export that succeeds has skipped it, so its tar is that of the sound timeline.
  @Test func damagedLayers() async throws {
    let directory = try TemporaryDirectory()
    let (path, _) = try await Self.timeline(directory)
    let output = directory.path + "/export.tar"
    #expect(await Self.error(exporting: path, to: output) == nil)
    let sound = try Data(contentsOf: URL(filePath: output))
    var refusals = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: path)
    where LayerName.parse(fileName: name) != nil {
      let url = URL(filePath: path + "/" + name)
      let bytes = try Data(contentsOf: url)
      for offset in stride(from: 5, to: bytes.count, by: max(997, bytes.count / 40)) {
        var damaged = bytes
        damaged[offset] ^= 0x41
        try damaged.write(to: url)
        if await Self.error(exporting: path, to: output) == nil {
          // zstd frames have no checksum here: a literal that flips is another page.
          let exported = try Data(contentsOf: URL(filePath: output))
          #expect(exported.count == sound.count)
        } else {
          refusals += 1
        }
      }
      try bytes.write(to: url)
    }
    #expect(refusals > 10)
  }

  private static func exports(in directory: TemporaryDirectory) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path)
      .filter { $0.contains("export") }
  }
}
