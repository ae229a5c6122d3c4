import PostgresFormat
import TestSupport

@testable import LayerFormat

/// A layer file that a real pageserver wrote, from `Tests/Fixtures/golden`.
struct GoldenLayer {
  static let imageName =
    "000000000000000000000000000000000000-030000000000000000000000000000000002"
    + "__0000000005057188-00000001"
  static let deltaNames = [
    "000000067F0000400000000E100100000001-000000067F00004000000034180100000000"
      + "__0000000000000010-0000000006319E39-00000002",
    "000000067F00004000000040180000000229-000000067F00004000000040180100000000"
      + "__0000000006319E39-00000000065EA789-00000002",
    "000000067F0000400000004BFE0000000000-030000000000000000000000000000000002"
      + "__0000000006319E39-00000000065EA789-00000002",
  ]
  static let names = [imageName] + deltaNames

  /// A value as stored in the layer.
  struct StoredValue {
    var key: Key
    /// Nil in an image layer.
    var lsn: LogSequenceNumber?
    var standsAlone: Bool
    var isCompressed: Bool
    var bytes: [UInt8]
  }

  let bytes: [UInt8]
  let summary: LayerSummary
  let index: IndexContents

  var indexOffset: Int { Int(summary.indexStart) * 8192 }
  var indexBlocks: [UInt8] { Array(bytes[indexOffset...]) }
  var keyByteCount: Int { summary.name.isImage ? 18 : 26 }

  init(_ name: String) throws {
    bytes = try Fixture.bytes("golden/" + name)
    summary = try Array(bytes[..<8192]).withBytes { page throws(FormatError) in
      try LayerSummary(decoding: page)
    }
    index = try IndexContents(
      blocks: Array(bytes[(Int(summary.indexStart) * 8192)...]), root: summary.indexRoot,
      keyByteCount: summary.name.isImage ? 18 : 26)
  }

  /// The offset of the blob for a value of the index.
  func offset(of value: UInt64) -> Int { Int(summary.name.isImage ? value : value >> 1) }

  /// Every value in the order of the index, and the end of the last one.
  func values() throws -> (values: [StoredValue], end: Int) {
    var values: [StoredValue] = []
    var end = 0
    for (keyBytes, value) in zip(index.keys, index.values) {
      let offset = offset(of: value)
      let (header, headerByteCount) = try bytes.withBytes { bytes throws(FormatError) in
        try BlobHeader.decode(bytes, at: offset)
      }
      let start = offset + headerByteCount
      end = start + header.byteCount
      values.append(
        StoredValue(
          key: keyBytes.withBytes { Key(decoding: $0) },
          lsn: summary.name.isImage
            ? nil : keyBytes.withBytes { lsn($0.bigEndian(at: 18)) },
          standsAlone: summary.name.isImage || value & 1 == 1,
          isCompressed: header.isCompressed, bytes: Array(bytes[start..<end])))
    }
    return (values, end)
  }
}
