import Operations

/// The tables of databases and relations, of a backup or of a timeline.
enum SizeText {
  /// How many relations the text has; JSON has more.
  private static let relationLimit = 10

  static func databases(_ databases: [DatabaseSize]) -> [String] {
    let hasStored = databases.contains { $0.storedByteCount != nil }
    var table = TextTable(
      [("database", .left), ("relations", .right), ("size", .right)]
        + (hasStored ? [("stored", .right)] : []) + [("name", .left)])
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
    let hasStored = relations.contains { $0.storedByteCount != nil }
    var table = TextTable(
      [("largest relations", .left), ("size", .right)]
        + (hasStored ? [("stored", .right)] : []) + [("kind", .left), ("name", .left)])
    for relation in relations.prefix(relationLimit) {
      let kind = [relation.kind, relation.isUnlogged ? "unlogged" : nil].compactMap(\.self)
      table.add(
        [relation.path, Quantity.bytes(relation.byteCount)]
          + (hasStored ? [Quantity.bytes(relation.storedByteCount ?? 0)] : [])
          + [kind.joined(separator: ", "), relation.name ?? ""])
    }
    return table.lines
  }
}
