import System

/// Rows of text in columns, as wide as the terminal.
struct TextTable {
  enum Alignment {
    case left
    case right
  }

  /// The maximum width of a row; all but the last cell may exceed it.
  static var columns: Int { StandardStream.output.textColumns }
  private static let gap = "  "
  private static let margin = "  "

  private let headings: [(name: String, alignment: Alignment)]
  private let cutsFront: Bool
  private var rows: [[String]] = []

  /// A table with these headings.
  ///
  /// A last cell that does not fit is cut: at its end, or at its front if `cutsFront` is set.
  init(_ headings: [(name: String, alignment: Alignment)], cutsFront: Bool = false) {
    self.headings = headings
    self.cutsFront = cutsFront
  }

  /// Adds a row, with a cell for each heading.
  mutating func add(_ cells: [String]) { rows.append(cells) }

  /// How wide the widest row is if nothing is cut.
  var width: Int {
    widths.reduce(Self.margin.count) { $0 + $1 + Self.gap.count } - Self.gap.count
  }

  private var widths: [Int] {
    let all = [headings.map(\.name)] + rows
    return headings.indices.map { column in all.reduce(0) { max($0, $1[column].count) } }
  }

  /// The headings, then the rows; empty if there are no rows.
  var lines: [String] {
    guard !rows.isEmpty else { return [] }
    let columns = Self.columns
    let all = [headings.map(\.name)] + rows
    let widths = widths
    return all.map { cells in
      var line = Self.margin
      for (column, cell) in cells.enumerated() {
        if column > 0 { line += Self.gap }
        let room = column == cells.count - 1 ? columns - line.count : widths[column]
        let text = cut(cell, to: room)
        let padding = String(repeating: " ", count: max(0, min(widths[column], room) - text.count))
        line += headings[column].alignment == .left ? text + padding : padding + text
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// `text`, cut to `room` with an ellipsis if it does not fit; nothing if there is no room at all.
  private func cut(_ text: String, to room: Int) -> String {
    if text.count <= room { return text }
    if room < 1 { return "" }
    return cutsFront ? "…" + text.suffix(room - 1) : text.prefix(room - 1) + "…"
  }

  /// Names and values side by side, without those that have no value. Values are never cut.
  static func facts(_ facts: [(name: String, value: String?)]) -> [String] {
    let width = facts.reduce(0) { $1.value == nil ? $0 : max($0, $1.name.count) }
    return facts.compactMap { name, value in
      value.map { margin + name + String(repeating: " ", count: width - name.count + 2) + $0 }
    }
  }
}
