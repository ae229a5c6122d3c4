import LayerFormat
import PostgresFormat
import System

/// Checks for files that a server needs to find everything else.
///
/// The rows of `pg_database` and `pg_tablespace` are looked at as far as `CatalogRow` can tell that
/// they are visible; which relations a database has is in its own catalogs, which are not read.
extension ClusterContents {
  /// Checks that nothing is missing, as far as that can be known.
  ///
  /// Databases that no row names may lack anything: a server that crashed while it made or dropped
  /// one leaves such directories behind.
  ///
  /// - Parameters:
  ///   - relations: every fork of the backup, in the order of the keys.
  ///   - report: gets what is missing.
  /// - Throws: `.damaged`, naming the first that is missing, unless `report` lets it go on.
  package func requireComplete(
    _ relations: [Cluster.Relation], version: PostgresVersion,
    report: Failure.Report = Failure.first
  ) throws(Failure) {
    if !databases.keys.contains(where: { $0 != 0 }) {
      try report(Self.incomplete("the backup has no database: 'base' is empty"))
    }
    let catalogs = try requireMappedRelations(ofDatabase: 0, relations, version, report)
    // A pageserver knows no tablespaces, and gives out their rows without them.
    if signal == nil, let number = catalogs[RelationMapFile.tablespaceCatalog] {
      try requireNoTablespace(sharedCatalogs.rows(in: number, version: version), report)
    }
    guard let number = catalogs[RelationMapFile.databaseCatalog] else { return }
    for database in sharedCatalogs.rows(in: number, version: version)
    where !database.isInvalidDatabase {
      try requireDatabase(database, relations, version, report)
    }
  }

  private func requireNoTablespace(
    _ rows: [CatalogRow], _ report: Failure.Report
  ) throws(Failure) {
    guard let tablespace = rows.first(where: { $0.oid > Tablespace.globalID }) else { return }
    try report(
      Failure(
        .missingTablespace,
        "the cluster has tablespace '\(tablespace.name)', but the backup has no "
          + "'pg_tblspc/\(tablespace.oid)'",
        hint:
          "Take a new backup with 'pg_tblspc' and the targets of its links, or drop the tablespace "
          + "first."))
  }

  private func requireDatabase(
    _ database: CatalogRow, _ relations: [Cluster.Relation], _ version: PostgresVersion,
    _ report: Failure.Report
  ) throws(Failure) {
    let directory = RelationSegment.directory(ofDatabase: database.oid)
    guard databases[database.oid] != nil else {
      try report(
        Self.incomplete("'\(directory)' is missing (directory of database '\(database.name)')"))
      return
    }
    if versions[database.oid] == nil, !refused.versions.contains(database.oid) {
      try report(
        Self.incomplete("'\(directory)/PG_VERSION' is missing (database '\(database.name)')"))
    }
    if !hasRelationMap(database.oid) {
      try report(
        Self.incomplete("'\(directory)/pg_filenode.map' is missing (database '\(database.name)')"))
    }
    _ = try requireMappedRelations(ofDatabase: database.oid, relations, version, report)
  }

  /// Checks that the relations of a map have files; returns their numbers by catalog.
  private func requireMappedRelations(
    ofDatabase databaseID: UInt32, _ relations: [Cluster.Relation], _ version: PostgresVersion,
    _ report: Failure.Report
  ) throws(Failure) -> [UInt32: UInt32] {
    guard case .some(.some(let map)) = databases[databaseID],
      (try? RelationMapFile.check(map.bytes, version: version)) != nil  // reported already
    else { return [:] }
    var numbers: [UInt32: UInt32] = [:]
    for (catalog, number) in RelationMapFile.pairs(of: map.bytes) {
      numbers[catalog] = number
      let id = RelationForkID(databaseID: databaseID, relationNumber: number, fork: .main)
      guard let blockCount = Self.blockCount(of: id, in: relations) else {
        try report(
          Self.incomplete("'\(id)' is missing (\(RelationMapFile.describe(catalog)))"))
        continue
      }
      if blockCount == 0, RelationMapFile.neverEmpty[catalog] != nil {
        try report(Self.incomplete("'\(id)' is empty (\(RelationMapFile.describe(catalog)))"))
      }
    }
    return numbers
  }

  /// The size of a fork, found by halving; nil if there is none.
  private static func blockCount(
    of id: RelationForkID, in relations: [Cluster.Relation]
  ) -> UInt32? {
    var range = relations.indices
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      if relations[middle].id == id { return relations[middle].blockCount }
      range = relations[middle].id < id ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }

  /// The `.damaged` error for a backup that lacks a file; its hint says to take a new backup.
  package static func incomplete(_ message: String) -> Failure {
    Failure(.missingFile, message, hint: "The backup is incomplete. Take a new one.")
  }
}
