import PostgresFormat

/// What the shared catalogs and the relation maps of a backup say of names.
extension ClusterContents {
  /// The major version, as far as it has been read: `PG_VERSION` says it, or the control file.
  package var version: PostgresVersion? { versions[nil] ?? controlFile?.version }

  /// The rows of `pg_database` that are or may be visible, by oid; none if it cannot be read.
  package func possibleDatabaseRows() -> [CatalogRow] {
    guard let version,
      let number = mappedNumber(of: RelationMapFile.databaseCatalog, inDatabase: 0, version)
    else { return [] }
    return sharedCatalogs.possibleRows(in: number, version: version)
  }

  /// The databases that have files, by id, with the names that `pg_database` gives them; no name if
  /// it cannot be read, or its rows disagree.
  package func databaseNames() -> [(id: UInt32, name: String?)] {
    var names: [UInt32: NameChoice] = [:]
    for row in possibleDatabaseRows() {
      let choice = NameChoice(row.name, isCertain: row.isCertain)
      names[row.oid, default: choice].add(choice)
    }
    return databases.keys.filter { $0 != 0 }.sorted().map { ($0, names[$0]?.name) }
  }

  /// The number of the files of `pg_class`; nil if the relation map of its database has not come.
  package func numberOfClassCatalog(inDatabase id: UInt32) -> UInt32? {
    version.flatMap { mappedNumber(of: RelationMapFile.classCatalog, inDatabase: id, $0) }
  }

  private func mappedNumber(
    of catalog: UInt32, inDatabase id: UInt32, _ version: PostgresVersion
  ) -> UInt32? {
    guard case .some(.some(let map)) = databases[id],
      (try? RelationMapFile.check(map.bytes, version: version)) != nil
    else { return nil }
    return RelationMapFile.pairs(of: map.bytes).first { $0.catalog == catalog }?.relationNumber
  }
}
