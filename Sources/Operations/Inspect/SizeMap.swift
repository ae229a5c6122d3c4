/// A picture of what takes the room of a backup or a timeline: a box for each database, and in it
/// one for each of its largest relations, with areas by their plain size.
///
/// ```
/// ┌ sales ───────────────────┐┌ hr ──────┐
/// │┌──────────────┐┌────────┐││┌────────┐│
/// ││ orders       ││ orders_│││││ people ││
/// ││ 8.6 GiB      ││ pkey   │││││        ││   ▒ the part that is stored,
/// ││▒▒▒▒▒▒▒▒▒▒▒▒▒▒││▒▒▒▒▒▒▒▒│││││▒▒▒▒▒▒▒▒││     of a timeline
/// │└──────────────┘└────────┘││└────────┘│
/// └──────────────────────────┘└──────────┘
/// ```
///
/// Everything else of a database is one box, and the smallest databases together are one.
public struct SizeMap {
  /// The text about a size, as the caller writes sizes.
  public struct Words: Sendable {
    /// `8.6 MiB`.
    public var size: @Sendable (UInt64) -> String
    /// `12,345 relations`, `1 relation`.
    public var relations: @Sendable (Int) -> String
    /// `12,345 more relations`, `1 more relation`.
    public var moreRelations: @Sendable (Int) -> String
    /// `12,345 more`.
    public var more: @Sendable (Int) -> String

    /// Words in these forms.
    public init(
      size: @escaping @Sendable (UInt64) -> String,
      relations: @escaping @Sendable (Int) -> String,
      moreRelations: @escaping @Sendable (Int) -> String, more: @escaping @Sendable (Int) -> String
    ) {
      self.more = more
      self.moreRelations = moreRelations
      self.size = size
      self.relations = relations
    }
  }

  /// What a box is filled with.
  enum Style: String, CaseIterable {
    case table
    case index
    case toast
    case view
    case other

    /// For the kind of a relation, as `RelationSize` names it.
    init(kind: String?) {
      self =
        switch kind {
        case "table": .table
        case "index": .index
        case "TOAST table": .toast
        case "materialized view": .view
        default: .other
        }
    }

    /// What the legend calls it.
    var words: String {
      switch self {
      case .table: "tables"
      case .index: "indexes"
      case .toast: "TOAST tables"
      case .view: "materialized views"
      case .other: "other relations"
      }
    }
  }

  /// A relation, or all others of its database.
  struct Area {
    var name: String
    /// What is written if the name has no room.
    var shortName: String?
    var style: Style
    var byteCount: UInt64
    var storedByteCount: UInt64?
    /// Lines of the tooltip after the name and before the sizes.
    var details: [String]
  }

  /// A database, or all that are too small to be drawn.
  struct Group {
    var name: String
    var byteCount: UInt64
    var storedByteCount: UInt64?
    var details: [String]
    var areas: [Area]
  }

  let heading: [String]
  let words: Words
  /// The largest first.
  let groups: [Group]
  /// Whether there is anything stored to be shown.
  let hasStored: Bool

  /// More databases are drawn as one.
  private static let databaseLimit = 200

  /// A picture of these databases, and of the largest of their relations.
  public init(
    _ databases: [DatabaseSize], _ relations: [RelationSize], heading: [String], words: Words
  ) {
    self.heading = heading
    self.words = words
    hasStored = databases.contains { $0.storedByteCount != nil }
    let sorted = databases.filter { $0.byteCount > 0 }.sorted { left, right in
      left.byteCount != right.byteCount
        ? left.byteCount > right.byteCount : left.id < right.id
    }
    var listed: [UInt32: [RelationSize]] = [:]
    for relation in relations where relation.byteCount > 0 {
      listed[relation.databaseID, default: []].append(relation)
    }
    var groups = sorted.prefix(Self.databaseLimit).map { database in
      Self.group(database, listed[database.id] ?? [], words)
    }
    let rest = sorted.dropFirst(Self.databaseLimit)
    if !rest.isEmpty { groups.append(Self.group(ofRest: rest, words)) }
    self.groups = groups
  }

  private static func group(
    _ database: DatabaseSize, _ relations: [RelationSize], _ words: Words
  ) -> Group {
    var areas = relations.map { relation in
      Area(
        name: relation.name ?? "\(relation.relationNumber)", style: Style(kind: relation.kind),
        byteCount: relation.byteCount, storedByteCount: relation.storedByteCount,
        details: [
          (relation.kind ?? "relation") + (relation.isUnlogged ? ", unlogged" : ""), relation.path,
        ])
    }
    let count = max(0, database.relationCount - relations.count)
    let byteCount = database.byteCount.less(relations.reduce(0) { $0 &+ $1.byteCount })
    if byteCount > 0 {
      areas.append(
        Area(
          name: areas.isEmpty ? words.relations(count) : words.moreRelations(count),
          shortName: areas.isEmpty ? nil : words.more(count), style: .other,
          byteCount: byteCount,
          storedByteCount: database.storedByteCount.map { stored in
            stored.less(relations.reduce(0) { $0 &+ ($1.storedByteCount ?? 0) })
          }, details: [database.path]))
    }
    // Boxes are nearly square if their sizes descend; sorting is stable.
    areas.sort { $0.byteCount > $1.byteCount }
    let name = database.id == 0 ? "shared relations" : database.name ?? database.path
    return Group(
      name: name, byteCount: database.byteCount, storedByteCount: database.storedByteCount,
      details: ["\(database.path), \(words.relations(database.relationCount))"], areas: areas)
  }

  private static func group(
    ofRest databases: ArraySlice<DatabaseSize>, _ words: Words
  ) -> Group {
    let byteCount = databases.reduce(0) { $0 &+ $1.byteCount }
    let stored = databases.reduce(UInt64?.none) { sum, database in
      database.storedByteCount.map { (sum ?? 0) &+ $0 } ?? sum
    }
    let count = databases.reduce(0) { $0 + $1.relationCount }
    return Group(
      name: "\(databases.count) smaller databases", byteCount: byteCount, storedByteCount: stored,
      details: [words.relations(count)],
      areas: [
        Area(
          name: words.relations(count), style: .other, byteCount: byteCount,
          storedByteCount: stored, details: [])
      ])
  }
}

extension UInt64 {
  /// The difference, or 0 if it would be negative.
  fileprivate func less(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
