/// A version of a row of `pg_index`, visible or not.
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 indexrelid
///         20    1 indisready; in version 14 at 19, as indnullsnotdistinct is missing at 13
///
/// (Postgres, `src/include/catalog/pg_index.h`)
public struct IndexRow: Equatable, Sendable {
  /// The oid of the index in `pg_class`.
  public let oid: UInt32
  /// Whether changes of the table are put into it: false as long as `CREATE INDEX CONCURRENTLY` or
  /// `REINDEX CONCURRENTLY` has not built it, and of one that is being dropped concurrently.
  /// (`src/backend/catalog/index.c`, `index_concurrently_build`)
  public let isReady: Bool

  /// The oid of `pg_index`.
  public static let catalog: UInt32 = 2610

  /// Every version on a page of `pg_index`; for other pages, anything.
  public static func versions(
    on page: RawSpan, version: PostgresVersion
  ) -> [(row: IndexRow, ends: RowEnds)] {
    let readyOffset = version >= .v15 ? 20 : 19
    var found: [(IndexRow, RowEnds)] = []
    VisibleRow.forEachWithEnds(on: page, leastByteCount: readyOffset + 1) { columns, ends in
      let row = Self(
        oid: columns.littleEndian(at: 0),
        isReady: columns.littleEndian(at: readyOffset, as: UInt8.self) != 0)
      found.append((row, ends))
    }
    return found
  }
}
