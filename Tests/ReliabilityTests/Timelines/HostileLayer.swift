import Foundation
import LayerFormat
import Testing

/// A layer file taken apart, for tests to change its parts and put them together again.
///
/// What is not changed fits what is: the summary says where the index begins and where its root is,
/// unless a patch says otherwise.
struct HostileLayer {
  var summary: LayerSummary
  /// What stands between the summary and the index, the padding included.
  var blobs: [UInt8]
  /// Zeros between those and the index: a hole in the file.
  var holeByteCount = 0
  /// The index' nodes, the root last.
  var nodes: [[UInt8]]
  /// Bytes that are written over the finished file, by their offset from its start.
  var patches: [(offset: UInt64, bytes: [UInt8])] = []
  /// The file's length, where it is not what the parts have.
  var byteCount: UInt64?

  /// What the only leaf of the layer has.
  let entries: [Entry]

  struct Entry {
    var key: [UInt8]
    var value: UInt64
  }

  var isDelta: Bool { !summary.name.isImage }
  var keyByteCount: Int {
    isDelta ? IndexTree.deltaKeyByteCount : IndexTree.imageKeyByteCount
  }

  /// Takes a layer apart whose index is one leaf.
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

  /// Where an entry's blob begins.
  func offset(of entry: Entry) -> UInt64 { isDelta ? entry.value >> 1 : entry.value }

  /// The value of an entry whose blob begins at an offset.
  func value(at offset: UInt64) -> UInt64 { isDelta ? offset << 1 | 1 : offset }

  /// Puts another blob in the place of the last value.
  mutating func replaceLastBlob(_ blob: [UInt8]) {
    blobs.removeSubrange(Int(offset(of: entries[entries.count - 1])) - 8192..<blobs.count)
    blobs += blob
    blobs += [UInt8](repeating: 0, count: (8192 - blobs.count % 8192) % 8192)
  }

  /// The length of the finished file in bytes.
  var finishedByteCount: UInt64 {
    byteCount ?? UInt64(8192 + blobs.count + holeByteCount + nodes.count * 8192)
  }

  /// Writes the file; what is a hole stays one.
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

  /// A leaf of entries, in this order, however wrong.
  func leaf(_ entries: [Entry]) -> [UInt8] { node(level: 0, entries) }

  /// An inner node of children by their numbers, under these keys.
  func inner(level: UInt8, _ children: [(key: [UInt8], block: UInt32)]) -> [UInt8] {
    node(
      level: level,
      children.map { Entry(key: $0.key, value: 0x80_0000_0000 | UInt64($0.block)) })
  }

  /// A node as the format has it, with no prefix.
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
