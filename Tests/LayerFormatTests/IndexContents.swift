import PostgresFormat

@testable import LayerFormat

/// The contents of an index, read node by node from its root.
struct IndexContents: Equatable {
  var keys: [[UInt8]] = []
  var values: [UInt64] = []
  /// The number of nodes on all levels.
  var nodeCount = 0
  /// The levels of the tree.
  var levelCount = 0

  struct Malformed: Error {
    var reason: String
  }

  init(blocks: [UInt8], root: UInt32, keyByteCount: Int) throws {
    levelCount = try node(root, in: blocks, keyByteCount).level + 1
    try walk(root, level: levelCount - 1, firstKey: nil, blocks, keyByteCount)
  }

  private func node(_ block: UInt32, in blocks: [UInt8], _ keyByteCount: Int) throws -> IndexNode {
    let start = Int(block) * IndexTree.nodeByteCount
    guard start + IndexTree.nodeByteCount <= blocks.count else {
      throw Malformed(reason: "block \(block) is outside the index")
    }
    return try Array(blocks[start..<start + IndexTree.nodeByteCount]).withBytes {
      page throws(FormatError) in
      try IndexNode(decoding: page, keyByteCount: keyByteCount)
    }
  }

  private mutating func walk(
    _ block: UInt32, level: Int, firstKey: [UInt8]?, _ blocks: [UInt8], _ keyByteCount: Int
  ) throws {
    let node = try node(block, in: blocks, keyByteCount)
    nodeCount += 1
    guard node.level == level else { throw Malformed(reason: "block \(block): wrong level") }
    guard firstKey == nil || firstKey == node.key(at: 0) else {
      throw Malformed(reason: "block \(block) does not begin with its parent's key")
    }
    for index in 0..<node.count {
      if level > 0 {
        try walk(
          node.child(at: index), level: level - 1, firstKey: node.key(at: index), blocks,
          keyByteCount)
      } else {
        keys.append(node.key(at: index))
        values.append(node.value(at: index))
      }
    }
  }
}
