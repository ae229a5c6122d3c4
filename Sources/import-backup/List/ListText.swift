import Operations
import PostgresFormat

/// The text about the timelines below a directory.
enum ListText {
  /// A table for each tenant, or a paragraph for each timeline on a narrow terminal.
  static func text(_ list: TimelineList) -> String {
    guard !list.timelines.isEmpty else { return "no timelines in '\(list.path)'\n" }
    var sections: [[String]] = []
    var rest = list.timelines[...]
    let hasRoots = Set(list.timelines.map(\.root)).count > 1
    func title(_ timeline: ListedTimeline) -> String {
      Self.title(timeline) + (hasRoots ? " in '\(timeline.root)'" : "")
    }
    while let first = rest.first {
      let timelines = rest.prefix { title($0) == title(first) }
      rest = rest.dropFirst(timelines.count)
      sections.append([title(first)] + lines(timelines))
    }
    return sections.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
  }

  private static func title(_ timeline: ListedTimeline) -> String {
    let shard =
      timeline.shard.map { ", shard \($0)" }
      ?? (timeline.shardCount > 1 ? ", \(timeline.shardCount) shards" : "")
    return "tenant \(timeline.tenantID ?? "unknown")\(shard)"
  }

  /// A row a timeline, without what matters least if there is no room for it; a paragraph each if a row
  /// would not fit at all.
  private static func lines(_ timelines: ArraySlice<ListedTimeline>) -> [String] {
    // Who moves a cluster needs the import LSN first.
    var table = TextTable([
      .left("timeline"), .left("state"), .right("PG"), .right("gen"), .right("size"),
      .right("layers", rank: 2), .left("import LSN"), .left("end LSN", rank: 1),
    ])
    for timeline in timelines {
      table.add([
        timeline.timelineID ?? "unknown", timeline.state.rawValue,
        timeline.postgresVersion.map { "\($0)" } ?? "",
        timeline.generation.map { "\($0)" } ?? "", size(timeline) ?? "", layers(timeline) ?? "",
        timeline.importLSN ?? "", timeline.endLSN ?? "",
      ])
    }
    return table.fits ? table.lines : Array(timelines.map(paragraph).joined(separator: [""]))
  }

  private static func paragraph(_ timeline: ListedTimeline) -> [String] {
    TextTable.facts([
      ("timeline", timeline.timelineID ?? "unknown"),
      ("state", timeline.state.rawValue),
      ("Postgres version", timeline.postgresVersion.map { "\($0)" }),
      ("generation", timeline.generation.map { "\($0)" }),
      ("size", size(timeline)),
      ("layers", layers(timeline)),
      ("import LSN", timeline.importLSN),
      ("end LSN", timeline.endLSN),
    ])
  }

  private static func size(_ timeline: ListedTimeline) -> String? {
    timeline.layerByteCount.map { Quantity.bytes($0) }
  }

  private static func layers(_ timeline: ListedTimeline) -> String? {
    timeline.layerCount.map { Quantity.grouped($0) }
  }

  /// What is wrong, and what is in the directories besides timelines, one a line.
  static func notes(_ list: TimelineList) -> [String] {
    var lines: [String] = []
    for timeline in list.timelines {
      let name = "timeline \(timeline.timelineID ?? "'\(timeline.timelinePath)'")"
      if let error = timeline.error {
        lines.append("note: \(name) is \(timeline.state.rawValue): \(error)")
      }
      for leftover in timeline.leftovers {
        lines.append("note: \(name) has \(words(leftover, timeline)), \(names(leftover))")
      }
    }
    lines += list.skipped.map { "note: skipped '\($0.path)': \($0.reason)" }
    let more = list.skippedCount - list.skipped.count
    if more > 0 { lines.append("note: skipped \(Quantity.count(more, "more name"))") }
    return lines
  }

  private static func words(
    _ leftover: ListedTimeline.Leftover, _ timeline: ListedTimeline
  ) -> String {
    let count = leftover.fileCount
    let files =
      switch leftover.code {
      case .temporaryFile: Quantity.count(count, "temporary file")
      case .unlistedLayer:
        Quantity.count(count, "layer")
          + (timeline.generation == nil ? " and no index" : " that the index does not name")
      case .olderIndex: Quantity.count(count, "older index", plural: "older indexes")
      case .otherFile: Quantity.count(count, "other file")
      }
    return "\(files) (\(Quantity.bytes(leftover.byteCount)))"
  }

  private static func names(_ leftover: ListedTimeline.Leftover) -> String {
    let shown = leftover.names.prefix(2).joined(separator: ", ")
    let more = leftover.fileCount - min(2, leftover.names.count)
    return more > 0 ? "\(shown) and \(Quantity.grouped(more)) more" : shown
  }
}
