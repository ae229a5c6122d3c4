/// A row of `pg_database` or `pg_tablespace` that every transaction sees, as far as its page alone
/// tells.
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 xmin, which inserted it
///          4    4 xmax, which deleted or locked it
///         20    2 what is known of both (`HEAP_…`)
///         22    1 where the columns begin: oid (4 bytes), name (64 bytes), …
///
/// (Postgres, `src/include/access/htup_details.h`.) Whether a transaction has committed stands in the
/// log of transactions, and in the row only when somebody has looked. Rows that nobody has looked at
/// are passed over: what is found here is certain, and what is not found may be there all the same.
public struct CatalogRow: Equatable, Sendable {
  public let oid: UInt32
  /// Escaped.
  public let name: String
  /// Whether it is that of a database which was dropped in part, so that its files may be gone.
  /// (`src/include/catalog/pg_database.h`, `DATCONNLIMIT_INVALID_DB`)
  public let isInvalidDatabase: Bool

  private static let linePointersStart = 24
  private static let leastHeaderByteCount = 23
  private static let nameEnd = 4 + 64
  private static let isCommitted: UInt16 = 0x0100
  private static let isNotDeletedOrOnlyLocked: UInt16 = 0x0800 | 0x0080

  /// The rows of a page of `pg_database` or `pg_tablespace`; of a page that is none, anything.
  ///
  /// A line pointer has, from its lowest bit on, an offset (15 bits), a state (2 bits, 1 is a row),
  /// and a length (15 bits). (`src/include/storage/itemid.h`, `bufpage.h`)
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
    // The limit of connections; in version 14 two names more stand before it.
    let offset = version >= .v15 ? 80 : 208
    isInvalidDatabase =
      offset + 4 <= columns.byteCount && columns.littleEndian(at: offset, as: Int32.self) == -2
  }
}
