/// A row of `pg_database` or `pg_tablespace`, as far as its page shows (`VisibleRow`).
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 oid
///          4   64 name
///          …
///
/// (Postgres, `src/include/catalog/pg_database.h`, `pg_tablespace.h`.)
public struct CatalogRow: Equatable, Sendable {
  /// The oid of the database or tablespace.
  public let oid: UInt32
  /// Its name, escaped.
  public let name: String
  /// Whether it is a database that was dropped in part, so that files of it may be missing.
  /// (`src/include/catalog/pg_database.h`, `DATCONNLIMIT_INVALID_DB`)
  public let isInvalidDatabase: Bool
  /// Whether the row certainly is visible to every transaction; false if it may be.
  public let isCertain: Bool

  /// The rows of a page of `pg_database` or `pg_tablespace` that certainly are visible; for other
  /// pages, anything.
  public static func visible(on page: RawSpan, version: PostgresVersion) -> [CatalogRow] {
    possible(on: page, version: version).filter(\.isCertain)
  }

  /// The same, and those that may be visible.
  public static func possible(on page: RawSpan, version: PostgresVersion) -> [CatalogRow] {
    var rows: [CatalogRow] = []
    VisibleRow.forEach(
      on: page, leastByteCount: 4 + VisibleRow.nameByteCount
    ) { columns, isCertain in
      rows.append(Self(columns: columns, version: version, isCertain: isCertain))
    }
    return rows
  }

  private init(columns: RawSpan, version: PostgresVersion, isCertain: Bool) {
    self.isCertain = isCertain
    oid = columns.littleEndian(at: 0)
    name = VisibleRow.name(in: columns, at: 4)
    // The connection limit; in version 14, two more names come before it.
    let offset = version >= .v15 ? 80 : 208
    isInvalidDatabase =
      offset + 4 <= columns.byteCount && columns.littleEndian(at: offset, as: Int32.self) == -2
  }
}
