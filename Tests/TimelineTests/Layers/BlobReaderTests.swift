import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import System
@testable import Timeline

/// The reader of blobs that scans, lookups and comparisons share.
@Suite struct BlobReaderTests {
  private static let lengths = (0..<400).map { [0, 1, 100, 127, 128, 3000, 8192, 50_000][$0 % 8] }

  private static func makeLayer(
    in directory: TemporaryDirectory
  ) throws -> (file: LayerFile, values: [[UInt8]]) {
    let path = directory.path + "/layer"
    let name = LayerName(keys: Key.minimum..<Key.maximum, extent: .image(at: ImportedLSN.image))
    var writer = LayerWriter(
      file: try OutputFile(creating: path, mode: 0o600),
      of: LayerOwner(tenant: .random(), timeline: .random()), valuesAt: nil)
    var encoder = try BlobEncoder(level: 0)
    var values: [[UInt8]] = []
    for (index, length) in lengths.enumerated() {
      let value = halfRandomBytes(length, seed: UInt64(index))
      values.append(value)
      var blob: [UInt8] = []
      try encoder.appendBlob(of: value.bytes, to: &blob)
      try writer.append(blob.bytes, for: key(index))
    }
    _ = try writer.finish(as: name)
    return (try LayerFile(path: path, name: name), values)
  }

  private static func key(_ index: Int) -> Key { Key(0, 1663, 5, 16384, 0, UInt32(index)) }

  /// Goal: a blob is the same whatever was read before it, and wherever the buffer ends. Method:
  /// buffers from shorter than most blobs to longer than the layer; one walk, then every blob in
  /// an order without order (seed 11).
  @Test(arguments: [1, 4, 5000, 16 << 10, 4 << 20]) func anyOrder(bufferByteCount: Int) throws {
    let directory = try TemporaryDirectory()
    let (file, values) = try Self.makeLayer(in: directory)
    var reader = BlobReader(file, bufferByteCount: bufferByteCount)
    var offsets: [UInt64] = []
    for (index, value) in values.enumerated() {
      offsets.append(reader.offset)
      let blob = try reader.next(of: Self.key(index))
      #expect(Array(reader.buffer[blob.range]) == value)
      #expect(reader.offset == offsets[index] + UInt64(blob.byteCount))
      #expect(try file.entry(of: Self.key(index))?.offset == offsets[index])
    }
    try reader.checkPadding()
    var generator = SeededGenerator(state: 11)
    for index in values.indices.shuffled(using: &generator) {
      reader.move(to: offsets[index])
      let blob = try reader.next(of: Self.key(index))
      #expect(Array(reader.buffer[blob.range]) == values[index], "value \(index)")
    }
  }

  /// Goal: only blobs between the summary and the index are read. Method: offsets in the summary, at
  /// the index and after it.
  @Test func outside() throws {
    let directory = try TemporaryDirectory()
    let (file, _) = try Self.makeLayer(in: directory)
    var reader = BlobReader(file)
    for offset in [0, 8191, file.indexOffset, file.indexOffset + 1, .max] {
      reader.move(to: offset)
      let error = #expect(throws: Failure.self) { _ = try reader.next(of: .minimum) }
      #expect(error?.exitCode == .damaged)
      #expect(error?.message.contains("outside the values") == true)
    }
  }
}
