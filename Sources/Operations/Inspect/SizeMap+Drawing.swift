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
    let heads = heads(group.name, group.byteCount, group.storedByteCount)
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
      let hasOneLine = frame.height < Self.sizeTop + Self.descent
      let heads = hasOneLine ? heads(area.name, area.byteCount, area.storedByteCount) : []
      lines += label(
        heads + [area.name, area.shortName].compactMap(\.self), "name",
        at: frame.y + min(14, frame.height / 2 + 4), in: frame)
    }
    guard lines.count > 1 else { return [lines[0] + "</g>"] }
    return lines + sizeLines(area.byteCount, area.storedByteCount, in: frame) + ["</g>"]
  }

  /// Where the first line of sizes is below the top of its box, and how far apart such lines are.
  private static let (sizeTop, sizeHeight): (Double, Double) = (28, 14)
  /// What letters take below their line.
  private static let descent: Double = 4

  /// Below the name, both sizes in one line, in two or in three, whichever fits first, in a small
  /// font if not in the usual one; if none does, the plain size alone.
  private func sizeLines(
    _ byteCount: UInt64, _ stored: UInt64?, in box: Treemap.Box
  ) -> [String] {
    let size = words.size(byteCount)
    let both = stored.map(words.size).map { stored in
      [["\(size), stored \(stored)"], [size, "stored \(stored)"], [size, "stored", stored]]
    }
    let candidates = [both ?? [], [[size]]].flatMap { forms in
      Self.fonts.flatMap { font in forms.map { (lines: $0, font: font) } }
    }
    let choice = candidates.first { lines, font in
      Self.sizeTop + Self.sizeHeight * Double(lines.count - 1) + Self.descent <= box.height
        && lines.allSatisfy { Self.fits($0, in: box, scale: font.scale) }
    }
    guard let (lines, font) = choice else { return [] }
    return lines.enumerated().map { row, line in
      Drawing.text(
        line, "size" + font.suffix, box.x + 4,
        box.y + Self.sizeTop + Self.sizeHeight * Double(row))
    }
  }

  /// A name with its sizes, and the shorter one without what is stored.
  private func heads(_ name: String, _ byteCount: UInt64, _ stored: UInt64?) -> [String] {
    sizes(byteCount, stored).map { "\(name): \($0)" }
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
    for (suffix, scale) in Self.fonts {
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
  /// The fonts that a line may be in: what its class ends with, and its scale.
  private static let fonts = [(suffix: "", scale: 1), (suffix: " small", scale: smallScale)]

  private static func fits(_ text: String, in box: Treemap.Box, scale: Double = 1) -> Bool {
    Drawing.width(of: text) * scale <= box.width - 8
  }

  private func title(_ lines: [String], _ byteCount: UInt64, _ stored: UInt64?) -> String {
    let lines = lines + sizes(byteCount, stored).prefix(1)
    return "<title>\(Drawing.escapedXML(lines.joined(separator: "\n")))</title>"
  }
}
