import Foundation
import LayerFormat
import Testing

/// A layer file in parts, which tests change and write again.
///
/// Unchanged parts match the changed ones: the summary has the position of the index and of its
/// root, unless a patch changes it.
struct HostileLayer {
  var summary: LayerSummary
  /// The bytes between the summary and the index, including the padding.
  var blobs: [UInt8]
  /// The number of zeros between those and the index: a hole in the file.
  var holeByteCount = 0
  /// The nodes of the index, the root last.
  var nodes: [[UInt8]]
  /// Bytes that are written over the finished file, by their offset from its start.
  var patches: [(offset: UInt64, bytes: [UInt8])] = []
  /// The length of the file, if it differs from the parts.
  var byteCount: UInt64?

  /// The entries of the only leaf of the layer.
  let entries: [Entry]

  struct Entry {
    var key: [UInt8]
    var value: UInt64
  }

  var isDelta: Bool { !summary.name.isImage }
  var keyByteCount: Int {
    isDelta ? IndexTree.deltaKeyByteCount : IndexTree.imageKeyByteCount
  }

  /// Reads a layer with an index of one leaf.
  init(decoding bytes: [UInt8]) throws {
    summary = try LayerSummary(decoding: bytes.bytes.extracting(0..<8192))
    let indexOffset = Int(summary.indexStart) * 8192
    blobs = Array(bytes[8192..<indexOffset])
    nodes = [Array(bytes[indexOffset...])]
    try #require(nodes[0].count == 8192, "the index is one leaf")
    let root = nodes[0]
    let node = try IndexNode(
      decoding: root.bytes,
      keyByteCount: summary.name.isImage
        ? IndexTree.imageKeyByteCount : IndexTree.deltaKeyByteCount)
    entries = (0..<node.count).map { Entry(key: node.key(at: $0), value: node.value(at: $0)) }
  }

  /// The offset of an entry's blob.
  func offset(of entry: Entry) -> UInt64 { isDelta ? entry.value >> 1 : entry.value }

  /// The value of an entry for a blob at an offset.
  func value(at offset: UInt64) -> UInt64 { isDelta ? offset << 1 | 1 : offset }

  /// Replaces the blob of the last value.
  mutating func replaceLastBlob(_ blob: [UInt8]) {
    blobs.removeSubrange(Int(offset(of: entries[entries.count - 1])) - 8192..<blobs.count)
    blobs += blob
    blobs += [UInt8](repeating: 0, count: (8192 - blobs.count % 8192) % 8192)
  }

  /// The length of the finished file in bytes.
  var finishedByteCount: UInt64 {
    byteCount ?? UInt64(8192 + blobs.count + holeByteCount + nodes.count * 8192)
  }

  /// Writes the file; holes stay holes.
  func write(to path: String) throws {
    var summary = summary
    summary.indexStart = UInt32((8192 + blobs.count + holeByteCount) / 8192)
    summary.indexRoot = UInt32(max(nodes.count, 1) - 1)
    try Data(summary.encoded() + blobs).write(to: URL(filePath: path))
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: UInt64(8192 + blobs.count + holeByteCount))
    try file.write(contentsOf: Data(nodes.flatMap { $0 }))
    for (offset, bytes) in patches {
      try file.seek(toOffset: offset)
      try file.write(contentsOf: Data(bytes))
    }
    try file.truncate(atOffset: finishedByteCount)
    try file.close()
  }

  // MARK: Nodes

  /// A leaf of these entries, in this order, even if it is wrong.
  func leaf(_ entries: [Entry]) -> [UInt8] { node(level: 0, entries) }

  /// An inner node of children, given by number, with these keys.
  func inner(level: UInt8, _ children: [(key: [UInt8], block: UInt32)]) -> [UInt8] {
    node(
      level: level,
      children.map { Entry(key: $0.key, value: 0x80_0000_0000 | UInt64($0.block)) })
  }

  /// A node in the format, without prefix.
  func node(level: UInt8, _ entries: [Entry]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendBigEndian(UInt16(entries.count))
    bytes += [level, 0, UInt8(keyByteCount)]
    for entry in entries { bytes += entry.key }
    for entry in entries {
      bytes += (0..<5).map { UInt8(truncatingIfNeeded: entry.value >> (32 - 8 * $0)) }
    }
    return Array((bytes + [UInt8](repeating: 0, count: 8192)).prefix(8192))
  }
}
