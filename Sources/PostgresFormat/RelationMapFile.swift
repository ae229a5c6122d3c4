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

  /// The number of a catalog's file in a map that need not have been checked; nil if it is not there.
  public static func relationNumber(of catalog: UInt32, in bytes: RawSpan) -> UInt32? {
    guard bytes.byteCount >= 8 else { return nil }
    let count = min(
      Int(bytes.littleEndian(at: 4, as: UInt32.self)), (bytes.byteCount - 8) / 8)
    let index = (0..<count).first {
      bytes.littleEndian(at: 8 + 8 * $0, as: UInt32.self) == catalog
    }
    return index.map { bytes.littleEndian(at: 12 + 8 * $0) }
  }

  /// The mapped relations that a server reads before it can look anything up, and that have a page
  /// in every cluster: tables that are never empty, and indexes, which always have a first page.
  /// (`src/include/catalog/pg_*.h`; `src/backend/utils/cache/relcache.c`,
  /// `RelationCacheInitializePhase3`)
  public static let neverEmpty: [UInt32: String] = [
    1247: "pg_type", 2703: "pg_type_oid_index", 2704: "pg_type_typname_nsp_index",
    attributeCatalog: "pg_attribute", 2658: "pg_attribute_relid_attnam_index",
    2659: "pg_attribute_relid_attnum_index",
    1255: "pg_proc", 2690: "pg_proc_oid_index", 2691: "pg_proc_proname_args_nsp_index",
    classCatalog: "pg_class", 2662: "pg_class_oid_index", 2663: "pg_class_relname_nsp_index",
    3455: "pg_class_tblspc_relfilenode_index",
    tablespaceCatalog: "pg_tablespace", 2697: "pg_tablespace_oid_index",
    2698: "pg_tablespace_spcname_index",
    1260: "pg_authid", 2676: "pg_authid_rolname_index", 2677: "pg_authid_oid_index",
    databaseCatalog: "pg_database", 2671: "pg_database_datname_index",
    2672: "pg_database_oid_index",
  ]

  /// A mapped relation in words: by name if it is in `neverEmpty`, otherwise by oid.
  public static func describe(_ catalog: UInt32) -> String {
    "system catalog \(neverEmpty[catalog] ?? "with oid \(catalog)")"
  }

  /// `pg_class`.
  public static let classCatalog: UInt32 = 1259
  /// `pg_attribute`.
  public static let attributeCatalog: UInt32 = 1249
  /// `pg_database`.
  public static let databaseCatalog: UInt32 = 1262
  /// `pg_tablespace`.
  public static let tablespaceCatalog: UInt32 = 1213

  private static let magic: UInt32 = 0x59_2717
}
