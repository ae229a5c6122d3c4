/// Which files the catalogs lie in that a server needs to find all others: `pg_filenode.map`.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 magic, 592717
///          4    4 how many of the pairs count
///          8 8xN  pairs of a catalog's oid and its file's number; N is 62, from version 16 on 64
///     8+8*N    4 CRC-32C of all before it; zeros up to 512 bytes before version 16
///
/// (Postgres, `src/backend/utils/cache/relmapper.c`, `RelMapFile`.) A timeline stores it as it is.
public enum RelationMapFile {
  /// Checks the whole file.
  ///
  /// - Throws: `damaged` where a server would not read it.
  public static func check(_ bytes: RawSpan, version: PostgresVersion) throws(FormatError) {
    let pairLimit = version >= .v16 ? 64 : 62
    let checksumOffset = 8 + 8 * pairLimit
    let byteCount = version >= .v16 ? checksumOffset + 4 : 512
    guard bytes.byteCount == byteCount else {
      throw .damaged("a relation map has \(byteCount) bytes, not \(bytes.byteCount)")
    }
    guard bytes.littleEndian(at: 0, as: UInt32.self) == magic else {
      throw .damaged("the magic number of the relation map is wrong")
    }
    guard
      bytes.littleEndian(at: checksumOffset, as: UInt32.self)
        == CRC32C.checksum(of: bytes.extracting(0..<checksumOffset))
    else { throw .damaged("the checksum of the relation map does not match its contents") }
    guard bytes.littleEndian(at: 4, as: UInt32.self) <= pairLimit else {
      throw .damaged("the relation map has more pairs than there is room for")
    }
  }

  private static let magic: UInt32 = 0x59_2717
}
