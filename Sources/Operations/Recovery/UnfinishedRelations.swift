import Backup
import LayerFormat
import PostgresFormat
import System

/// The pages of a cluster's relations, as they are after a recovery.
protocol RelationPages {
  /// Whether a main fork has blocks; nil if there is no such fork.
  func hasBlocks(_ relation: ReplayPlan.Relation) throws(Failure) -> Bool?

  /// Lends the pages of a main fork to `body`, one after another, as long as that is true.
  func readPages(
    of relation: ReplayPlan.Relation, while body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure)
}

extension RelationPages {
  /// Lends all pages of a main fork to `body`, one after another.
  func forEachPage(
    of relation: ReplayPlan.Relation, _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try readPages(of: relation) { page throws(Failure) in
      try body(page)
      return true
    }
  }
}

extension Set<RelationForkID> {
  /// How many relations they are of.
  var relationCount: Int { Set(map(\.mainFork)).count }
}

/// Tells which relations have pages that may be newer than the WAL of a sound copy of one moment.
///
/// What builds an index, or rewrites or moves a table, writes a record of a page and then the page, past the
/// buffers, which would have written the WAL out first. (Postgres, `src/backend/access/nbtree/nbtsort.c`,
/// `src/backend/access/heap/rewriteheap.c`, `src/backend/catalog/storage.c`; in 17
/// `src/backend/storage/smgr/bulk_write.c`) Nobody else uses the relation before the transaction has
/// committed, which is after the records of its pages. If the server crashes in between, the files stay.
///
/// So a relation was being made if no relation map has its number, and
/// - no row of `pg_class` has it either whose transaction has committed, or
/// - only that of an index which is not ready: `CREATE INDEX CONCURRENTLY` commits its rows first, and
///   says that it is ready when it has built it. (`src/backend/commands/indexcmds.c`, `DefineIndex`)
///
/// A row counts even if it is deleted, and a transaction as committed if its state is not known, or if it is
/// prepared.
///
/// All of that holds as well of a relation that was finished after the end of the WAL, in a copy that is not of
/// one moment. But then what it has replaced was removed, or cut to nothing until the next checkpoint
/// (`src/backend/storage/smgr/md.c`, `mdunlinkfork`): so nothing counts as unfinished in a database of which a
/// permanent relation lacks its file, or its blocks, if it had some when it was last vacuumed or analyzed.
///
/// A hash index writes pages in that way too when it grows: they are unused, and behind those that its first
/// page counts (`HashIndex`). That is believed under the same condition.
struct UnfinishedRelations {
  private let data: ClusterFiles
  private let version: PostgresVersion
  private let pages: any RelationPages
  /// Those of the prepared transactions and of their subtransactions; nil if not all are known.
  private let preparedIDs: Set<UInt32>?

  /// Those of a cluster that was shut down, be it by a recovery.
  ///
  /// - Parameter pages: has the pages of relations, if they are not all in `data`.
  init(
    in data: ClusterFiles, _ version: PostgresVersion, pages: (any RelationPages)? = nil
  ) throws(Failure) {
    self.data = data
    self.version = version
    self.pages = pages ?? data
    preparedIDs = try Self.preparedIDs(in: data, version)
  }

  /// Those of a cluster that was shut down, be it by a recovery, and has been read at a path; none of a tar,
  /// whose catalogs cannot be read once more.
  static func among(
    _ segments: SegmentTable, of cluster: ClusterAssessment, at path: String
  ) throws(Failure) -> Set<RelationForkID> {
    let forks = segments.forks(newerThan: cluster.endLSN)
    guard !forks.isEmpty, isDirectory(path) else { return [] }
    return try Self(in: ClusterFiles(path), cluster.version)
      .among(forks, newerThan: cluster.endLSN)
  }

  private static func preparedIDs(
    in data: ClusterFiles, _ version: PostgresVersion
  ) throws(Failure) -> Set<UInt32>? {
    var ids: Set<UInt32> = []
    for name in try data.names(in: "pg_twophase") {
      guard name.utf8.count == version.twoPhaseNameDigits,
        UInt64(hexadecimal: Array(name.utf8)) != nil,
        let file = try data.file("pg_twophase/" + name)?.contents(limit: Cluster.smallFileLimit)
      else { continue }
      guard (try? TwoPhaseFile.decode(file.bytes)) != nil,
        let found = TwoPhaseFile.transactionIDs(in: file.bytes, version: version)
      else { return nil }
      ids.formUnion(found)
    }
    return ids
  }

  /// Those among some forks that have pages which are newer than `end`.
  func among(
    _ forks: Set<RelationForkID>, newerThan end: LogSequenceNumber
  ) throws(Failure) -> Set<RelationForkID> {
    var unfinished: Set<RelationForkID> = []
    for (id, forks) in Dictionary(grouping: forks, by: \.databaseID) {
      guard let numbers = try unnamed(among: Set(forks.map(\.relationNumber)), inDatabase: id)
      else { continue }
      for fork in forks {
        var isUnfinished = numbers.contains(fork.relationNumber)
        if !isUnfinished, fork.fork == .main {
          isUnfinished = try isGrowingHash(ReplayPlan.Relation(fork), newerThan: end)
        }
        if isUnfinished { unfinished.insert(fork) }
      }
    }
    return unfinished
  }

  /// Whether a relation is a hash index whose pages that are newer than `end` are all unused ones behind those
  /// it has allocated, where no other pages are.
  private func isGrowingHash(
    _ relation: ReplayPlan.Relation, newerThan end: LogSequenceNumber
  ) throws(Failure) -> Bool {
    var index: HashIndex?
    var isGrowing = false
    var block: UInt64 = 0
    try pages.readPages(of: relation) { page throws(Failure) in
      if block == 0 { index = HashIndex(firstPage: page) }
      guard let index else { return false }
      let header = PageHeader(page)
      if block < index.allocatedBlockCount {
        isGrowing = header.lsn <= end
      } else {
        isGrowing = !header.isInUse || HashIndex.isUnused(page)
      }
      block += 1
      return isGrowing
    }
    return isGrowing && block > index?.allocatedBlockCount ?? .max
  }

  /// Those numbers that no relation in use has; nil if nothing can be said of the database.
  private func unnamed(
    among numbers: Set<UInt32>, inDatabase id: UInt32
  ) throws(Failure) -> Set<UInt32>? {
    guard let map = try data.relationMap(ofDatabase: id),
      (try? RelationMapFile.check(map.bytes, version: version)) != nil
    else { return nil }
    var named = Set(RelationMapFile.pairs(of: map.bytes).map(\.relationNumber))
    // The map names all shared relations. (`src/backend/catalog/catalog.c`, `IsSharedRelation`)
    if id == 0 { return try hasAllFiles(named) ? numbers.subtracting(named) : nil }
    guard
      let catalog = RelationMapFile.relationNumber(of: RelationMapFile.classCatalog, in: map.bytes)
    else { return nil }
    var indexes: [UInt32: Set<UInt32>] = [:]  // the oids of those that have a number
    var indexCatalogs: Set<UInt32> = []
    var isWhole = true
    try forEachCommitted(of: catalog, inDatabase: id, RelationRow.versions) {
      row, ends throws(Failure) in
      if row.oid == IndexRow.catalog { indexCatalogs.insert(row.relationNumber) }
      if !numbers.contains(row.relationNumber) {
        if isWhole { isWhole = try isThere(row, ends, ofDatabase: id) }
      } else if row.kind == .index {
        indexes[row.relationNumber, default: []].insert(row.oid)
      } else {
        named.insert(row.relationNumber)
      }
    }
    // Every catalog has a row of pg_index: one without it proves nothing.
    if indexCatalogs.isEmpty || !isWhole { return nil }
    let oids = indexes.values.reduce(into: Set()) { $0.formUnion($1) }
    let unready = try unreadyIndexes(among: oids, in: indexCatalogs, ofDatabase: id)
    return numbers.filter { number in
      !named.contains(number) && indexes[number, default: []].isSubset(of: unready)
    }
  }

  private func hasAllFiles(_ numbers: Set<UInt32>) throws(Failure) -> Bool {
    for number in numbers {
      let relation = ReplayPlan.Relation(databaseID: 0, relationNumber: number)
      if try data.hasBlocks(relation) == nil { return false }
    }
    return true
  }

  /// Whether the relation of a row is there, unless a crash empties or removes it, or the row is deleted.
  private func isThere(
    _ row: RelationRow, _ ends: RowEnds, ofDatabase id: UInt32
  ) throws(Failure) -> Bool {
    guard row.isPermanent, row.relationNumber != 0, !row.isShared else { return true }
    if let deleter = ends.deleter, try status(deleter) == .committed { return true }
    let relation = ReplayPlan.Relation(databaseID: id, relationNumber: row.relationNumber)
    guard let hasBlocks = try pages.hasBlocks(relation) else { return false }
    return hasBlocks || row.estimatedPageCount == 0
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
        of: catalog, inDatabase: id, { IndexRow.versions(on: $0, version: version) }
      ) { row, _ in
        guard oids.contains(row.oid) else { return }
        if row.isReady { ready.insert(row.oid) } else { unready.insert(row.oid) }
      }
    }
    return unready.subtracting(ready)
  }

  /// Gives `body` the versions of rows of a catalog whose transactions may have committed.
  private func forEachCommitted<Row>(
    of catalog: UInt32, inDatabase id: UInt32, _ versions: (RawSpan) -> [(row: Row, ends: RowEnds)],
    _ body: (Row, RowEnds) throws(Failure) -> Void
  ) throws(Failure) {
    try pages.forEachPage(
      of: ReplayPlan.Relation(databaseID: id, relationNumber: catalog)
    ) { page throws(Failure) in
      for (row, ends) in versions(page) {
        switch try status(ends.maker) {
        case .committed, .subcommitted, nil: try body(row, ends)
        case .rolledBack, .inProgress: break
        }
      }
    }
  }

  /// What became of a transaction, after the recovery; nil if that is not known.
  private func status(_ transaction: RowTransaction) throws(Failure) -> TransactionStatus? {
    switch transaction {
    case .committed: return .committed
    case .rolledBack: return .rolledBack
    case .id(let id):
      guard id >= TransactionStatus.firstID else { return .committed }
      let (number, offset) = TransactionStatus.place(of: id)
      let file = try data.file(SLRUKind.transactions.path(ofSegment: number))
      var byte: [UInt8] = [0]
      guard let file, try file.read(into: &byte, at: offset) == 1 else { return nil }
      let status = TransactionStatus(of: id, in: byte[0])
      return status == .inProgress && preparedIDs?.contains(id) != false ? nil : status
    }
  }
}
