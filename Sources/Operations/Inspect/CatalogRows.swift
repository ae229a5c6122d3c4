import Backup
import PostgresFormat
import System

/// The rows of `pg_class` of each database of a tar, kept while it streams by: which of them name
/// the largest relations shows only at its end.
///
/// Which file is `pg_class` is known once the relation map of its database has been read, which may
/// come after it. Until then a file is read that has the number that `pg_class` begins with, or
/// whose first page looks like it. Memory: the rows of the largest relations, some 150 bytes each,
/// at most `rowLimit` of them. How large a relation is, its files say that have come, and its row.
struct CatalogRows {
  private struct Row {
    var file: RelationID
    var row: RelationRow
    var pageCount: UInt64
  }

  private var rows: [Row] = []
  /// The files that are read.
  private var files: Set<RelationID> = []
  private var page = [UInt8](repeating: 0, count: PageHeader.pageByteCount)

  /// Rows of smaller relations have gone.
  private var leastPageCount: UInt64 = 0

  /// When there are so many rows, half of them go.
  private static let rowLimit = 1 << 16

  /// Reads a member that is a relation's file, if it may be a part of `pg_class`.
  ///
  /// - Parameter catalog: the number of the files of `pg_class`; nil if it is not known yet.
  mutating func read(
    _ segment: RelationSegment, catalog: UInt32?, from source: any BackupSource,
    sizes: RelationTally
  ) throws(Failure) {
    guard segment.databaseID != 0, segment.fork == .main else { return }
    let file = RelationID(
      databaseID: segment.databaseID, relationNumber: segment.relationNumber)
    if let catalog, catalog != segment.relationNumber { return }
    var isKnown =
      catalog != nil || segment.relationNumber == RelationMapFile.classCatalog
      || files.contains(file)
    while try readPage(from: source) {
      if !isKnown {
        guard segment.segmentNumber == 0, RelationRow.looksLikeCatalog(page.bytes) else { return }
        isKnown = true
      }
      files.insert(file)
      let rows = RelationRow.possible(on: page.bytes) { row in
        Self.pageCount(of: row, in: file, sizes) >= leastPageCount
      }
      for row in rows { add(row, from: file, sizes: sizes) }
    }
  }

  /// The next page of the current member; false at its end.
  private mutating func readPage(from source: any BackupSource) throws(Failure) -> Bool {
    try Interruption.check()
    let count = try page.withMutableBytes { bytes throws(Failure) in
      try source.read(into: &bytes)
    }
    return count == PageHeader.pageByteCount
  }

  /// How many pages a relation has, by its row and by the files that have come.
  private static func pageCount(
    of row: RelationRow, in file: RelationID, _ sizes: RelationTally
  ) -> UInt64 {
    let relation = RelationID(
      databaseID: file.databaseID, relationNumber: row.relationNumber)
    return max(
      UInt64(row.estimatedPageCount),
      sizes.byteCount(of: relation) / UInt64(PageHeader.pageByteCount))
  }

  private mutating func add(_ row: RelationRow, from file: RelationID, sizes: RelationTally) {
    rows.append(Row(file: file, row: row, pageCount: Self.pageCount(of: row, in: file, sizes)))
    guard rows.count >= Self.rowLimit else { return }
    rows.sort { left, right in
      left.pageCount != right.pageCount
        ? left.pageCount > right.pageCount
        : (left.file, left.row.oid) < (right.file, right.row.oid)
    }
    rows.removeSubrange(Self.rowLimit / 2..<rows.count)
    leastPageCount = rows.last?.pageCount ?? 0
  }

  /// Gives the rows of each database's `pg_class` to a search.
  func search(_ search: inout NameSearch, maps: RelationMaps) {
    for row in rows {
      let database = row.file.databaseID
      let number = maps.number(of: RelationMapFile.classCatalog, inDatabase: database)
      guard row.file.relationNumber == number else { continue }
      search.take(row.row, ofDatabase: database)
    }
  }
}
