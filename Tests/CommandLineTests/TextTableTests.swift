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
      var table = TextTable([("a", .left), ("b", .left)], cutsFront: cutsFront)
      table.add([String(repeating: "x", count: width), "0123456789012345678901234567890"])
      let row = table.lines[1]
      #expect(row.hasPrefix("  " + String(repeating: "x", count: width)))
      #expect(row.count <= max(TextTable.columns, width + 2))
      #expect(row.contains("…") == (width + 4 < TextTable.columns))
    }
  }
}
