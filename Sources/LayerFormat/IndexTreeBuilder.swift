/// Builds the index of a layer from keys in ascending order.
///
/// ```
///        append ──► ┌───────────┐  full: strip the common prefix, try again;
///                   │ open leaf │  still full: write the node out, and append
///                   └─────┬─────┘  its first key and block to the parent,
///                   ┌─────▼──────┐
///                   │ open inner │  … which may be full too
///                   └─────┬──────┘
///   pieces: leaf leaf … inner leaf leaf … inner … root
/// ```
///
/// One node per level is open; the others are already in `pieces`, children before their parents,
/// the root last. A pageserver's writer makes the same bytes from the same keys and values. Memory:
/// the finished blocks, about 8 bytes per key in an image layer of a relation, and up to 80 KiB for
/// each open node.
public struct IndexTreeBuilder: Sendable {
  private let keyByteCount: Int
  /// The open nodes, leaf first.
  private var openNodes: [OpenNode]

  /// The finished nodes in the order of the file, in pieces: a growing index is not moved in memory.
  public private(set) var pieces: [[UInt8]] = []
  private var blockCount = 0
  private let blocksInPiece: Int

  /// The number of keys.
  public private(set) var count = 0

  private var lastKey: IndexKey?

  /// The empty index of an image layer, or of a delta layer, whose pieces have so many bytes, or as
  /// many as a node has.
  public init(ofImageLayer isImage: Bool, pieceByteCount: Int = 1 << 20) {
    blocksInPiece = max(1, pieceByteCount / IndexTree.nodeByteCount)
    keyByteCount = IndexTree.keyByteCount(ofImageLayer: isImage)
    openNodes = [OpenNode(level: 0, keyByteCount: keyByteCount)]
  }

  /// The length of the index in the file in bytes, without nodes that are not open yet.
  public var byteCount: Int { (blockCount + openNodes.count) * IndexTree.nodeByteCount }

  /// Takes the pieces to which nothing will be added; none if there is only one.
  ///
  /// They come before those that stay.
  public mutating func takeFullPieces() -> [[UInt8]] {
    guard pieces.count > 1 else { return [] }
    let last = pieces.removeLast()
    return exchange(&pieces, with: [last])
  }

  /// Adds a key after all others; `value` must be below `IndexTree.valueLimit`.
  ///
  /// Traps if the key is not above the last one, or has an LSN in the index of an image layer.
  /// Takes about 10 ns.
  public mutating func append(_ key: IndexKey, value: UInt64) {
    precondition(value < IndexTree.valueLimit, "a layer file is too large for its index")
    precondition(
      keyByteCount == IndexTree.deltaKeyByteCount || !key.hasLSN, "an image layer has one LSN")
    if let lastKey { precondition(lastKey < key, "keys are in ascending order") }
    count += 1
    lastKey = key
    append(key, value: value, level: 0)
  }

  private mutating func append(_ key: IndexKey, value: UInt64, level: Int) {
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
    openNodes[level].reset()
    if level + 1 == openNodes.count {
      openNodes.append(OpenNode(level: level + 1, keyByteCount: keyByteCount))
    }
    append(firstKey, value: IndexTree.childValue(block: block), level: level + 1)
  }

  /// Writes out the open nodes, the root last, and returns the root's block number.
  ///
  /// Traps if there is no key: a pageserver cannot read an empty index. Nothing can be added
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

  /// Moves the open node of a level to the blocks, and returns its number.
  private mutating func encodeNode(level: Int) -> UInt32 {
    if blockCount.isMultiple(of: blocksInPiece) {
      pieces.append([])
      pieces[pieces.count - 1].reserveCapacity(blocksInPiece * IndexTree.nodeByteCount)
    }
    openNodes[level].encode(into: &pieces[pieces.count - 1])
    blockCount += 1
    return UInt32(blockCount - 1)
  }
}

/// A node that keys can be added to; their common prefix is encoded once.
private struct OpenNode: Sendable {
  private let level: UInt8
  private let keyByteCount: Int
  /// The length of the prefix that is encoded once; 0 until the node is full without it.
  private var prefixByteCount = 0
  private var entries: [(key: IndexKey, value: UInt64)] = []

  init(level: Int, keyByteCount: Int) {
    self.level = UInt8(level)
    self.keyByteCount = keyByteCount
  }

  /// Empties the node, and keeps its memory.
  mutating func reset() {
    prefixByteCount = 0
    entries.removeAll(keepingCapacity: true)
  }

  var firstKey: IndexKey { entries[0].key }

  private var entryByteCount: Int { keyByteCount - prefixByteCount + IndexTree.valueByteCount }

  private var byteCount: Int {
    IndexTree.headerByteCount + prefixByteCount + entries.count * entryByteCount
  }

  /// Adds the key unless the node is full or the key does not have its prefix.
  mutating func append(_ key: IndexKey, value: UInt64) -> Bool {
    guard byteCount + entryByteCount < IndexTree.nodeByteCount,
      prefixByteCount == 0 || firstKey.commonByteCount(with: key) >= prefixByteCount
    else { return false }
    entries.append((key, value))
    return true
  }

  /// Sets the prefix to the common prefix of the first and the last key, and so of all keys.
  mutating func stripPrefix() {
    guard prefixByteCount == 0, entries.count > 1 else { return }
    prefixByteCount = firstKey.commonByteCount(with: entries[entries.count - 1].key)
  }

  func encode(into blocks: inout [UInt8]) {
    blocks.appendBigEndian(UInt16(entries.count))
    blocks.append(level)
    blocks.append(UInt8(prefixByteCount))
    blocks.append(UInt8(keyByteCount - prefixByteCount))
    firstKey.encode(0..<prefixByteCount, into: &blocks)
    for entry in entries { entry.key.encode(prefixByteCount..<keyByteCount, into: &blocks) }
    for entry in entries {
      blocks.append(UInt8(truncatingIfNeeded: entry.value >> 32))
      blocks.appendBigEndian(UInt32(truncatingIfNeeded: entry.value))
    }
    blocks.append(
      contentsOf: repeatElement(0, count: IndexTree.nodeByteCount - byteCount))
  }
}
