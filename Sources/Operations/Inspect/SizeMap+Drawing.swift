/// The drawing itself, as SVG: one element a database and one a relation, with their tooltips.
extension SizeMap: Picture {
  private static let width: Double = 1200
  private static let plotHeight: Double = 760
  private static let margin: Double = 24
  /// What a database's name takes above its relations.
  private static let nameHeight: Double = 20
  /// A smaller box gets no text, and a smaller database no boxes in it.
  private static let leastSide: Double = 14

  /// The whole document.
  public func svg() -> String {
    let legendTop = 48 + Drawing.lineHeight * 1.1 * Double(heading.count)
    let top = legendTop + 18
    let plot = Treemap.Box(
      x: Self.margin, y: top, width: Self.width - 2 * Self.margin, height: Self.plotHeight)
    var lines = Drawing.opening(
      width: Self.width, height: top + Self.plotHeight + Self.margin, style: Self.style)
    lines += Drawing.heading(heading) + legend(y: legendTop)
    if groups.isEmpty {
      lines += [
        Drawing.rectangle("database", plot.x, plot.y, plot.width, plot.height),
        Drawing.text("no relations", "note", plot.x + 12, plot.y + 24),
      ]
    }
    let boxes = Treemap.boxes(of: groups.map { Double($0.byteCount) }, in: plot)
    for (group, box) in zip(groups, boxes) { lines += elements(of: group, in: box) }
    return (lines + ["</svg>", ""]).joined(separator: "\n")
  }

  /// Names are in a font whose characters are all of one width, so that it is known what fits.
  private static let style = """
    text { font: 12px "DejaVu Sans", Verdana, sans-serif; fill: #1d2730 }
    .name, .size { font: 11px "DejaVu Sans Mono", Menlo, Consolas, monospace }
    .small { font-size: 9px }
    .size { fill: #3d4a56 }
    .database.name { font-weight: bold }
    .paper { fill: #ffffff }
    .title { font-size: 17px; font-weight: bold }
    .note { fill: #5b6875 }
    rect.database { fill: #f1f4f7; stroke: #8795a3 }
    .table { fill: #dceaf7; stroke: #5b8db8 }
    .table.stored { fill: #b3d0ec }
    .index { fill: #e0f1de; stroke: #5f9e58 }
    .index.stored { fill: #b9dfb4 }
    .toast { fill: #fdebcf; stroke: #c08a2e }
    .toast.stored { fill: #f6cf91 }
    .view { fill: #ece2f6; stroke: #8a62b3 }
    .view.stored { fill: #d2bbe8 }
    .other { fill: #e9edf0; stroke: #8796a1 }
    .other.stored { fill: #cfd7dd }
    rect.stored { stroke: none }
    g:hover > rect.area { stroke-width: 2.5 }
    @media (prefers-color-scheme: dark) {
    text { fill: #eef2f6 }
    .size { fill: #c9d3dc }
    .paper { fill: #14181d }
    .note { fill: #9daab6 }
    rect.database { fill: #20262d; stroke: #66737f }
    .table { fill: #1d3346; stroke: #5b8db8 }
    .table.stored { fill: #2b5072 }
    .index { fill: #1f3721; stroke: #5f9e58 }
    .index.stored { fill: #315c35 }
    .toast { fill: #403016; stroke: #c08a2e }
    .toast.stored { fill: #6b4e1c }
    .view { fill: #362849; stroke: #9a78c4 }
    .view.stored { fill: #573e7c }
    .other { fill: #2a3138; stroke: #74828e }
    .other.stored { fill: #414c57 }
    }
    """

  /// The kinds that there are, and what the darker parts mean.
  private func legend(y: Double) -> [String] {
    let styles = Set(groups.flatMap { $0.areas.map(\.style) })
    var lines: [String] = []
    var x = Self.margin
    for style in Style.allCases where styles.contains(style) {
      lines.append(Drawing.rectangle("area \(style.rawValue)", x, y - 10, 14, 12))
      lines.append(Drawing.text(style.words, "note", x + 20, y))
      x += 44 + Drawing.width(of: style.words) * 1.1
    }
    let meaning =
      "area: size of the files"
      + (hasStored ? "; stronger colour: the part that is stored in layers" : "")
    lines.append(
      Drawing.text(meaning, "note", Self.width - Self.margin, y, #"text-anchor="end""#))
    return lines
  }

  // MARK: Boxes

  /// A database with its relations, or, if it is too small for its name, one box.
  private func elements(of group: Group, in box: Treemap.Box) -> [String] {
    let frame = box.inset(by: min(1.5, box.width / 4, box.height / 4))
    guard frame.width > 0, frame.height > 0 else { return [] }
    guard min(frame.width, frame.height) >= 4 * Self.leastSide else {
      let whole = Area(
        name: group.name, style: .other, byteCount: group.byteCount,
        storedByteCount: group.storedByteCount, details: group.details)
      return elements(of: whole, in: box)
    }
    var lines = [
      "<g>\(title([group.name] + group.details, group.byteCount, group.storedByteCount))"
        + Drawing.rectangle("area database", frame.x, frame.y, frame.width, frame.height)
    ]
    let heads = sizes(group.byteCount, group.storedByteCount).map { "\(group.name): \($0)" }
    lines += label(heads + [group.name], "database name", at: frame.y + 14, in: frame)
    lines.append("</g>")
    let inner = frame.inset(by: 2, top: Self.nameHeight - 2)
    let boxes = Treemap.boxes(of: group.areas.map { Double($0.byteCount) }, in: inner)
    for (area, box) in zip(group.areas, boxes) { lines += elements(of: area, in: box) }
    return lines
  }

  private func elements(of area: Area, in box: Treemap.Box) -> [String] {
    let frame = box.inset(by: min(1, box.width / 4, box.height / 4))
    guard frame.width > 0, frame.height > 0 else { return [] }
    var lines = [
      "<g>\(title([area.name] + area.details, area.byteCount, area.storedByteCount))"
        + areaBox(area.style, area.byteCount, area.storedByteCount, in: frame)
    ]
    if frame.height >= Self.leastSide {
      lines += label(
        [area.name, area.shortName].compactMap(\.self), "name",
        at: frame.y + min(14, frame.height / 2 + 4), in: frame)
    }
    guard lines.count > 1 else { return [lines[0] + "</g>"] }
    // Both sizes in one line if that fits, else each in its own.
    let candidates = sizes(area.byteCount, area.storedByteCount)
    var y = frame.y + 28
    let isOneLine = candidates.count > 1 && Self.fits(candidates[0], in: frame)
    let stored = area.storedByteCount.map { "stored \(words.size($0))" }
    for line in isOneLine ? [candidates[0]] : [candidates.last, stored].compactMap(\.self) {
      guard y + 4 <= frame.y + frame.height, Self.fits(line, in: frame) else { break }
      lines.append(Drawing.text(line, "size", frame.x + 4, y))
      y += 14
    }
    lines.append("</g>")
    return lines
  }

  /// `8.6 MiB, stored 1.2 MiB` if anything is stored, and the shorter `8.6 MiB`.
  private func sizes(_ byteCount: UInt64, _ stored: UInt64?) -> [String] {
    let size = words.size(byteCount)
    return (stored.map { ["\(size), stored \(words.size($0))"] } ?? []) + [size]
  }

  /// A box whose lower part, in proportion to what is stored, is in a stronger colour.
  private func areaBox(
    _ style: Style, _ byteCount: UInt64, _ stored: UInt64?, in box: Treemap.Box
  ) -> String {
    let share = byteCount == 0 ? 0 : min(1, Double(stored ?? 0) / Double(byteCount))
    let height = box.height * share
    let whole = Drawing.rectangle(
      "area \(style.rawValue)", box.x, box.y, box.width, box.height)
    guard height >= 0.1 else { return whole }
    return whole
      + Drawing.rectangle(
        "\(style.rawValue) stored", box.x + 0.5, box.y + box.height - height,
        max(0, box.width - 1), max(0, height - 0.5))
  }

  /// What is left of a name must tell something.
  private static let leastNameLength = 6

  /// The first of some lines that fits, in a small font if not in the usual one, or else the last of
  /// them cut; nothing if too little of it would be left.
  private func label(
    _ candidates: [String], _ style: String, at y: Double, in box: Treemap.Box
  ) -> [String] {
    for (suffix, scale) in [("", 1.0), (" small", Self.smallScale)] {
      if let line = candidates.first(where: { Self.fits($0, in: box, scale: scale) }) {
        return [Drawing.text(line, style + suffix, box.x + 4, y)]
      }
    }
    guard var line = candidates.last else { return [] }
    while line.count > Self.leastNameLength,
      !Self.fits(line + "…", in: box, scale: Self.smallScale)
    { line.removeLast() }
    guard line.count >= Self.leastNameLength,
      Self.fits(line + "…", in: box, scale: Self.smallScale)
    else { return [] }
    return [Drawing.text(line + "…", style + " small", box.x + 4, y)]
  }

  /// 9 pixels instead of 11.
  private static let smallScale = 9.0 / 11

  private static func fits(_ text: String, in box: Treemap.Box, scale: Double = 1) -> Bool {
    Drawing.width(of: text) * scale <= box.width - 8
  }

  private func title(_ lines: [String], _ byteCount: UInt64, _ stored: UInt64?) -> String {
    let lines = lines + sizes(byteCount, stored).prefix(1)
    return "<title>\(Drawing.escapedXML(lines.joined(separator: "\n")))</title>"
  }
}
