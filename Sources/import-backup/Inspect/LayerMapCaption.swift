import Operations

/// The captions in a drawing of a timeline's layers.
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
    tooltip.append(layer.fileName)
    if layer.kind == .image {
      labels.insert("\(layer.keys), \(size)", at: 0)
    } else {
      labels = labels.map { "\(layer.kind.rawValue): \($0)" } + [layer.kind.rawValue]
    }
    return LayerMap.Caption(tooltip: tooltip.joined(separator: "\n"), labels: labels)
  }
}
