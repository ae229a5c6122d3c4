import PostgresFormat

/// A checked node of an index: every key and value in it can be read.
public struct IndexNode: Sendable {
  private let bytes: [UInt8]
  private let keyByteCount: Int
  private let prefixByteCount: Int
  private let suffixByteCount: Int

  /// The number of keys in the node.
  public let count: Int

  /// The distance from the leaves: 0 for a leaf.
  public let level: Int

  /// Checks the 8192 bytes of a node with keys of `keyByteCount` bytes.
  ///
  /// Throws unless the lengths match each other and the page, keys ascend strictly, values are of
  /// the level's kind, and zeros fill the rest. Cost: one pass over the keys.
  public init(decoding page: RawSpan, keyByteCount: Int) throws(FormatError) {
    guard page.byteCount == IndexTree.nodeByteCount else {
      throw .damaged("an index node is cut off")
    }
    self.keyByteCount = keyByteCount
    count = Int(page.bigEndian(at: 0, as: UInt16.self))
    level = Int(page.bigEndian(at: 2, as: UInt8.self))
    prefixByteCount = Int(page.bigEndian(at: 3, as: UInt8.self))
    suffixByteCount = Int(page.bigEndian(at: 4, as: UInt8.self))
    bytes = page.array
    let end =
      IndexTree.headerByteCount + prefixByteCount
      + count * (suffixByteCount + IndexTree.valueByteCount)
    guard count > 0, prefixByteCount + suffixByteCount == keyByteCount, suffixByteCount > 0,
      end <= IndexTree.nodeByteCount
    else {
      throw .damaged(
        "an index node has impossible lengths: \(count) keys, prefix \(prefixByteCount) and suffix "
          + "\(suffixByteCount) bytes")
    }
    guard bytes[end...].allSatisfy({ $0 == 0 }) else {
      throw .damaged("the unused bytes of an index node are not zero")
    }
    try checkEntries()
  }

  private func checkEntries() throws(FormatError) {
    for index in 0..<count {
      // The first of a value's five bytes: below 80 in a leaf, exactly 80 in an inner node.
      let mark = rawValue(at: index) >> 32
      guard level == 0 ? mark < IndexTree.childMark : mark == IndexTree.childMark else {
        throw .damaged("a value in an index node of level \(level) is of the wrong kind")
      }
      guard index == 0 || suffix(at: index - 1).lexicographicallyPrecedes(suffix(at: index)) else {
        throw .damaged("the keys of an index node are not in ascending order")
      }
    }
  }

  private func suffix(at index: Int) -> ArraySlice<UInt8> {
    let start = IndexTree.headerByteCount + prefixByteCount + index * suffixByteCount
    return bytes[start..<start + suffixByteCount]
  }

  private func rawValue(at index: Int) -> UInt64 {
    let start =
      IndexTree.headerByteCount + prefixByteCount + count * suffixByteCount
      + index * IndexTree.valueByteCount
    return bytes[start..<start + IndexTree.valueByteCount].reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The bytes of a key.
  public func key(at index: Int) -> [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(keyByteCount)
    key += bytes[IndexTree.headerByteCount..<IndexTree.headerByteCount + prefixByteCount]
    key += suffix(at: index)
    return key
  }

  /// A value of a leaf.
  public func value(at index: Int) -> UInt64 {
    precondition(level == 0, "only leaves have values")
    return rawValue(at: index)
  }

  /// The block number of a child of an inner node, counted from the start of the index.
  public func child(at index: Int) -> UInt32 {
    precondition(level > 0, "a leaf has no children")
    return UInt32(truncatingIfNeeded: rawValue(at: index))
  }
}
