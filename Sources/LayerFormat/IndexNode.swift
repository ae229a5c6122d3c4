import PostgresFormat

/// The shape of an index: a B-tree of 8192-byte nodes from keys to the offsets of blobs.
///
/// ```
/// OFFSET SIZE MEANING
///      0    2 children
///      2    1 level: 0 for leaves
///      3    1 prefix length P
///      4    1 suffix length S
///      5    P what all keys of the node begin with
///    5+P  N*S the rest of each key
///           5 a value for each key
///             zeros up to 8192
/// ```
///
/// A leaf's value is the offset of a blob (in a delta layer: twice that, plus 1 where the value
/// stands alone); an inner node's is byte 80 and the number of the child's block, whose first key
/// is the key here. (Neon, `pageserver/src/tenant/disk_btree.rs`; Docs/format.md, Index)
public enum IndexTree {
  /// The length of a node in bytes.
  public static let nodeByteCount = 8192

  @usableFromInline static let headerByteCount = 5
  @usableFromInline static let valueByteCount = 5

  /// Values stay below this: its top bit tells an inner node's values from a leaf's.
  public static let valueLimit: UInt64 = 1 << 39

  /// The length of an image layer's keys: the key alone.
  public static let imageKeyByteCount = Key.byteCount

  /// The length of a delta layer's keys: the key, then the LSN.
  public static let deltaKeyByteCount = Key.byteCount + 8

  static let childMark: UInt64 = 0x80_0000_0000

  /// What inner nodes hold for the child in this block.
  static func childValue(block: UInt32) -> UInt64 { childMark | UInt64(block) }
}

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
      let isChild = rawValue(at: index) & IndexTree.childMark != 0
      guard isChild == (level > 0) else {
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
    Array(bytes[IndexTree.headerByteCount..<IndexTree.headerByteCount + prefixByteCount])
      + suffix(at: index)
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
