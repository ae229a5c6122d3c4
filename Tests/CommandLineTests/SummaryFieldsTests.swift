import Foundation
import Operations
import Testing

@testable import import_backup

/// Goal: the table of an import's JSON in `Docs/operations.md` has the fields of the object.
struct SummaryFieldsTests {
  /// Method: the object's fields and those of the objects in it, all with a value, against the
  /// names in the first column, and against those in the row.
  @Test func table() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Docs/operations.md")
    let section = try String(contentsOf: path, encoding: .utf8)
      .split(separator: "### The JSON of an import\n").last
    let rows = try #require(section).split(separator: "\n")
      .prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("| `") }.map(Self.names)
    let object = try Self.object()
    #expect(rows.flatMap(\.field).sorted() == object.keys.sorted())
    for (field, value) in object {
      let inner = (value as? [[String: Any]])?.first ?? value as? [String: Any] ?? [:]
      let row = rows.first { $0.field.contains(field) }
      #expect(Set(inner.keys).isSubset(of: row?.meaning ?? []), "\(field)")
    }
  }

  /// The names in backquotes in the two columns of a row.
  private static func names(_ row: Substring) -> (field: [String], meaning: Set<String>) {
    let columns = row.split(separator: "|").map { column in
      column.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
    return (columns.first ?? [], Set(columns.dropFirst().first ?? []))
  }

  private static func object() throws -> [String: Any] {
    var summary = ImportSummary()
    summary.recoveredBy = "15.8"
    summary.manifest.path = "backup_manifest"
    summary.leftOut = [.init(.caches, fileCount: 1, byteCount: 1, names: ["a"])]
    let object = try JSONSerialization.jsonObject(
      with: Data(try SummaryOutput.json(summary).utf8))
    return try #require(object as? [String: Any])
  }
}
