/// Builds the index of a layer from keys that come in ascending order.
///
/// ```
///        append ──► ┌───────────┐  full: strip the common prefix, try again;
///                   │ open leaf │  still full: write the node out, and tell its
///                   └─────┬─────┘  first key and block to the parent
///                   ┌─────▼──────┐
///                   │ open inner │  … which may be full in turn
///                   └─────┬──────┘
///   pieces: leaf leaf … inner leaf leaf … inner … root
/// ```
///
/// One node a level is open; the others are in `pieces` already, children before their parents,
/// the root last. The bytes are those that a pageserver's writer makes of the same keys and
/// values. Memory: the finished blocks, about 8 bytes a key in an image layer of a relation.
public struct IndexTreeBuilder: Sendable {
  private let keyByteCount: Int
  /// The open nodes, leaf first.
  private var openNodes: [OpenNode]

  /// The finished nodes, in the order in which they stand in the file, in pieces of 1 MiB: an index
  /// that grows does not move.
  public private(set) var pieces: [[UInt8]] = []
  private var blockCount = 0

  private static let blocksInPiece = (1 << 20) / IndexTree.nodeByteCount

  /// How many keys there are.
  public private(set) var count = 0

  private var lastKey: [UInt8] = []

  /// An empty index with keys of `keyByteCount` bytes.
  public init(keyByteCount: Int) {
    self.keyByteCount = keyByteCount
    openNodes = [OpenNode(level: 0, keyByteCount: keyByteCount)]
  }

  /// The bytes that the index takes in memory and, but for one node a level, in the file.
  public var byteCount: Int { (blockCount + openNodes.count) * IndexTree.nodeByteCount }

  /// Adds a key behind all others; `value` must be below `IndexTree.valueLimit`.
  ///
  /// Traps on a key of another length, or one that is not above the last.
  public mutating func append(_ key: [UInt8], value: UInt64) {
    precondition(value < IndexTree.valueLimit, "a layer file has grown beyond its index' values")
    precondition(
      key.count == keyByteCount && (count == 0 || lastKey.lexicographicallyPrecedes(key)),
      "keys come in ascending order, and all of one length")
    count += 1
    lastKey.replaceSubrange(lastKey.indices, with: key)
    append(key, value: value, level: 0)
  }

  private mutating func append(_ key: [UInt8], value: UInt64, level: Int) {
    if openNodes[level].append(key, value: value) { return }
    openNodes[level].stripPrefix()
    if openNodes[level].append(key, value: value) { return }
    writeOut(level: level)
    let fits = openNodes[level].append(key, value: value)
    precondition(fits, "an empty node has room for a key")
  }

  /// Moves the open node of a level to the blocks and opens an empty one in its place.
  private mutating func writeOut(level: Int) {
    let block = encodeNode(level: level)
    let firstKey = openNodes[level].firstKey
    openNodes[level] = OpenNode(level: level, keyByteCount: keyByteCount)
    if level + 1 == openNodes.count {
      openNodes.append(OpenNode(level: level + 1, keyByteCount: keyByteCount))
    }
    append(firstKey, value: IndexTree.childValue(block: block), level: level + 1)
  }

  /// Writes out what is open, the root last, and gives the root's block number.
  ///
  /// Traps when there is no key: a pageserver cannot read an empty index. Nothing can be added
  /// afterwards.
  public mutating func finish() -> UInt32 {
    precondition(count > 0, "an index has at least one key")
    var level = 0
    while level + 1 < openNodes.count {
      writeOut(level: level)
      level += 1
    }
    let root = encodeNode(level: level)
    openNodes = []
    return root
  }

  /// Moves the open node of a level to the blocks, and gives its number.
  private mutating func encodeNode(level: Int) -> UInt32 {
    if blockCount.isMultiple(of: Self.blocksInPiece) {
      pieces.append([])
      pieces[pieces.count - 1].reserveCapacity(Self.blocksInPiece * IndexTree.nodeByteCount)
    }
    openNodes[level].encode(into: &pieces[pieces.count - 1])
    blockCount += 1
    return UInt32(blockCount - 1)
  }
}

/// A node that still takes keys.
private struct OpenNode: Sendable {
  let level: UInt8
  let keyByteCount: Int
  var prefix: [UInt8] = []
  var suffixes: [UInt8] = []
  var values: [UInt8] = []
  var count = 0

  init(level: Int, keyByteCount: Int) {
    self.level = UInt8(level)
    self.keyByteCount = keyByteCount
    suffixes.reserveCapacity(IndexTree.nodeByteCount)
    values.reserveCapacity(IndexTree.nodeByteCount / 2)
  }

  private var suffixByteCount: Int { keyByteCount - prefix.count }

  private var byteCount: Int {
    IndexTree.headerByteCount + prefix.count + suffixes.count + values.count
  }

  var firstKey: [UInt8] { prefix + suffixes[..<suffixByteCount] }

  /// Takes the key unless the node is full or the key lacks its prefix.
  mutating func append(_ key: [UInt8], value: UInt64) -> Bool {
    guard byteCount + suffixByteCount + IndexTree.valueByteCount < IndexTree.nodeByteCount,
      key.starts(with: prefix)
    else { return false }
    suffixes.append(contentsOf: key[prefix.count...])
    values.append(UInt8(truncatingIfNeeded: value >> 32))
    values.appendBigEndian(UInt32(truncatingIfNeeded: value))
    count += 1
    return true
  }

  /// Moves what the first and the last key, and so all of them, begin with into the prefix.
  mutating func stripPrefix() {
    guard prefix.isEmpty, count > 1 else { return }
    let first = suffixes[..<keyByteCount]
    let last = suffixes[(suffixes.count - keyByteCount)...]
    let common = zip(first, last).prefix { $0 == $1 }.count
    prefix = Array(first.prefix(common))
    var stripped: [UInt8] = []
    stripped.reserveCapacity(IndexTree.nodeByteCount)
    for start in stride(from: 0, to: suffixes.count, by: keyByteCount) {
      stripped.append(contentsOf: suffixes[start + common..<start + keyByteCount])
    }
    suffixes = stripped
  }

  func encode(into blocks: inout [UInt8]) {
    blocks.appendBigEndian(UInt16(count))
    blocks.append(level)
    blocks.append(UInt8(prefix.count))
    blocks.append(UInt8(suffixByteCount))
    blocks.append(contentsOf: prefix)
    blocks.append(contentsOf: suffixes)
    blocks.append(contentsOf: values)
    blocks.append(
      contentsOf: repeatElement(0, count: IndexTree.nodeByteCount - byteCount))
  }
}
