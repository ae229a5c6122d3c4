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

  static let headerByteCount = 5
  static let valueByteCount = 5

  /// Values stay below this: its top bit tells an inner node's values from a leaf's.
  public static let valueLimit: UInt64 = 1 << 39

  /// The length of an image layer's keys: the key alone.
  public static let imageKeyByteCount = Key.byteCount

  /// The length of a delta layer's keys: the key, then the LSN.
  public static let deltaKeyByteCount = Key.byteCount + 8

  /// The first byte of what inner nodes hold.
  static let childMark: UInt64 = 0x80

  /// What inner nodes hold for the child in this block.
  static func childValue(block: UInt32) -> UInt64 { childMark << 32 | UInt64(block) }
}
