import PostgresFormat

/// A node of an index that has been checked: every key and value in it can be taken.
public struct IndexNode: Sendable {
  private let bytes: [UInt8]
  private let keyByteCount: Int
  private let prefixByteCount: Int
  private let suffixByteCount: Int

  /// How many keys the node has.
  public let count: Int

  /// 0 for a leaf, one more for each step up.
  public let level: Int

  /// Checks the 8192 bytes of a node with keys of `keyByteCount` bytes.
  ///
  /// Throws unless the lengths fit each other and the page, keys ascend strictly, values are of
  /// the level's kind, and zeros fill the rest. Costs one pass over the keys.
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
        "an index node of \(count) keys, prefix \(prefixByteCount) and suffix \(suffixByteCount) "
          + "bytes is impossible")
    }
    guard bytes[end...].allSatisfy({ $0 == 0 }) else {
      throw .damaged("bytes other than zeros follow an index node's values")
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
        throw .damaged("the keys of an index node do not ascend")
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

  /// The key's bytes.
  public func key(at index: Int) -> [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(keyByteCount)
    key += bytes[IndexTree.headerByteCount..<IndexTree.headerByteCount + prefixByteCount]
    key += suffix(at: index)
    return key
  }

  /// A leaf's value.
  public func value(at index: Int) -> UInt64 {
    precondition(level == 0, "only leaves have values")
    return rawValue(at: index)
  }

  /// The block number of an inner node's child, counted from the index' start.
  public func child(at index: Int) -> UInt32 {
    precondition(level > 0, "a leaf has no children")
    return UInt32(truncatingIfNeeded: rawValue(at: index))
  }
}
