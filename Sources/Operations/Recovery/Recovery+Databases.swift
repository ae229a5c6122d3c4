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
    let directory = try DirectoryHandle(path: scratch.data)
      .openDirectory(DirectoryHandle.name("global"))
    let mapName = DirectoryHandle.name("pg_filenode.map")
    guard try directory.status(of: mapName)?.kind == .file else { return [] }
    let map = try directory.openFile(mapName).beginning(upTo: 1 << 10)
    guard
      let number = RelationMapFile.relationNumber(
        of: RelationMapFile.databaseCatalog, in: map.bytes)
    else { return [] }
    let name = DirectoryHandle.name("\(number)")
    guard try directory.status(of: name)?.kind == .file else { return [] }
    let file = try directory.openFile(name)
    var page = [UInt8](repeating: 0, count: PageHeader.pageByteCount)
    var offset: UInt64 = 0
    var going: Set<UInt32> = []
    var kept: Set<UInt32> = []
    while try file.read(into: &page, at: offset) == page.count {
      try Interruption.check()
      for row in DatabaseRowVersion.all(on: page.bytes, version: version) {
        guard databases.contains(row.oid) else { continue }
        if row.isGoing { going.insert(row.oid) }
        if row.keepsFiles { kept.insert(row.oid) }
      }
      offset += UInt64(page.count)
    }
    return going.subtracting(kept)
  }
}
