import Backup
import LayerFormat
import PostgresFormat
import System

/// What the copy's `pg_database` says before the WAL is replayed.
extension Recovery {
  /// Those of some databases that have a row in the copy's `pg_database` that is deleted or marked, and
  /// none by which they keep their files in the default tablespace: they are being dropped, were dropped
  /// in part, or are being moved.
  ///
  /// One that has its home in another tablespace for good is not among them: its relations in the default
  /// one stay. None if the catalog cannot be read: then every database has to have its files.
  static func databasesInRemoval(
    among databases: Set<UInt32>, _ version: PostgresVersion, in scratch: ScratchDirectory
  ) throws(Failure) -> Set<UInt32> {
    let data = try ClusterFiles(scratch.data)
    guard let map = try data.relationMap(ofDatabase: 0),
      let number = RelationMapFile.relationNumber(
        of: RelationMapFile.databaseCatalog, in: map.bytes)
    else { return [] }
    var going: Set<UInt32> = []
    var kept: Set<UInt32> = []
    try data.forEachPage(
      of: ReplayPlan.Relation(databaseID: 0, relationNumber: number)
    ) { page throws(Failure) in
      for row in DatabaseRowVersion.all(on: page, version: version) {
        guard databases.contains(row.oid) else { continue }
        if row.isGoing { going.insert(row.oid) }
        if row.keepsFiles { kept.insert(row.oid) }
      }
    }
    return going.subtracting(kept)
  }
}
