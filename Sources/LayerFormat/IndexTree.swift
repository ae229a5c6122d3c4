import PostgresFormat

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

/// A key in the index of a layer: the 18 bytes of a `Key`, followed by an LSN in a delta layer.
///
/// ```
/// OFFSET SIZE MEANING
///      0   18 key
///     18    8 LSN, big-endian; in delta layers only
/// ```
///
/// Keys are compared as bytes. They are held as integers, as most of the work on an index is
/// comparing.
/// (Neon, `pageserver/src/tenant/storage_layer/delta_layer.rs`, `DeltaKey`; Docs/format.md, Index)
public struct IndexKey: Sendable {
  // The bytes as big-endian integers of 8, 8, 8 and 2 bytes; an image layer has zeros for the LSN.
  private let words: (UInt64, UInt64, UInt64)
  private let tail: UInt16

  /// A key of an image layer.
  public init(_ key: Key) {
    words = (key.high, key.middle, UInt64(key.low) << 48)
    tail = 0
  }

  /// A key of a delta layer.
  public init(_ key: Key, at lsn: LogSequenceNumber) {
    words = (key.high, key.middle, UInt64(key.low) << 48 | lsn.rawValue >> 16)
    tail = UInt16(truncatingIfNeeded: lsn.rawValue)
  }

  /// Whether any byte after the 18 of an image layer's key is not zero.
  var hasLSN: Bool { words.2 << 16 != 0 || tail != 0 }

  /// The length of the common prefix of two keys in bytes: 26 if they are equal.
  func commonByteCount(with other: IndexKey) -> Int {
    let differences = (
      words.0 ^ other.words.0, words.1 ^ other.words.1, words.2 ^ other.words.2, tail ^ other.tail
    )
    if differences.0 != 0 { return differences.0.leadingZeroBitCount / 8 }
    if differences.1 != 0 { return 8 + differences.1.leadingZeroBitCount / 8 }
    if differences.2 != 0 { return 16 + differences.2.leadingZeroBitCount / 8 }
    return 24 + differences.3.leadingZeroBitCount / 8
  }

  /// Appends the bytes in `range`, which must be within the 18 or 26 of the key.
  func encode(_ range: Range<Int>, into bytes: inout [UInt8]) {
    for offset in range {
      let byte =
        switch offset >> 3 {
        case 0: words.0 >> (56 - 8 * offset)
        case 1: words.1 >> (120 - 8 * offset)
        case 2: words.2 >> (184 - 8 * offset)
        default: UInt64(tail) >> (200 - 8 * offset)
        }
      bytes.append(UInt8(truncatingIfNeeded: byte))
    }
  }
}

extension IndexKey: Comparable {
  /// Whether all 26 bytes are the same.
  public static func == (left: IndexKey, right: IndexKey) -> Bool {
    left.words == right.words && left.tail == right.tail
  }

  /// The order of the bytes: by key, then by LSN.
  public static func < (left: IndexKey, right: IndexKey) -> Bool {
    if left.words != right.words { return left.words < right.words }
    return left.tail < right.tail
  }
}
