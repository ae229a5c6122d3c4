import LayerFormat
import PostgresFormat

/// A relation: its database, 0 for the shared ones, and the number of its files.
struct RelationID: Hashable, Comparable {
  var databaseID: UInt32
  var relationNumber: UInt32

  init(databaseID: UInt32, relationNumber: UInt32) {
    self.databaseID = databaseID
    self.relationNumber = relationNumber
  }

  /// The relation that a key is about, by its pages or its size; nil for other keys.
  init?(_ key: Key) {
    guard key.field1 == 0, key.field2 != 0, key.field4 != 0 else { return nil }
    self.init(databaseID: key.field3, relationNumber: key.field4)
  }

  static func < (left: Self, right: Self) -> Bool {
    (left.databaseID, left.relationNumber) < (right.databaseID, right.relationNumber)
  }
}

/// What the relations of a backup or a timeline take, all forks and segments of one together.
///
/// Memory: some 150 bytes a relation, while it grows.
struct RelationTally {
  private struct Total {
    var byteCount: UInt64 = 0
    var storedByteCount: UInt64 = 0
    var hasMainFork = false
    var isUnlogged = false
  }

  private var totals: [RelationID: Total] = [:]
  private let isOfTimeline: Bool

  /// An empty tally; one of a timeline also has what is stored.
  init(ofTimeline isOfTimeline: Bool) { self.isOfTimeline = isOfTimeline }

  /// Adds a fork, or a file of it.
  mutating func add(
    _ id: RelationID, _ fork: RelationFork, byteCount: UInt64
  ) {
    var total = totals[id] ?? Total()
    total.byteCount &+= byteCount
    if fork == .main { total.hasMainFork = true }
    if fork == .initialisation { total.isUnlogged = true }
    totals[id] = total
  }

  /// Adds what the layers hold of a relation.
  mutating func addStored(_ id: RelationID, byteCount: UInt64) {
    totals[id, default: Total()].storedByteCount &+= byteCount
  }

  /// The bytes of the files that were added so far.
  func byteCount(of id: RelationID) -> UInt64 { totals[id]?.byteCount ?? 0 }

  var relationCount: Int { totals.values.count { $0.hasMainFork } }
  var unloggedRelationCount: Int { totals.values.count { $0.isUnlogged } }

  /// Every database that has a relation, and those of `others`, by id.
  func databases(also others: some Sequence<UInt32>) -> [DatabaseSize] {
    var databases: [UInt32: DatabaseSize] = [:]
    func empty(_ id: UInt32) -> DatabaseSize {
      DatabaseSize(
        id: id, path: RelationSegment.directory(ofDatabase: id), relationCount: 0, byteCount: 0,
        storedByteCount: isOfTimeline ? 0 : nil)
    }
    for id in others { databases[id] = empty(id) }
    for (id, total) in totals {
      var database = databases[id.databaseID] ?? empty(id.databaseID)
      database.relationCount += total.hasMainFork ? 1 : 0
      database.byteCount &+= total.byteCount
      if let stored = database.storedByteCount {
        database.storedByteCount = stored &+ total.storedByteCount
      }
      databases[id.databaseID] = database
    }
    return databases.values.sorted { $0.id < $1.id }
  }

  /// The `count` largest relations, the largest first; of two that are alike the one of the lower
  /// numbers. What only older layers have is no relation.
  func largest(_ count: Int) -> [RelationSize] {
    var largest: [(id: RelationID, total: Total)] = []
    func shorten() {
      largest.sort { left, right in
        left.total.byteCount != right.total.byteCount
          ? left.total.byteCount > right.total.byteCount : left.id < right.id
      }
      largest.removeSubrange(min(count, largest.count)...)
    }
    for (id, total) in totals where total.hasMainFork || total.byteCount > 0 {
      largest.append((id, total))
      if largest.count >= 4 * count + 1000 { shorten() }
    }
    shorten()
    return largest.map { id, total in
      let main = RelationForkID(
        databaseID: id.databaseID, relationNumber: id.relationNumber, fork: .main)
      return RelationSize(
        path: main.description, databaseID: id.databaseID, relationNumber: id.relationNumber,
        byteCount: total.byteCount, storedByteCount: isOfTimeline ? total.storedByteCount : nil,
        isUnlogged: total.isUnlogged)
    }
  }
}
