import LayerFormat
import PostgresFormat
import System
import Timeline

/// Reads how long the relations of a timeline are, and what the largest of them and the databases
/// are called.
///
/// Two walks over the layers, each of which reads the values of few keys and passes over the rest:
///
/// ```
/// 1  00 spc db 0 0 0           pg_filenode.map    which files pg_database and pg_class have
///    00 spc db 0 0 1           directory          which relations exist
///    00 spc db N fork FFFFFFFF size               how long they are
/// 2  00 1664 0 N 0 block       pg_database        names of the databases
///    00 1663 db N 0 block      pg_class           names of the largest relations
/// ```
///
/// What a pageserver has written since may need WAL: such pages are passed over, and what they name
/// keeps its number. Damaged layers are too, for the list of layers shows them. Memory: the tally's,
/// the list of relations of one database, the maps (512 bytes a database), and what
/// `TimelineCursor` and `NameSearch` take.
struct TimelineRelations {
  private let timeline: Timeline
  private let version: PostgresVersion?

  init(_ timeline: Timeline) {
    self.timeline = timeline
    version = PostgresVersion(rawValue: timeline.index.metadata.postgresVersion)
  }

  /// What was found.
  struct Result {
    var databases: [DatabaseSize] = []
    /// The largest.
    var relations: [RelationSize] = []
    var relationCount = 0
  }

  /// Completes `tally`, which has what is stored already.
  func read(_ tally: consuming RelationTally) throws(Failure) -> Result {
    let maps = try readSizes(into: &tally)
    var result = Result(
      databases: tally.databases(also: maps.databases),
      relations: tally.largest(RelationSize.listedLimit), relationCount: tally.relationCount)
    var search = NameSearch(result.relations, maps: maps)
    try readNames(result.databases.map(\.id), maps, &search)
    search.name(&result.databases, &result.relations)
    return result
  }

  // MARK: Sizes

  private func readSizes(into tally: inout RelationTally) throws(Failure) -> RelationMaps {
    var maps = RelationMaps()
    var listed = ListedForks()
    let layers = timeline.layers.filter { !$0.name.keys.holdsBlocksOnly }
    try forEachValue(of: layers, where: { $0.field1 == 0 && Self.isMetadata($0) }) { key, value in
      switch key.meaning {
      case .relationMap(let id):
        if let version { maps.add(value, ofDatabase: id, version: version) }
      case .relationDirectory(let id):
        listed = ListedForks(value, databaseID: id)
      case .relationSize(let fork):
        guard value.byteCount == 4, listed.contains(fork) else { return }
        let blockCount: UInt32 = value.littleEndian(at: 0)
        tally.add(
          RelationID(databaseID: fork.databaseID, relationNumber: fork.relationNumber), fork.fork,
          byteCount: UInt64(blockCount) * UInt64(PageHeader.pageByteCount))
      default: break
      }
    }
    return maps
  }

  /// Of the keys about relations those that are not of pages.
  private static func isMetadata(_ key: Key) -> Bool { key.field4 == 0 || key.field6 == .max }

  /// The forks that a database has: of a relation that was dropped, the size stays in the layers.
  private struct ListedForks {
    private var databaseID: UInt32?
    private var forks: ArraySlice<RelationForkID> = []

    init() {}

    init(_ value: RawSpan, databaseID: UInt32) {
      guard var forks = try? DirectoryValue.decodeRelations(value, databaseID: databaseID) else {
        return
      }
      forks.sort()  // which most of them are already
      self.databaseID = databaseID
      self.forks = forks[...]
    }

    /// Whether a fork exists, which comes after those that were asked for before; true if the list
    /// of its database cannot be read.
    mutating func contains(_ fork: RelationForkID) -> Bool {
      guard fork.databaseID == databaseID else { return true }
      while let first = forks.first, first < fork { forks.removeFirst() }
      return forks.first == fork
    }
  }

  // MARK: Names

  private func readNames(
    _ databases: [UInt32], _ maps: RelationMaps, _ search: inout NameSearch
  ) throws(Failure) {
    guard let version else { return }
    var catalogs: Set<RelationID> = []
    if let number = maps.number(of: RelationMapFile.databaseCatalog, inDatabase: 0) {
      catalogs.insert(RelationID(databaseID: 0, relationNumber: number))
    }
    for id in search.databases(of: databases) {
      if let number = maps.number(of: RelationMapFile.classCatalog, inDatabase: id) {
        catalogs.insert(RelationID(databaseID: id, relationNumber: number))
      }
    }
    let ranges = catalogs.map { id in
      let fork = RelationForkID(
        databaseID: id.databaseID, relationNumber: id.relationNumber, fork: .main)
      return Key(fork, block: 0)..<Key(.relationSize(fork))
    }
    let layers = timeline.layers.filter { layer in
      ranges.contains { $0.overlaps(layer.name.keys) }
    }
    func isWanted(_ key: Key) -> Bool {
      guard key.field5 == RelationFork.main.rawValue, key.field6 != .max,
        let id = RelationID(key)
      else { return false }
      return catalogs.contains(id)
    }
    try forEachValue(of: layers, where: isWanted) { key, value in
      guard value.byteCount == PageHeader.pageByteCount else { return }
      if key.field3 == 0 {
        for row in CatalogRow.possible(on: value, version: version) { search.take(row) }
      } else {
        search.takeRelations(on: value, ofDatabase: key.field3)
      }
    }
  }

  // MARK: Values

  /// Lends the value of each key that `isWanted` to `body`, as far as it can be read.
  private func forEachValue(
    of layers: [Timeline.Layer], where isWanted: (Key) -> Bool, _ body: (Key, RawSpan) -> Void
  ) throws(Failure) {
    var values = try TimelineValues(timeline, layers: layers)
    var isAtEnd = false
    while !isAtEnd {
      do throws(Failure) {
        isAtEnd = !(try values.next(skipping: { !isWanted($0) }) { key, value in body(key, value) })
      } catch {
        // The walk goes on without that layer or value.
        guard error.exitCode == .damaged || error.exitCode == .unsupported else { throw error }
      }
    }
  }
}

extension Range<Key> {
  /// Whether all keys in it are blocks of one fork.
  fileprivate var holdsBlocksOnly: Bool {
    switch (lowerBound.meaning, upperBound.meaning) {
    case (.relationBlock(let fork, _), .relationBlock(let other, _)),
      (.relationBlock(let fork, _), .relationSize(let other)):
      fork == other
    default: false
    }
  }
}
