import LayerFormat
import PostgresFormat

/// The labels around the layers, placed so that they do not overlap.
extension LayerMap {
  /// The LSNs at which layers begin and end, from above, as many as have room.
  func lsnLabels() -> [String] {
    let hidden = Set(imageLSNs.map { $0 + 1 })
    var lines: [String] = []
    var last = -Double.infinity
    for lsn in lsns.positions.reversed() where !hidden.contains(lsn) {
      let isImage = imageLSNs.contains(lsn)
      let height = isImage ? (y(lsn) + y(lsn + 1)) / 2 : y(lsn)
      guard height - last >= 13 else { continue }
      last = height
      lines.append(
        Drawing.line("tick", Self.left - 6, height, Self.left, height)
          + Drawing.text(
            lsn.description, "label", Self.left - 10, height + 4, #"text-anchor="end""#))
    }
    return lines
  }

  /// Under each run of layers of one relation its name, and how much room the names take.
  ///
  /// Level if every name has room under its own run; else slanting, the widest runs first, as
  /// many as have room.
  func keyLabels() -> (elements: [String], height: Double) {
    let runs = keyRuns().map { run in
      (
        name: Drawing.shortened(run.name), middle: Self.left + (run.start + run.end) / 2,
        width: run.end - run.start
      )
    }
    let isLevel = runs.allSatisfy { Drawing.width(of: $0.name) + 12 <= $0.width }
    var taken: [Double] = []
    var longest: Double = 0
    var elements: [String] = []
    for run in runs.sorted(by: { $0.width > $1.width }) {
      let x = run.middle
      guard taken.allSatisfy({ abs($0 - x) >= 17 }) else { continue }
      taken.append(x)
      longest = max(longest, Drawing.width(of: run.name))
      let place = "\(Drawing.number(x + 4)) \(Drawing.number(plotBottom + 16))"
      elements.append(
        Drawing.line("tick", x, plotBottom, x, plotBottom + 6)
          + (isLevel
            ? Drawing.text(run.name, "label", x, plotBottom + 20, #"text-anchor="middle""#)
            : Drawing.text(
              run.name, "label", x + 4, plotBottom + 16,
              #"text-anchor="end" transform="rotate(-45 \#(place))""#)))
    }
    return (elements, isLevel ? 20 : 16 + longest * 0.71)
  }

  /// The stretches that layers other than L0s begin at, neighbours of one name as one.
  private func keyRuns() -> [(name: String, start: Double, end: Double)] {
    var runs: [(name: String, start: Double, end: Double)] = []
    let narrow = layers.filter { !$0.name.isLevel0 }.map(\.name.keys)
    for keyRange in narrow.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      let name = Self.name(of: keyRange)
      let start = keys.coordinate(keyRange.lowerBound)
      let end = keys.coordinate(keyRange.upperBound)
      if let last = runs.last, last.name == name {
        runs[runs.count - 1].end = max(last.end, end)
      } else {
        runs.append((name, start, end))
      }
    }
    if runs.isEmpty && !layers.isEmpty { runs.append(("all keys", 0, keys.length)) }
    return runs
  }

  /// The relation of the keys, or of the first of them.
  private static func name(of range: Range<Key>) -> String {
    switch (range.lowerBound.meaning, range.upperBound.meaning) {
    case (.relationBlock(let fork, _), .relationBlock(let other, _)) where fork == other,
      (.relationBlock(let fork, _), .relationSize(let other)) where fork == other:
      fork.description
    default: "from " + range.lowerBound.words
    }
  }

  /// The lines of the positions that the index names.
  func markElements() -> [String] {
    let end = Self.left + plotWidth
    var lines: [String] = []
    var lowest = -Double.infinity
    for mark in marks.sorted(by: { $0.line > $1.line }) {
      let height = y(mark.line)
      let label = max(height - 3, lowest)
      lowest = label + 30
      lines.append(
        Drawing.line("mark", Self.left, height, end + 6, height)
          + Drawing.text(mark.name, "markname", end + 12, label)
          + Drawing.text(mark.lsn.description, "markname", end + 12, label + 13))
    }
    return lines
  }
}
