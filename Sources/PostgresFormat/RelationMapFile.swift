/// The files of the catalogs that a server needs to find all others: `pg_filenode.map`.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 magic, 592717
///          4    4 number of pairs in use
///          8 8xN  pairs of the oid of a catalog and the number of its file; N is 62, or 64 from
///                 version 16 on
///     8+8*N    4 CRC-32C of all before it; before version 16, zeros up to 512 bytes
///
/// (Postgres, `src/backend/utils/cache/relmapper.c`, `RelMapFile`.) A timeline stores it as it is.
public enum RelationMapFile {
  /// Checks the whole file.
  ///
  /// - Throws: `damaged` if a server would not read it.
  public static func check(_ bytes: RawSpan, version: PostgresVersion) throws(FormatError) {
    let pairLimit = version >= .v16 ? 64 : 62
    let checksumOffset = 8 + 8 * pairLimit
    let byteCount = version >= .v16 ? checksumOffset + 4 : 512
    guard bytes.byteCount == byteCount else {
      throw .damaged("the relation map has \(bytes.byteCount) bytes, not \(byteCount)")
    }
    guard bytes.littleEndian(at: 0, as: UInt32.self) == magic else {
      throw .damaged("the magic number of the relation map is wrong")
    }
    guard
      bytes.littleEndian(at: checksumOffset, as: UInt32.self)
        == CRC32C.checksum(of: bytes.extracting(0..<checksumOffset))
    else { throw .damaged("the checksum of the relation map does not match its contents") }
    guard bytes.littleEndian(at: 4, as: UInt32.self) <= pairLimit else {
      throw .damaged("the relation map counts more than \(pairLimit) pairs")
    }
  }

  /// The pairs of a checked map.
  public static func pairs(of bytes: RawSpan) -> [(catalog: UInt32, relationNumber: UInt32)] {
    (0..<Int(bytes.littleEndian(at: 4, as: UInt32.self))).map { index in
      (
        catalog: bytes.littleEndian(at: 8 + 8 * index),
        relationNumber: bytes.littleEndian(at: 12 + 8 * index)
      )
    }
  }

  /// The mapped relations that a server reads before it can look anything up, and that have a page
  /// in every cluster: tables that are never empty, and indexes, which always have a first page.
  /// (`src/include/catalog/pg_*.h`; `src/backend/utils/cache/relcache.c`,
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
