import LayerFormat
import PostgresFormat

/// What the relations of a backup take, all forks and segments of one together.
struct RelationTally {
  private struct ID: Hashable, Comparable {
    var databaseID: UInt32
    var relationNumber: UInt32

    static func < (left: Self, right: Self) -> Bool {
      (left.databaseID, left.relationNumber) < (right.databaseID, right.relationNumber)
    }
  }

  private struct Total {
    var byteCount: UInt64 = 0
    var hasMainFork = false
    var isUnlogged = false
  }

  private var totals: [ID: Total] = [:]

  /// Adds a file of a relation.
  mutating func add(_ segment: RelationSegment, byteCount: UInt64) {
    let id = ID(databaseID: segment.databaseID, relationNumber: segment.relationNumber)
    var total = totals[id] ?? Total()
    total.byteCount &+= byteCount
    if segment.fork == .main { total.hasMainFork = true }
    if segment.fork == .initialisation { total.isUnlogged = true }
    totals[id] = total
  }

  var relationCount: Int { totals.values.count { $0.hasMainFork } }
  var unloggedRelationCount: Int { totals.values.count { $0.isUnlogged } }

  /// Every database that has a relation, and those of `others`, by id.
  func databases(also others: some Sequence<UInt32>) -> [BackupDescription.Database] {
    var databases: [UInt32: BackupDescription.Database] = [:]
    func empty(_ id: UInt32) -> BackupDescription.Database {
      BackupDescription.Database(
        id: id, path: RelationSegment.directory(ofDatabase: id), relationCount: 0,
        byteCount: 0)
    }
    for id in others { databases[id] = empty(id) }
    for (id, total) in totals {
      var database = databases[id.databaseID] ?? empty(id.databaseID)
      database.relationCount += total.hasMainFork ? 1 : 0
      database.byteCount &+= total.byteCount
      databases[id.databaseID] = database
    }
    return databases.values.sorted { $0.id < $1.id }
  }

  /// The `count` largest relations, the largest first; of two that are alike the one of the lower
  /// numbers.
  func largest(_ count: Int) -> [BackupDescription.Relation] {
    totals.sorted { left, right in
      left.value.byteCount != right.value.byteCount
        ? left.value.byteCount > right.value.byteCount : left.key < right.key
    }
    .prefix(count)
    .map { id, total in
      let main = RelationForkID(
        databaseID: id.databaseID, relationNumber: id.relationNumber, fork: .main)
      return BackupDescription.Relation(
        path: main.description, databaseID: id.databaseID, relationNumber: id.relationNumber,
        byteCount: total.byteCount, isUnlogged: total.isUnlogged)
    }
  }
}
