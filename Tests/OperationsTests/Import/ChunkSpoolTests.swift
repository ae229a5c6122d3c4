import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import Operations
@testable import System
@testable import Timeline

/// The file that holds what of a chunk memory does not.
@Suite struct ChunkSpoolTests {
  /// Goal: a disk that gives back something else than it was given is noticed. Method: a spool of
  /// 200 pages of which one byte is changed, by another name of its file, before it is read; the
  /// same without.
  @Test(arguments: [nil, 100, 500_000] as [Int?]) func damage(offset: Int?) throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/spool"
    let file = try OutputFile(creating: path, mode: 0o600)
    try FileManager.default.linkItem(atPath: path, toPath: path + "-too")
    let chunk = ChunkSpool(memoryLimit: 0)
    try chunk.open(spool: file)
    var encoder = try BlobEncoder(level: 0)
    let pages = PageFile.relation(
      try #require(RelationSegment(fileName: Array("16384".utf8)[...], databaseID: 5)),
      isInImageLayer: false)
    for block in 0..<UInt32(200) {
      var blob: [UInt8] = []
      let page = [UInt8](repeating: UInt8(block), count: PageRuns.pageByteCount)
      try encoder.appendBlob(of: page.bytes, to: &blob)
      try chunk.append(blob.bytes, firstKey: pages.key(block: block), pageCount: 1)
    }
    if let offset {
      let handle = try FileHandle(forUpdating: URL(filePath: path + "-too"))
      try handle.seek(toOffset: UInt64(offset))
      try handle.write(contentsOf: [0xFF])
      try handle.close()
    }
    let range = LogSequenceNumber(rawValue: 16)..<LogSequenceNumber(rawValue: 24)
    let layer = ChunkLayer(
      writer: LayerWriter(
        file: try OutputFile(creating: directory.path + "/layer", mode: 0o600),
        of: LayerOwner(tenant: .random(), timeline: .random()), valuesAt: range.lowerBound),
      name: .level0(range))
    var byteCount: UInt64 = 0
    if offset == nil {
      try chunk.drain(into: [layer]) { byteCount += $0.byteCount }
      #expect(byteCount > 200 * 8192)
    } else {
      let error = #expect(throws: Failure.self) {
        try chunk.drain(into: [layer]) { byteCount += $0.byteCount }
      }
      #expect(byteCount == 0)
      #expect(error?.exitCode == .inputOutput)
      #expect(
        error?.message == "cannot read '\(path)': its contents changed after they were written")
    }
  }
}
