import PostgresFormat

/// The header before each value in a layer file.
///
/// ```
/// plain length < 128     0LLLLLLL                                then the bytes
/// plain length >= 128    1CCCLLLL LLLLLLLL LLLLLLLL LLLLLLLL     then the bytes
/// ```
///
/// CCC is 000 for plain and 001 for zstd; L is the length of the bytes that follow, compressed if
/// they are compressed. (Neon, `pageserver/src/tenant/blob_io.rs`; Docs/format.md, Blobs)
public struct BlobHeader: Equatable, Sendable {
  /// Values shorter than this are stored plain, after a header of one byte.
  public static let shortLimit = 128

  /// The length of the longest stored value in bytes.
  public static let maximumByteCount = (1 << 28) - 1

  /// The length of a long header in bytes.
  public static let longByteCount = 4

  /// The number of bytes that follow the header.
  public var byteCount: Int

  /// Whether a zstd frame follows the header rather than the value itself.
  public var isCompressed: Bool

  /// The header before `byteCount` bytes.
  @inlinable
  public init(byteCount: Int, isCompressed: Bool) {
    self.byteCount = byteCount
    self.isCompressed = isCompressed
  }

  /// The four bytes of a long header, as a big-endian number: for values of at least 128 bytes, and
  /// for all compressed values.
  @inlinable
  public var long: UInt32 {
    precondition(byteCount <= Self.maximumByteCount, "the value is too long for a blob")
    return 0x8000_0000 | (isCompressed ? 0x1000_0000 : 0) | UInt32(byteCount)
  }

  /// Appends the header: the short form if it can be used.
  public func encode(into bytes: inout [UInt8]) {
    if byteCount < Self.shortLimit && !isCompressed {
      bytes.append(UInt8(byteCount))
    } else {
      bytes.appendBigEndian(long)
    }
  }

  /// Reads the header at `offset`, and its own length in bytes.
  ///
  /// Throws if it is cut off, its compression is unknown, or it is long without need.
  @inlinable
  public static func decode(
    _ bytes: RawSpan, at offset: Int
  ) throws(FormatError) -> (header: BlobHeader, headerByteCount: Int) {
    guard offset < bytes.byteCount else {
      throw .damaged("the header of a value is outside the file")
    }
    let first: UInt8 = bytes.bigEndian(at: offset)
    if first < 0x80 { return (BlobHeader(byteCount: Int(first), isCompressed: false), 1) }
    guard offset + longByteCount <= bytes.byteCount else {
      throw .damaged("the header of a value is cut off")
    }
    let compression = first >> 4 & 7
    guard compression <= 1 else { throw .damaged("unknown compression \(compression)") }
    let long: UInt32 = bytes.bigEndian(at: offset)
    let header = BlobHeader(byteCount: Int(long & 0x0FFF_FFFF), isCompressed: compression == 1)
    guard header.isCompressed || header.byteCount >= shortLimit else {
      throw .damaged("a value of \(header.byteCount) bytes has a long header")
    }
    return (header, longByteCount)
  }
}

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
