import PostgresFormat

/// The drawing itself, as SVG: one element a layer, with its tooltip.
extension LayerMap: Picture {
  static let left: Double = 150
  static let right: Double = 180

  var top: Double { 60 + Drawing.lineHeight * Double(heading.count) }
  var plotWidth: Double { max(keys.length, 400) }
  var plotBottom: Double { top + max(lsns.length, 40) }

  /// The whole document.
  public func svg() -> String {
    let width = Self.left + plotWidth + Self.right
    let labels = keyLabels()
    let height = plotBottom + labels.height + 44
    var lines = Drawing.opening(width: width, height: height, style: Self.style)
    lines += Drawing.heading(heading) + legendElements() + axisElements(bottom: height)
    for layer in layers { lines.append(element(of: layer)) }
    lines += lsnLabels() + labels.elements + markElements()
    return (lines + ["</svg>", ""]).joined(separator: "\n")
  }

  private static let style = """
    text { font: 11px "DejaVu Sans", Verdana, sans-serif; fill: #24303c }
    .paper { fill: #ffffff }
    .title { font-size: 17px; font-weight: bold }
    .note, .axis { fill: #5b6875 }
    .axis { font-weight: bold }
    .frame, .tick { fill: none; stroke: #b8c2cc }
    .L0 { fill: #fbe8c6; stroke: #c98a1b }
    .image { fill: #9cc9e8; stroke: #1f6fa5 }
    .delta { fill: #d3bfe8; stroke: #7446a8 }
    .mark { stroke: #b3261e; stroke-dasharray: 5 3 }
    .markname { fill: #b3261e }
    g.layer:hover rect { stroke-width: 2.5 }
    @media (prefers-color-scheme: dark) {
    text { fill: #e3e9ef }
    .paper { fill: #14181d }
    .note, .axis { fill: #9daab6 }
    .frame, .tick { stroke: #4a5663 }
    .L0 { fill: #453415; stroke: #d29a3a }
    .image { fill: #1f4a69; stroke: #5fa8d8 }
    .delta { fill: #41305a; stroke: #a880d6 }
    .mark { stroke: #ff8a80 }
    .markname { fill: #ff8a80 }
    }
    """

  // MARK: Frame

  private func legendElements() -> [String] {
    var lines: [String] = []
    var x = Self.left
    let y = top - 18
    for kind in LayerDescription.Kind.allCases {
      let count = layers.count { $0.kind == kind }
      let name = "\(kind.rawValue) layers (\(count))"
      lines.append(Drawing.rectangle(kind.rawValue, x, y - 10, 14, 12))
      lines.append(Drawing.text(name, "note", x + 20, y))
      x += 40 + Drawing.width(of: name)
    }
    return lines
  }

  private func axisElements(bottom: Double) -> [String] {
    let middle = (top + plotBottom) / 2
    return [
      Drawing.rectangle("frame", Self.left, top, plotWidth, plotBottom - top),
      Drawing.text(
        "LSN, in order, not to scale", "axis", 26, middle,
        #"text-anchor="middle" transform="rotate(-90 26 \#(Drawing.number(middle)))""#),
      Drawing.text(
        "keys, in order; the more bytes, the wider", "axis", Self.left + plotWidth / 2, bottom - 14,
        #"text-anchor="middle""#),
    ]
  }

  // MARK: Layers

  private func element(of layer: Layer) -> String {
    let x = Self.left + keys.coordinate(layer.name.keys.lowerBound)
    let end = Self.left + keys.coordinate(layer.name.keys.upperBound)
    let low = y(layer.name.lsns.lowerBound)
    let high = y(layer.name.lsns.upperBound)
    let isImage = layer.kind == .image
    // Image layers are a little apart from their row, so that one sees what is beneath them.
    let inset = isImage ? min(4, (low - high) / 6) : 0
    let box = Drawing.rectangle(
      layer.kind.rawValue, x, high + inset, max(end - x, 1), max(low - high - 2 * inset, 1))
    var parts = [
      #"<g class="layer"><title>\#(Drawing.escapedXML(layer.caption.tooltip))</title>\#(box)"#
    ]
    let label = layer.caption.labels.first {
      Drawing.width(of: $0) + 12 <= end - x
    }
    if let label, let row = labelRow(of: layer), row.height >= 12 {
      let middle = isImage ? (x + end) / 2 : x + 8
      parts.append(
        Drawing.text(
          label, "label", middle, row.middle + 4, isImage ? #"text-anchor="middle""# : ""))
    }
    return parts.joined() + "</g>"
  }

  /// The highest row of the layer that no image layer is in, for its label; an image layer's own.
  private func labelRow(of layer: Layer) -> (middle: Double, height: Double)? {
    let rows = zip(lsns.positions, lsns.positions.dropFirst()).filter { start, end in
      start >= layer.name.lsns.lowerBound && end <= layer.name.lsns.upperBound
    }
    let isFree = { (row: (LogSequenceNumber, LogSequenceNumber)) in
      layer.kind == .image || !imageLSNs.contains(row.0)
    }
    guard let row = rows.last(where: isFree) else { return nil }
    return ((y(row.0) + y(row.1)) / 2, y(row.0) - y(row.1))
  }

  func y(_ lsn: LogSequenceNumber) -> Double { plotBottom - lsns.coordinate(lsn) }
}
