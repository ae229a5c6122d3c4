/// The format of an index: a B-tree of 8192-byte nodes from keys to the offsets of blobs.
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
/// A value of a leaf is the offset of a blob (in a delta layer: twice that, plus 1 if the value can
/// be read without older ones). A value of an inner node is byte 80 and the block number of the
/// child, and the key is the first key of the child. (Neon, `pageserver/src/tenant/disk_btree.rs`;
/// Docs/format.md, Index)
public enum IndexTree {
  /// The length of a node in bytes.
  public static let nodeByteCount = 8192

  static let headerByteCount = 5
  static let valueByteCount = 5

  /// Values of leaves are below this; the top bit marks the values of inner nodes.
  public static let valueLimit: UInt64 = 1 << 39

  /// The length of keys in an image layer: the key alone.
  public static let imageKeyByteCount = Key.byteCount

  /// The length of keys in a delta layer: the key, then the LSN.
  public static let deltaKeyByteCount = Key.byteCount + 8

  /// The length of keys in the index of a layer.
  public static func keyByteCount(ofImageLayer isImage: Bool) -> Int {
    isImage ? imageKeyByteCount : deltaKeyByteCount
  }

  /// The first byte of the values of inner nodes.
  static let childMark: UInt64 = 0x80

  /// The value of an inner node for the child in this block.
  static func childValue(block: UInt32) -> UInt64 { childMark << 32 | UInt64(block) }
}
