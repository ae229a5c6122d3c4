import PostgresFormat

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
