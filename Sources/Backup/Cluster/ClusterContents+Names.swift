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
