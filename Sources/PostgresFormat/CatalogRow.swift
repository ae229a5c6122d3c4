/// A row of `pg_database` or `pg_tablespace` that is visible to every transaction, as far as its
/// page shows.
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 xmin: the transaction that inserted it
///          4    4 xmax: the transaction that deleted or locked it
///         20    2 hint bits for both (`HEAP_…`)
///         22    1 offset of the columns: oid (4 bytes), name (64 bytes), …
///
/// (Postgres, `src/include/access/htup_details.h`.) Whether a transaction has committed is recorded
/// in `pg_xact`; the hint bits of the row show it once any query has read the row. Rows without
/// hint bits are skipped: a row that is found exists, but a row that is not found may exist too.
public struct CatalogRow: Equatable, Sendable {
  /// The oid of the database or tablespace.
  public let oid: UInt32
  /// Its name, escaped.
  public let name: String
  /// Whether it is a database that was dropped in part, so that files of it may be missing.
  /// (`src/include/catalog/pg_database.h`, `DATCONNLIMIT_INVALID_DB`)
  public let isInvalidDatabase: Bool

  private static let linePointersStart = 24
  private static let leastHeaderByteCount = 23
  private static let nameEnd = 4 + 64
  private static let isCommitted: UInt16 = 0x0100
  private static let isNotDeletedOrOnlyLocked: UInt16 = 0x0800 | 0x0080

  /// The rows of a page of `pg_database` or `pg_tablespace`; for other pages, anything.
  ///
  /// A line pointer contains, from its lowest bit on, an offset (15 bits), a state (2 bits, 1 is a
  /// row), and a length (15 bits). (`src/include/storage/itemid.h`, `bufpage.h`)
  public static func visible(on page: RawSpan, version: PostgresVersion) -> [CatalogRow] {
    let end = min(Int(page.littleEndian(at: 12, as: UInt16.self)), page.byteCount)
    var rows: [CatalogRow] = []
    for position in stride(from: linePointersStart, to: end - 3, by: 4) {
      let pointer: UInt32 = page.littleEndian(at: position)
      let start = Int(pointer & 0x7FFF)
      let count = Int(pointer >> 17)
      guard pointer >> 15 & 3 == 1, count >= leastHeaderByteCount, start + count <= page.byteCount
      else { continue }
      let tuple = page.extracting(start..<start + count)
      let mask: UInt16 = tuple.littleEndian(at: 20)
      let columnsStart = Int(tuple.littleEndian(at: 22, as: UInt8.self))
      guard mask & isCommitted != 0, mask & isNotDeletedOrOnlyLocked != 0,
        columnsStart + nameEnd <= count
      else { continue }
      rows.append(Self(columns: tuple.extracting(columnsStart..<count), version: version))
    }
    return rows
  }

  private init(columns: RawSpan, version: PostgresVersion) {
    oid = columns.littleEndian(at: 0)
    name = escaped(columns.extracting(4..<Self.nameEnd).array.prefix { $0 != 0 })
    // The connection limit; in version 14, two more names come before it.
    let offset = version >= .v15 ? 80 : 208
    isInvalidDatabase =
      offset + 4 <= columns.byteCount && columns.littleEndian(at: offset, as: Int32.self) == -2
  }
}
