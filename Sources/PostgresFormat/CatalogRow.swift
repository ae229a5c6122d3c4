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

/// A version of a row of `pg_database`, visible or not: whether the database it is of keeps its files in
/// the default tablespace, as far as this version shows.
///
/// `DROP DATABASE` marks the row (`datconnlimit = -2`, since 14.9, 15.4 and 16) and deletes it, throws the
/// database's changed pages away, has a checkpoint made, and only then removes the files and writes a
/// WAL record. `ALTER DATABASE … SET TABLESPACE` writes the row with the other tablespace before it
/// removes the files. (Postgres, `src/backend/commands/dbcommands.c`, `dropdb`, `movedb`)
public struct DatabaseRowVersion: Equatable, Sendable {
  /// The oid of the database.
  public let oid: UInt32
  /// Whether a transaction has deleted or replaced the version, committed or not, or it is marked.
  public let isGoing: Bool
  /// Whether it names the default tablespace.
  public let isInDefaultTablespace: Bool

  /// Whether the database keeps its files in the default tablespace by this version.
  public var keepsFiles: Bool { !isGoing && isInDefaultTablespace }

  /// `DEFAULTTABLESPACE_OID`. (`src/include/catalog/pg_tablespace.dat`)
  private static let defaultTablespaceID: UInt32 = 1663

  /// All versions on a page of `pg_database`; for other pages, anything.
  public static func all(on page: RawSpan, version: PostgresVersion) -> [Self] {
    var found: [Self] = []
    // The connection limit, and after it two or three fields of four bytes, the tablespace.
    let limitOffset = version >= .v15 ? 80 : 208
    let tablespaceOffset = version >= .v15 ? 92 : 224
    VisibleRow.forEachVersion(on: page, leastByteCount: tablespaceOffset + 4) {
      columns, isDeleted in
      let isMarked = columns.littleEndian(at: limitOffset, as: Int32.self) == -2
      let tablespaceID: UInt32 = columns.littleEndian(at: tablespaceOffset)
      found.append(
        Self(
          oid: columns.littleEndian(at: 0), isGoing: isDeleted || isMarked,
          isInDefaultTablespace: tablespaceID == defaultTablespaceID))
    }
    return found
  }
}
