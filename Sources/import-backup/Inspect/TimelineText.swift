import Operations
import PostgresFormat

/// The text about the contents of a timeline.
enum TimelineText {
  /// All of it, or only the key or the layer that was asked for.
  static func text(_ timeline: TimelineDescription) -> String {
    let asked = [timeline.key.map(KeyText.lines), timeline.layerEntries.map(entries)]
      .compactMap(\.self)
    let sections =
      asked.isEmpty
      ? [
        [title(timeline)] + facts(timeline), SizeText.databases(timeline.databases),
        SizeText.relations(timeline.relations), layers(timeline.layers), totals(timeline.totals),
        errors(timeline.layers), unnamedFiles(timeline.unnamedFiles),
      ] : [[title(timeline)]] + asked
    return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") + "\n" }
      .joined(separator: "\n")
  }

  private static func title(_ timeline: TimelineDescription) -> String {
    "timeline \(timeline.timelinePath.quoted)"
  }

  private static func facts(_ timeline: TimelineDescription) -> [String] {
    TextTable.facts([
      ("tenant", timeline.tenantID),
      ("timeline", timeline.timelineID),
      ("generation", "\(timeline.generation)"),
      ("Postgres version", "\(timeline.postgresVersion)"),
      ("index version", "\(timeline.indexVersion)"),
      ("disk_consistent_lsn", timeline.endLSN),
      ("prev_record_lsn", timeline.previousRecordLSN ?? "unknown"),
      ("latest_gc_cutoff_lsn", timeline.latestGCCutoffLSN),
      ("initdb_lsn", timeline.importLSN),
      ("ancestor", ancestor(timeline)),
      ("deleted", timeline.deletedAt),
      ("relations", Quantity.count(timeline.relationCount, "relation")),
    ])
  }

  private static func ancestor(_ timeline: TimelineDescription) -> String? {
    timeline.ancestorTimelineID.map { "\(escaped($0.utf8)) at \(timeline.ancestorLSN)" }
  }

  private static func layers(_ layers: [LayerDescription]) -> [String] {
    let isSharded = layers.contains { $0.shard != nil }
    var table = TextTable(
      [.right("#")] + (isSharded ? [.left("shard")] : []) + [
        .left("layer", rank: 2), .left("LSN", rank: 3), .right("size", rank: 1),
        .right("values", rank: 4), .right("ratio", rank: 5), .left("keys"),
      ])
    for layer in layers {
      table.add(
        ["\(layer.number)"] + (isSharded ? [layer.shard ?? ""] : []) + [
          layer.kind.rawValue, lsns(layer), Quantity.bytes(layer.byteCount),
          layer.contents.map { Quantity.grouped($0.valueCount) } ?? "damaged",
          ratio(layer.contents), layer.keys,
        ])
    }
    return table.lines
  }

  static func lsns(_ layer: LayerDescription) -> String {
    layer.lsnEnd.map { "\(layer.lsnStart)–\($0)" } ?? layer.lsnStart
  }

  /// `4.2×`; empty if nothing is stored.
  static func ratio(_ contents: LayerDescription.Contents?) -> String {
    contents?.compressionRatio.map { Quantity.factor($0) } ?? ""
  }

  private static func totals(_ totals: [TimelineDescription.Total]) -> [String] {
    var table = TextTable([
      .left("total"), .right("layers"), .right("size"), .right("values", rank: 1),
      .right("WAL records", rank: 5), .right("plain", rank: 4), .right("stored", rank: 3),
      .right("ratio", rank: 2),
    ])
    for total in totals {
      let contents = total.contents
      table.add([
        total.kind.rawValue, Quantity.grouped(total.layerCount),
        Quantity.bytes(total.layerByteCount),
        Quantity.grouped(contents.valueCount), Quantity.grouped(contents.recordCount),
        Quantity.bytes(contents.plainByteCount), Quantity.bytes(contents.storedByteCount),
        ratio(contents),
      ])
    }
    return table.lines
  }

  private static func errors(_ layers: [LayerDescription]) -> [String] {
    layers.flatMap { layer in
      layer.error.map {
        HelpText.wrapped("damaged: \($0)", columns: TextTable.columns)
      } ?? []
    }
  }

  private static func unnamedFiles(_ names: [String]) -> [String] {
    guard !names.isEmpty else { return [] }
    let title = "\(Quantity.count(names.count, "file")) not listed in the index:"
    return [title] + names.map { "  \($0)" }
  }

  /// In an image layer, all values are images, at the layer's LSN.
  private static func entries(_ layer: LayerEntriesDescription) -> [String] {
    let isDelta = layer.entries.contains { $0.lsn != nil }
    let middle: [TextTable.Column] = isDelta ? [.left("LSN", rank: 1), .left("", rank: 2)] : []
    var table = TextTable(
      [.left("key")] + middle + [
        .right("offset", rank: 3), .right("length", rank: 4), .left("meaning"),
      ],
      cutsFront: true)
    for entry in layer.entries {
      let middle = isDelta ? [entry.lsn ?? "", entry.isRecord ? "record" : "image"] : []
      table.add(
        [entry.key] + middle
          + ["\(entry.offset)", "\(entry.storedByteCount)", entry.meaning])
    }
    let title = "entries of layer \(layer.layerNumber), offsets and lengths in bytes"
    return HelpText.wrapped(title, columns: TextTable.columns) + table.lines
  }
}
