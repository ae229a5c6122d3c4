import LayerFormat
import PostgresFormat
import System

/// One key of a layer's index.
package struct LayerEntry: Equatable, Sendable {
  /// The key of the value.
  package var key: Key
  /// The LSN of a delta layer's value; nil in an image layer.
  package var lsn: LogSequenceNumber?
  /// Where the value's blob begins.
  package var offset: UInt64
  /// Whether the value needs no older one: an image, or a record that initialises its page.
  package var standsAlone: Bool

  /// Takes a leaf's key and value apart.
  package init(_ node: IndexNode, _ index: Int, isImageLayer: Bool) {
    let bytes = node.key(at: index)
    let value = node.value(at: index)
    key = Key(decoding: bytes.bytes)
    if isImageLayer {
      lsn = nil
      offset = value
      standsAlone = true
    } else {
      lsn = LogSequenceNumber(rawValue: bytes.bytes.bigEndian(at: Key.byteCount))
      offset = value >> 1
      standsAlone = value & 1 == 1
    }
  }
}

/// Point lookups: from a key to its entry.
extension LayerFile {
  /// The newest entry of a key; nil if the layer has none.
  ///
  /// In a delta layer it is the newest below `end`. Reads one node a level, and checks no more of
  /// the index than the nodes on the way.
  package func entry(
    of key: Key, before end: LogSequenceNumber = LogSequenceNumber(rawValue: .max)
  ) throws(Failure) -> LayerEntry? {
    var bound: [UInt8] = []
    key.encode(into: &bound)
    if !name.isImage {
      guard end.rawValue > 0 else { return nil }
      bound.appendBigEndian(end.rawValue - 1)
    }
    var node = try existingNode(summary.indexRoot)
    while let index = Self.lastIndex(in: node, notAfter: bound) {
      guard node.level > 0 else {
        let entry = LayerEntry(node, index, isImageLayer: name.isImage)
        return entry.key == key ? entry : nil
      }
      let block = node.child(at: index)
      let child = try existingNode(block)
      guard child.level == node.level - 1 else {
        throw failure(
          "index block \(block) of level \(child.level) is below one of level \(node.level)")
      }
      node = child
    }
    return nil
  }

  private func existingNode(_ block: UInt32) throws(Failure) -> IndexNode {
    guard block < indexBlockCount else { throw failure("index block \(block) does not exist") }
    return try node(block)
  }

  /// The position of the last key that is not after `bound`; nil if even the first is.
  private static func lastIndex(in node: IndexNode, notAfter bound: [UInt8]) -> Int? {
    var low = 0
    var high = node.count
    while low < high {
      let middle = (low + high) / 2
      if bound.lexicographicallyPrecedes(node.key(at: middle)) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low == 0 ? nil : low - 1
  }
}

/// Walks the whole index of a layer in key order, and is strict about it.
///
/// Every node must be reached exactly once, a child one level below its parent, under the key that
/// the parent has for it, and keys must ascend and be within the layer. Levels fall on every step
/// down, so an index that loops ends in an error. Memory: one node a level.
package struct LayerIndexCursor {
  private struct Step {
    var node: IndexNode
    var next = 0
  }

  private let layer: LayerFile
  private var path: [Step] = []
  private var visitedCount: UInt32 = 0
  private var last: [UInt8] = []

  /// Begins before the first key, and reads the root.
  ///
  /// Throws `.damaged` if the root is not a valid node.
  package init(_ layer: LayerFile) throws(Failure) {
    self.layer = layer
    path = [Step(node: try visit(layer.summary.indexRoot))]
  }

  /// The next key; nil after the last, when every node has been visited.
  package mutating func next() throws(Failure) -> LayerEntry? {
    while let step = path.last {
      guard step.next < step.node.count else {
        path.removeLast()
        continue
      }
      path[path.count - 1].next += 1
      if step.node.level == 0 { return try entry(step.node, step.next) }
      try descend(into: step.node.child(at: step.next), from: step.node, step.next)
    }
    guard visitedCount == layer.indexBlockCount else {
      throw layer.failure(
        "\(visitedCount) of \(layer.indexBlockCount) index blocks are reachable from the root")
    }
    return nil
  }

  private mutating func visit(_ block: UInt32) throws(Failure) -> IndexNode {
    guard block < layer.indexBlockCount, visitedCount < layer.indexBlockCount else {
      throw layer.failure("index block \(block) does not exist or is reached twice")
    }
    visitedCount += 1
    return try layer.node(block)
  }

  private mutating func descend(
    into block: UInt32, from parent: IndexNode, _ index: Int
  ) throws(Failure) {
    let child = try visit(block)
    guard child.level == parent.level - 1 else {
      throw layer.failure(
        "index block \(block) of level \(child.level) is below one of level \(parent.level)")
    }
    guard child.key(at: 0) == parent.key(at: index) else {
      throw layer.failure("index block \(block) does not start with the key of its parent")
    }
    path.append(Step(node: child))
  }

  private mutating func entry(
    _ node: IndexNode, _ index: Int
  ) throws(Failure) -> LayerEntry {
    let bytes = node.key(at: index)
    guard last.isEmpty || last.lexicographicallyPrecedes(bytes) else {
      throw layer.failure("the keys of the index are not in ascending order")
    }
    last = bytes
    let entry = LayerEntry(node, index, isImageLayer: layer.name.isImage)
    let lsns = layer.name.lsns
    guard layer.name.keys.contains(entry.key), lsns.contains(entry.lsn ?? lsns.lowerBound) else {
      throw layer.failure("key \(entry.key) is outside the ranges of the layer")
    }
    return entry
  }
}
