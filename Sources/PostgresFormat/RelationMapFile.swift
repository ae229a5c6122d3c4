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

  /// The pairs of a map that was checked.
  public static func pairs(of bytes: RawSpan) -> [(catalog: UInt32, relationNumber: UInt32)] {
    (0..<Int(bytes.littleEndian(at: 4, as: UInt32.self))).map { index in
      (
        catalog: bytes.littleEndian(at: 8 + 8 * index),
        relationNumber: bytes.littleEndian(at: 12 + 8 * index)
      )
    }
  }

  /// The mapped relations that a server reads before it can look anything up, and that have a page
  /// in every cluster: tables that are never empty, and indexes, which begin with a page of their
  /// own. (`src/include/catalog/pg_*.h`; `src/backend/utils/cache/relcache.c`,
  /// `RelationCacheInitializePhase3`)
  public static let neverEmpty: Set<UInt32> = [
    // pg_type, pg_attribute, pg_proc, pg_class, and the indexes of these
    1247, 1249, 1255, 1259, 2703, 2704, 2658, 2659, 2690, 2691, 2662, 2663, 3455,
    // pg_tablespace, pg_authid, pg_database, and the indexes of these
    tablespaceCatalog, 1260, databaseCatalog, 2697, 2698, 2676, 2677, 2671, 2672,
  ]

  /// `pg_database`.
  public static let databaseCatalog: UInt32 = 1262
  /// `pg_tablespace`.
  public static let tablespaceCatalog: UInt32 = 1213

  private static let magic: UInt32 = 0x59_2717
}
