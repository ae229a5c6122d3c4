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
