import Backup
import PostgresFormat

/// The relation maps of a cluster's databases: the numbers of the files of mapped catalogs.
///
/// Memory: about 500 bytes a database, those of 65,536 databases at most.
struct RelationMaps {
  private static let limit = 1 << 16

  /// By database, 0 for the shared relations, and then by the oid of the catalog.
  private var numbers: [UInt32: [UInt32: UInt32]] = [:]

  /// Takes the bytes of a `pg_filenode.map`; one that is damaged counts as none.
  mutating func add(_ bytes: RawSpan, ofDatabase id: UInt32, version: PostgresVersion) {
    guard numbers.count < Self.limit,
      (try? RelationMapFile.check(bytes, version: version)) != nil
    else { return }
    for (catalog, number) in RelationMapFile.pairs(of: bytes) {
      numbers[id, default: [:]][catalog] = number
    }
  }

  /// The databases that have a map that can be read.
  var databases: [UInt32] { Array(numbers.keys) }

  /// The number of a catalog's files; nil if the database has no map that can be read.
  func number(of catalog: UInt32, inDatabase id: UInt32) -> UInt32? { numbers[id]?[catalog] }

  /// The catalogs of a database, by the numbers of their files.
  func catalogs(ofDatabase id: UInt32) -> [UInt32: UInt32] {
    Dictionary((numbers[id] ?? [:]).map { ($1, $0) }) { first, _ in first }
  }
}

/// Finds the names of some relations in rows of `pg_class`, and of databases in rows of
/// `pg_database`.
///
/// Memory: the names of these relations and of the databases alone, however many rows are taken.
struct NameSearch {
  private let maps: RelationMaps
  private let wanted: Set<RelationID>
  private var databases: [UInt32: NameChoice] = [:]
  private var relations: [RelationID: NameChoice] = [:]
  /// The catalogs that every cluster has, as the maps name them.
  private var mapped: [RelationID: NameChoice] = [:]

  /// A search for the names of `relations`.
  init(_ relations: [RelationSize], maps: RelationMaps) {
    self.maps = maps
    wanted = Set(relations.map(RelationID.init))
    for id in Set(relations.map(\.databaseID)) {
      for (number, catalog) in maps.catalogs(ofDatabase: id) {
        guard let name = RelationMapFile.neverEmpty[catalog] else { continue }
        mapped[RelationID(databaseID: id, relationNumber: number)] = NameChoice(
          name, name.hasSuffix("_index") ? .index : .table, isCertain: true)
      }
    }
  }

  /// The databases whose `pg_class` has the names: those of the relations, and, for the shared
  /// ones, the first of `all`.
  func databases(of all: [UInt32]) -> Set<UInt32> {
    var databases = Set(wanted.map(\.databaseID))
    if databases.remove(0) != nil, databases.isEmpty, let any = all.first(where: { $0 != 0 }) {
      databases.insert(any)
    }
    return databases
  }

  /// Takes the rows of a page of the `pg_class` of a database.
  mutating func takeRelations(on page: RawSpan, ofDatabase id: UInt32) {
    let rows = RelationRow.possible(on: page) { row in
      relation(row, ofDatabase: id).map(wanted.contains) ?? false
    }
    for row in rows { take(row, ofDatabase: id) }
  }

  /// The relation that a row of the `pg_class` of a database is about; nil if it is not known.
  private func relation(_ row: RelationRow, ofDatabase id: UInt32) -> RelationID? {
    let database = row.isShared ? 0 : id
    let number =
      row.relationNumber != 0
      ? row.relationNumber : maps.number(of: row.oid, inDatabase: database)
    return number.map { RelationID(databaseID: database, relationNumber: $0) }
  }

  /// Takes a row of the `pg_class` of a database.
  mutating func take(_ row: RelationRow, ofDatabase id: UInt32) {
    guard let relation = relation(row, ofDatabase: id), wanted.contains(relation) else { return }
    let choice = NameChoice(row.name, row.kind, isCertain: row.isCertain)
    relations[relation, default: choice].add(choice)
  }

  /// Takes a row of `pg_database`.
  mutating func take(_ row: CatalogRow) {
    let choice = NameChoice(row.name, isCertain: row.isCertain)
    databases[row.oid, default: choice].add(choice)
  }

  /// Puts the names that were found where they belong.
  func name(_ databases: inout [DatabaseSize], _ relations: inout [RelationSize]) {
    for index in databases.indices {
      databases[index].name = self.databases[databases[index].id]?.name
    }
    for index in relations.indices {
      let id = RelationID(relations[index])
      let choice = self.relations[id].flatMap { $0.name == nil ? nil : $0 } ?? mapped[id]
      relations[index].name = choice?.name
      relations[index].kind = choice?.kind?.words
    }
  }
}

extension RelationID {
  /// The relation that a size is of.
  init(_ relation: RelationSize) {
    self.init(databaseID: relation.databaseID, relationNumber: relation.relationNumber)
  }
}
