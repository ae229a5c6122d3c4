import Operations
import PostgresFormat

/// The texts in a picture of what takes the room.
enum SizeMapText {
  static func map(of backup: BackupDescription) -> SizeMap {
    map(
      backup.databases, backup.relations,
      title: "backup \(backup.backupPath == "-" ? "on standard input" : backup.backupPath.quoted)",
      facts: [backup.backupKind, backup.postgresVersion.map { "Postgres \($0)" }],
      relationCount: backup.relationCount)
  }

  static func map(of timeline: TimelineDescription) -> SizeMap {
    map(
      timeline.databases, timeline.relations, title: "timeline \(timeline.timelineID ?? "")",
      facts: [
        "tenant \(timeline.tenantID ?? "unknown")", "generation \(timeline.generation)",
        "Postgres \(timeline.postgresVersion)",
      ], relationCount: timeline.relationCount)
  }

  private static func map(
    _ databases: [DatabaseSize], _ relations: [RelationSize], title: String, facts: [String?],
    relationCount: Int
  ) -> SizeMap {
    let bytes = databases.reduce(0) { $0 &+ $1.byteCount }
    let stored = databases.reduce(0) { $0 &+ ($1.storedByteCount ?? 0) }
    let hasStored = databases.contains { $0.storedByteCount != nil }
    let counts = [
      Quantity.count(databases.count { $0.id != 0 }, "database"),
      Quantity.count(relationCount, "relation"), Quantity.bytes(bytes),
      hasStored ? "stored \(Quantity.bytes(stored))" : nil,
    ]
    return SizeMap(
      databases, relations,
      heading: [title, (facts + counts).compactMap(\.self).joined(separator: ", ")],
      words: SizeMap.Words(
        size: { Quantity.bytes($0) }, relations: { Quantity.count($0, "relation") },
        moreRelations: { Quantity.count($0, "more relation") },
        more: { "\(Quantity.grouped($0)) more" }))
  }
}

/// The texts in a picture of a timeline's layers.
enum LayerMapCaption {
  static func map(of timeline: TimelineDescription) -> LayerMap {
    LayerMap(timeline, heading: heading(timeline)) { caption($0) }
  }

  private static func heading(_ timeline: TimelineDescription) -> [String] {
    let bytes = timeline.layers.reduce(0) { $0 &+ $1.byteCount }
    return [
      "timeline \(timeline.timelineID ?? "")",
      "tenant \(timeline.tenantID ?? "unknown"), generation \(timeline.generation), "
        + "Postgres \(timeline.postgresVersion), "
        + "\(Quantity.count(timeline.layers.count, "layer")), \(Quantity.bytes(bytes))",
    ]
  }

  private static func caption(_ layer: LayerDescription) -> LayerMap.Caption {
    let size = Quantity.bytes(layer.byteCount)
    var tooltip = [
      "\(layer.kind.rawValue) layer \(layer.number)", layer.keys,
      "LSN \(TimelineText.lsns(layer))", size,
    ]
    var labels = [size]
    if let contents = layer.contents {
      let values = Quantity.count(contents.valueCount, "value")
      tooltip.append("\(values), compressed \(TimelineText.ratio(contents))")
      labels.insert("\(values), \(size)", at: 0)
    } else {
      tooltip.append("damaged")
    }
    tooltip.append(layer.name)
    if layer.kind == .image {
      labels.insert("\(layer.keys), \(size)", at: 0)
    } else {
      labels = labels.map { "\(layer.kind.rawValue): \($0)" } + [layer.kind.rawValue]
    }
    return LayerMap.Caption(tooltip: tooltip.joined(separator: "\n"), labels: labels)
  }
}
