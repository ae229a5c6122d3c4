import PostgresFormat

/// The wrapping of values in a delta layer.
///
/// ```
/// u32 0, u64 length, the bytes     an image
/// u32 1, a record                  a WAL record, which only a pageserver can replay
/// ```
///
/// Big-endian. (Neon, `libs/wal_decoder/src/models/value.rs`; Docs/format.md, Blobs)
public enum DeltaValue {
  /// The length of the header before an image in bytes.
  public static let imageHeaderByteCount = 12

  /// Stores the header of an image of `byteCount` bytes at `offset`.
  @inlinable
  public static func storeImageHeader(
    byteCount: Int, in bytes: inout MutableRawSpan, at offset: Int
  ) {
    bytes.storeBytes(of: 0, toByteOffset: offset, as: UInt32.self)
    bytes.storeBytes(of: UInt64(byteCount).bigEndian, toByteOffset: offset + 4, as: UInt64.self)
  }

  /// Appends the header of an image of `byteCount` bytes.
  public static func encodeImageHeader(byteCount: Int, into bytes: inout [UInt8]) {
    bytes.appendBigEndian(UInt32(0))
    bytes.appendBigEndian(UInt64(byteCount))
  }

  /// Whether the value is an image rather than a record; checks the length of an image.
  ///
  /// The bytes of an image begin at `imageHeaderByteCount`.
  public static func isImage(_ value: RawSpan) throws(FormatError) -> Bool {
    guard value.byteCount >= 4 else { throw .damaged("a value in a delta layer is cut off") }
    switch value.bigEndian(at: 0, as: UInt32.self) {
    case 0:
      guard value.byteCount >= imageHeaderByteCount,
        value.bigEndian(at: 4, as: UInt64.self) == UInt64(value.byteCount - imageHeaderByteCount)
      else { throw .damaged("an image in a delta layer has the wrong length") }
      return true
    case 1: return false
    case let kind: throw .damaged("a value in a delta layer is of unknown kind \(kind)")
    }
  }
}
