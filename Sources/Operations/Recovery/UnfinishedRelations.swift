import LayerFormat
import PostgresFormat
import System

/// Tells which relations were being made when a copy of one moment was taken, as a recovery shows it.
///
/// Pages of such a relation may be newer than the WAL of a sound copy. What builds an index or rewrites a
/// table writes a record of a page and then the page, past the buffers, which would have written the WAL
/// out first. (Postgres, `src/backend/access/nbtree/nbtsort.c`, `src/backend/access/heap/rewriteheap.c`;
/// in 17 `src/backend/storage/smgr/bulk_write.c`) Nobody else sees the relation before the transaction has
/// committed, and a commit writes the WAL out. If the server has crashed in between, the files stay, and
/// nothing names them.
///
/// So a relation was being made if no relation map has its number, and
/// - no row of `pg_class` has it either whose transaction has committed, or
/// - only that of an index which is not ready: `CREATE INDEX CONCURRENTLY` commits its rows first, and
///   says that it is ready when it has built it. (`src/backend/commands/indexcmds.c`, `DefineIndex`)
///
/// A row counts even if it is deleted, and a transaction as committed if its state is not known, or may
/// be that of a prepared one.
struct UnfinishedRelations {
  /// Lends the pages of a main fork to `body`, one after another.
  typealias Pages = (
    ReplayPlan.Relation, _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Void

  private let data: ClusterFiles
  private let version: PostgresVersion
  private let forEachPage: Pages
  private let hasPreparedTransactions: Bool

  /// Those of a recovered cluster.
  ///
  /// - Parameter pages: gives the pages of a catalog, if they are not all in its files.
  init(
    in data: ClusterFiles, _ version: PostgresVersion, pages: Pages? = nil
  ) throws(Failure) {
    self.data = data
    self.version = version
    forEachPage =
      pages ?? { relation, body throws(Failure) in try data.forEachPage(of: relation, body) }
    hasPreparedTransactions = try !data.isEmpty("pg_twophase")
  }

  /// Those among some forks; shared relations and other forks than the main ones are not looked at.
  func among(_ forks: Set<RelationForkID>) throws(Failure) -> Set<RelationForkID> {
    let wanted = forks.filter { $0.fork == .main && $0.databaseID != 0 }
    var unfinished: Set<RelationForkID> = []
    for (id, forks) in Dictionary(grouping: wanted, by: \.databaseID) {
      let numbers = try among(Set(forks.map(\.relationNumber)), ofDatabase: id)
      unfinished.formUnion(forks.filter { numbers.contains($0.relationNumber) })
    }
    return unfinished
  }

  private func among(
    _ numbers: Set<UInt32>, ofDatabase id: UInt32
  ) throws(Failure) -> Set<UInt32> {
    guard let map = try data.relationMap(ofDatabase: id),
      (try? RelationMapFile.check(map.bytes, version: version)) != nil,
      let catalog = RelationMapFile.relationNumber(of: RelationMapFile.classCatalog, in: map.bytes)
    else { return [] }
    var named = Set(RelationMapFile.pairs(of: map.bytes).map(\.relationNumber))
    var indexes: [UInt32: Set<UInt32>] = [:]  // the oids of those that have a number
    var indexCatalogs: Set<UInt32> = []
    try forEachCommitted(
      of: catalog, inDatabase: id, RelationRow.versions,
      where: { numbers.contains($0.relationNumber) || $0.oid == IndexRow.catalog }
    ) { row in
      if row.oid == IndexRow.catalog { indexCatalogs.insert(row.relationNumber) }
      if row.kind == .index {
        indexes[row.relationNumber, default: []].insert(row.oid)
      } else {
        named.insert(row.relationNumber)
      }
    }
    // Every catalog has a row of pg_index: one without it proves nothing.
    if indexCatalogs.isEmpty { return [] }
    let oids = indexes.values.reduce(into: Set()) { $0.formUnion($1) }
    let unready = try unreadyIndexes(among: oids, in: indexCatalogs, ofDatabase: id)
    return numbers.filter { number in
      !named.contains(number) && indexes[number, default: []].isSubset(of: unready)
    }
  }

  /// Those of some indexes that have a row which says that they are not ready, and none which says that
  /// they are.
  private func unreadyIndexes(
    among oids: Set<UInt32>, in catalogs: Set<UInt32>, ofDatabase id: UInt32
  ) throws(Failure) -> Set<UInt32> {
    if oids.isEmpty { return [] }
    var ready: Set<UInt32> = []
    var unready: Set<UInt32> = []
    for catalog in catalogs {
      try forEachCommitted(
        of: catalog, inDatabase: id, { IndexRow.versions(on: $0, version: version) },
        where: { oids.contains($0.oid) }
      ) { row in
        if row.isReady { ready.insert(row.oid) } else { unready.insert(row.oid) }
      }
    }
    return unready.subtracting(ready)
  }

  /// Gives `body` the versions of rows of a catalog that are wanted, if their transactions may have
  /// committed.
  private func forEachCommitted<Row>(
    of catalog: UInt32, inDatabase id: UInt32,
    _ versions: (RawSpan) -> [(row: Row, maker: RowMaker)], where isWanted: (Row) -> Bool,
    _ body: (Row) -> Void
  ) throws(Failure) {
    try forEachPage(
      ReplayPlan.Relation(databaseID: id, relationNumber: catalog)
    ) { page throws(Failure) in
      for (row, maker) in versions(page) where isWanted(row) {
        if try mayHaveCommitted(maker) { body(row) }
      }
    }
  }

  private func mayHaveCommitted(_ maker: RowMaker) throws(Failure) -> Bool {
    let id: UInt32
    switch maker {
    case .committed: return true
    case .rolledBack: return false
    case .transaction(let transaction): id = transaction
    }
    guard id >= TransactionStatus.firstID else { return true }
    let (number, offset) = TransactionStatus.place(of: id)
    let file = try data.file(SLRUKind.transactions.path(ofSegment: number))
    var byte: [UInt8] = [0]
    guard let file, try file.read(into: &byte, at: offset) == 1 else { return true }
    return switch TransactionStatus(of: id, in: byte[0]) {
    case .rolledBack: false
    case .inProgress: hasPreparedTransactions
    case .committed, .subcommitted: true
    }
  }
}
