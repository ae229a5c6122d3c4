import Operations

/// The tables of databases and relations, of a backup or of a timeline.
///
/// Without room, a path is left out if a name says the same.
enum SizeText {
  /// How many relations the text has; JSON has more.
  private static let relationLimit = 10

  static func databases(_ databases: [DatabaseSize]) -> [String] {
    let hasStored = databases.contains { $0.storedByteCount != nil }
    let hasNames = databases.allSatisfy { $0.id == 0 || $0.name != nil }
    var table = TextTable(
      [.left("database", rank: hasNames ? 1 : nil), .right("relations", rank: 3), .right("size")]
        + (hasStored ? [.right("stored", rank: 2)] : []) + [.left("name")])
    for database in databases {
      table.add(
        [
          database.path, Quantity.grouped(database.relationCount),
          Quantity.bytes(database.byteCount),
        ] + (hasStored ? [Quantity.bytes(database.storedByteCount ?? 0)] : [])
          + [database.id == 0 ? "(shared)" : database.name ?? ""])
    }
    return table.lines
  }

  static func relations(_ relations: [RelationSize]) -> [String] {
    let relations = relations.prefix(relationLimit)
    let hasStored = relations.contains { $0.storedByteCount != nil }
    let hasNames = relations.allSatisfy { $0.name != nil }
    var table = TextTable(
      [.left("largest relations", rank: hasNames ? 1 : nil), .right("size")]
        + (hasStored ? [.right("stored", rank: 2)] : [])
        + [.left("kind", rank: 3), .left("name")])
    for relation in relations {
      let kind = [relation.kind, relation.isUnlogged ? "unlogged" : nil].compactMap(\.self)
      table.add(
        [relation.path, Quantity.bytes(relation.byteCount)]
          + (hasStored ? [Quantity.bytes(relation.storedByteCount ?? 0)] : [])
          + [kind.joined(separator: ", "), relation.name ?? ""])
    }
    return table.lines
  }
}
