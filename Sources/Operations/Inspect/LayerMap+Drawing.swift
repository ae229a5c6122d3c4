import PostgresFormat
import System

/// The drawing itself, as SVG: one element a layer, with its tooltip.
extension LayerMap {
  static let left: Double = 150
  static let right: Double = 180
  static let lineHeight: Double = 18
  /// What a character of the small font takes, rather too much.
  static let characterWidth: Double = 6.6

  var top: Double { 60 + Self.lineHeight * Double(heading.count) }
  var plotWidth: Double { max(keys.length, 400) }
  var plotBottom: Double { top + max(lsns.length, 40) }

  /// The whole document.
  public func svg() -> String {
    let width = Self.left + plotWidth + Self.right
    let labels = keyLabels()
    let height = plotBottom + labels.height + 44
    var lines = [
      #"<?xml version="1.0" encoding="UTF-8"?>"#,
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Self.number(width)) "#
        + #"\#(Self.number(height))" width="\#(Self.number(width))" "#
        + #"height="\#(Self.number(height))">"#,
      Self.style,
      #"<rect class="paper" width="100%" height="100%"/>"#,
    ]
    lines += headingElements() + legendElements() + axisElements(bottom: height)
    for layer in layers { lines.append(element(of: layer)) }
    lines += lsnLabels() + labels.elements + markElements()
    return (lines + ["</svg>", ""]).joined(separator: "\n")
  }

  static let style = """
    <style>
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
    </style>
    """

  // MARK: Frame

  private func headingElements() -> [String] {
    heading.enumerated().map { index, line in
      let style = index == 0 ? "title" : "note"
      return Self.text(line, style, 24, 32 + Self.lineHeight * Double(index) * 1.1)
    }
  }

  private func legendElements() -> [String] {
    var lines: [String] = []
    var x = Self.left
    let y = top - 18
    for kind in LayerDescription.Kind.allCases {
      let count = layers.count { $0.kind == kind }
      let name = "\(kind.rawValue) layers (\(count))"
      lines.append(Self.rectangle(kind.rawValue, x, y - 10, 14, 12))
      lines.append(Self.text(name, "note", x + 20, y))
      x += 40 + Self.width(of: name)
    }
    return lines
  }

  private func axisElements(bottom: Double) -> [String] {
    let middle = (top + plotBottom) / 2
    return [
      Self.rectangle("frame", Self.left, top, plotWidth, plotBottom - top),
      Self.text(
        "LSN, in order, not to scale", "axis", 26, middle,
        #"text-anchor="middle" transform="rotate(-90 26 \#(Self.number(middle)))""#),
      Self.text(
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
    let box = Self.rectangle(
      layer.kind.rawValue, x, high + inset, max(end - x, 1), max(low - high - 2 * inset, 1))
    var parts = [
      #"<g class="layer"><title>\#(Self.escapedXML(layer.caption.tooltip))</title>\#(box)"#
    ]
    let label = layer.caption.labels.first {
      Self.width(of: $0) + 12 <= end - x
    }
    if let label, let row = labelRow(of: layer), row.height >= 12 {
      let middle = isImage ? (x + end) / 2 : x + 8
      parts.append(
        Self.text(
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

extension LayerMap {
  /// Writes the drawing: under a temporary name beside `path` first, durable before it is renamed,
  /// so that `path` holds the old or the new one at every moment.
  public func write(to output: OutputTarget) throws(Failure) {
    let destination = try FileDestination(output, mode: 0o644)
    let isWritten = destination.write(Array(svg().utf8).bytes)
    if !isWritten, let failure = destination.failure { throw failure }
    try destination.commit()
  }
}
