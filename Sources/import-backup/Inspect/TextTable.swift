import System

/// Rows of text in columns, as wide as the terminal.
struct TextTable {
  /// What is above a column, and how much it matters.
  struct Column {
    enum Alignment {
      case left
      case right
    }

    let name: String
    let alignment: Alignment
    /// Nil for a column that is always shown; of the others those with the lowest number matter most.
    let rank: Int?

    static func left(_ name: String, rank: Int? = nil) -> Column {
      Column(name: name, alignment: .left, rank: rank)
    }

    static func right(_ name: String, rank: Int? = nil) -> Column {
      Column(name: name, alignment: .right, rank: rank)
    }
  }

  /// The maximum width of a row; all but the last cell may exceed it.
  static var columns: Int { StandardStream.output.textColumns }
  private static let gap = "  "
  private static let margin = "  "
  /// What the last column gets, if it needs as much, before others that have a rank are shown.
  private static let lastWidth = 24

  private let headings: [Column]
  private let cutsFront: Bool
  private var rows: [[String]] = []

  /// A table with these headings.
  ///
  /// Columns that have a rank are left out if they do not fit, those that matter least first. A last
  /// cell that does not fit is cut: at its end, or at its front if `cutsFront` is set.
  init(_ headings: [Column], cutsFront: Bool = false) {
    self.headings = headings
    self.cutsFront = cutsFront
  }

  /// Adds a row, with a cell for each heading.
  mutating func add(_ cells: [String]) { rows.append(cells) }

  /// Whether there is room for the columns that are always shown.
  var fits: Bool { width(of: required, widths) <= Self.columns }

  private var required: [Int] { headings.indices.filter { headings[$0].rank == nil } }

  private var widths: [Int] {
    let all = [headings.map(\.name)] + rows
    return headings.indices.map { column in all.reduce(0) { max($0, $1[column].count) } }
  }

  /// How wide a row of these columns is, with what the last one gets.
  private func width(of shown: [Int], _ widths: [Int]) -> Int {
    let last = shown.last.map { min(widths[$0], Self.lastWidth) } ?? 0
    return shown.dropLast().reduce(Self.margin.count) { $0 + widths[$1] + Self.gap.count } + last
  }

  /// The columns that there is room for: each in the order of ranks, if it still fits.
  private func shown(_ widths: [Int]) -> [Int] {
    var shown = required
    let others = headings.indices.compactMap { column in
      headings[column].rank.map { (column: column, rank: $0) }
    }
    for (column, _) in others.sorted(by: { $0.rank < $1.rank }) {
      let more = (shown + [column]).sorted()
      if width(of: more, widths) <= Self.columns { shown = more }
    }
    return shown
  }

  /// The headings, then the rows; empty if there are no rows.
  var lines: [String] {
    guard !rows.isEmpty else { return [] }
    let columns = Self.columns
    let all = [headings.map(\.name)] + rows
    let widths = widths
    let shown = shown(widths)
    return all.map { cells in
      var line = Self.margin
      for column in shown {
        if column != shown.first { line += Self.gap }
        let room = column == shown.last ? columns - line.count : widths[column]
        let text = cut(cells[column], to: room)
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

  /// Names and values side by side, without those that have no value. A value that does not fit is
  /// wrapped, or, if it has a word that does not fit, below its name. Words are never cut.
  static func facts(_ facts: [(name: String, value: String?)]) -> [String] {
    let width = facts.reduce(0) { $1.value == nil ? $0 : max($0, $1.name.count) }
    let indent = String(repeating: " ", count: margin.count + width + gap.count)
    return facts.flatMap { name, value -> [String] in
      guard let value else { return [] }
      let room = columns - indent.count
      let lines = HelpText.wrapped(value, columns: room)
      guard lines.allSatisfy({ $0.count <= room }) else {
        let indent = margin + margin
        return [margin + name]
          + HelpText.wrapped(value, columns: columns - indent.count).map { indent + $0 }
      }
      let first = margin + name + indent.dropFirst(margin.count + name.count) + lines[0]
      return [first] + lines.dropFirst().map { indent + $0 }
    }
  }
}
