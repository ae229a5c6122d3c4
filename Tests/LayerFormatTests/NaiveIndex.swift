/// The index as the format describes it, made the slow way: one level after the other, and only
/// then the order in which the nodes are written.
///
/// Shares no code with `IndexTreeBuilder`.
struct NaiveIndex {
  /// A node: the entries of its level that it contains, and the length of its prefix in bytes.
  private struct Node {
    var entries: Range<Int>
    var prefixByteCount: Int
  }

  private let keys: [[UInt8]]
  private let values: [UInt64]
  /// The nodes of each level, the leaves first.
  private var levels: [[Node]] = []

  init(keys: [[UInt8]], values: [UInt64]) {
    self.keys = keys
    self.values = values
    var firstKeys = keys
    repeat {
      let nodes = Self.split(firstKeys)
      levels.append(nodes)
      firstKeys = nodes.map { firstKeys[$0.entries.lowerBound] }
    } while firstKeys.count > 1
  }

  var levelCount: Int { levels.count }

  /// The number of keys before each leaf except the first.
  var leafStarts: [Int] { levels[0].dropFirst().map(\.entries.lowerBound) }

  /// The number of keys with which the tree first has three levels; nil if it never has.
  var firstCountOfThreeLevels: Int? {
    guard levelCount > 2 else { return nil }
    return levels[0][levels[1][1].entries.lowerBound].entries.lowerBound + 1
  }

  private static func split(_ keys: [[UInt8]]) -> [Node] {
    var nodes: [Node] = []
    var node = Node(entries: 0..<0, prefixByteCount: 0)
    for index in keys.indices {
      if !fits(index, node, keys), node.prefixByteCount == 0 {
        node.prefixByteCount = commonByteCount(keys[node.entries])
      }
      if !fits(index, node, keys) {
        nodes.append(node)
        node = Node(entries: index..<index, prefixByteCount: 0)
      }
      node.entries = node.entries.lowerBound..<index + 1
    }
    return nodes + [node]
  }

  private static func fits(_ index: Int, _ node: Node, _ keys: [[UInt8]]) -> Bool {
    guard !node.entries.isEmpty else { return true }
    let key = keys[index]
    let prefix = node.prefixByteCount
    guard key[..<prefix] == keys[node.entries.lowerBound][..<prefix] else { return false }
    return 5 + prefix + (node.entries.count + 1) * (key.count - prefix + 5) < 8192
  }

  private static func commonByteCount(_ keys: ArraySlice<[UInt8]>) -> Int {
    guard let first = keys.first else { return 0 }
    return first.indices.first { position in
      keys.contains { $0[position] != first[position] }
    } ?? first.count
  }

  /// The bytes of the nodes in the order of the file, the root last.
  ///
  /// A node is written when its next sibling gets its first entry, or at the end, from the leaf up;
  /// and the first entry of a sibling is the node written just before.
  func blocks() -> [UInt8] {
    var order: [(level: Int, index: Int)] = []
    var numbers = levels.map { [UInt32](repeating: 0, count: $0.count) }
    func write(_ level: Int, _ index: Int) {
      numbers[level][index] = UInt32(order.count)
      order.append((level, index))
      guard level + 1 < levels.count,
        let parent = levels[level + 1].firstIndex(where: { $0.entries.lowerBound == index }),
        parent > 0
      else { return }
      write(level + 1, parent - 1)
    }
    for leaf in levels[0].indices { write(0, leaf) }
    for level in levels.indices.dropFirst() { write(level, levels[level].count - 1) }
    return order.flatMap { encode(levels[$0.level][$0.index], level: $0.level, numbers) }
  }

  /// The first key below an entry of a level.
  private func key(_ level: Int, _ entry: Int) -> [UInt8] {
    level == 0 ? keys[entry] : key(level - 1, levels[level - 1][entry].entries.lowerBound)
  }

  private func encode(_ node: Node, level: Int, _ numbers: [[UInt32]]) -> [UInt8] {
    let prefix = key(level, node.entries.lowerBound).prefix(node.prefixByteCount)
    let suffixByteCount = keys[0].count - prefix.count
    var page = [
      UInt8(node.entries.count >> 8), UInt8(node.entries.count & 0xFF), UInt8(level),
      UInt8(prefix.count), UInt8(suffixByteCount),
    ]
    page += prefix
    for entry in node.entries { page += key(level, entry).dropFirst(prefix.count) }
    for entry in node.entries {
      let value = level == 0 ? values[entry] : 0x80_0000_0000 + UInt64(numbers[level - 1][entry])
      for shift in [32, 24, 16, 8, 0] as [UInt64] { page.append(UInt8(value >> shift & 0xFF)) }
    }
    return page + [UInt8](repeating: 0, count: 8192 - page.count)
  }
}
