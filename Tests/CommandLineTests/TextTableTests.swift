import Testing

@testable import import_backup

/// Rows of text in columns.
struct TextTableTests {
  /// Goal: what does not fit is cut, in the last column alone, or left out if the others leave no room
  /// for it. Method: columns before it that leave many characters, one, none, and less than none.
  @Test(arguments: TextTable.columns - 20...TextTable.columns + 20) func narrowLastColumn(
    width: Int
  ) {
    for cutsFront in [false, true] {
      var table = TextTable([.left("a"), .left("b")], cutsFront: cutsFront)
      table.add([String(repeating: "x", count: width), "0123456789012345678901234567890"])
      let row = table.lines[1]
      #expect(row.hasPrefix("  " + String(repeating: "x", count: width)))
      #expect(row.count <= max(TextTable.columns, width + 2))
      #expect(row.contains("…") == (width + 4 < TextTable.columns))
    }
  }

  /// Goal: columns that matter less are left out first, and what still fits is kept. Method: rows that need
  /// all of the width but for a few characters.
  @Test(arguments: [
    (0, "abcd"), (1, "abd"), (3, "abd"), (4, "acd"), (10, "acd"), (11, "ad"), (14, "ad"),
  ])
  func leftOutColumns(excess: Int, shown: String) {
    var table = TextTable([.left("a"), .left("b", rank: 1), .right("c", rank: 2), .left("d")])
    let rest = TextTable.columns - "    bbbbbbbb  c  dddd".count
    table.add([String(repeating: "a", count: rest + excess), "bbbbbbbb", "c", "dddd"])
    let headings = table.lines[0].split(separator: " ").joined()
    #expect(headings == shown, "\(table.lines)")
    #expect(table.fits == (excess <= 13))
  }

  /// Goal: no value is cut: it is wrapped, or below its name if a word of it does not fit.
  @Test func facts() {
    let long = String(repeating: "x", count: TextTable.columns - 6)
    let words = Array(repeating: "word", count: TextTable.columns / 4).joined(separator: " ")
    let lines = TextTable.facts([("first", words), ("second", nil), ("third", long), ("4", "y")])
    #expect(lines.allSatisfy { $0.count <= TextTable.columns })
    #expect(lines[0].hasPrefix("  first  word ") && lines[1].hasPrefix("         word"))
    #expect(Array(lines.suffix(3)) == ["  third", "    " + long, "  4      y"])
  }
}
