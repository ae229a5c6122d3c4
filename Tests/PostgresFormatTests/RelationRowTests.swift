import PostgresFormat
import TestSupport
import Testing

/// Rows of `pg_class` on pages.
@Suite struct RelationRowTests {
  private struct Row {
    var oid: UInt32 = 16384
    var number: UInt32 = 16400
    var kind: Character = "r"
    var persistence: Character = "p"
    var mask: UInt16 = 0x0900
    var pageCount: UInt32 = 7
    var isShared = false
    var name = "n"
  }

  /// A page with these rows, from the end down.
  private static func page(_ rows: [Row]) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: 8192)
    func put(_ value: UInt32, _ count: Int, at offset: Int) {
      for index in 0..<count {
        page[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
      }
    }
    put(UInt32(24 + 4 * rows.count), 2, at: 12)
    for (index, row) in rows.enumerated() {
      let start = 8192 - 200 * (index + 1)
      let columns = start + 32
      put(UInt32(start) | 1 << 15 | 180 << 17, 4, at: 24 + 4 * index)
      put(UInt32(row.mask), 2, at: start + 20)
      page[start + 22] = 32
      put(row.oid, 4, at: columns)
      page.replaceSubrange(columns + 4..<columns + 4 + row.name.utf8.count, with: row.name.utf8)
      put(row.number, 4, at: columns + 88)
      put(row.pageCount, 4, at: columns + 96)
      page[columns + 113] = row.isShared ? 1 : 0
      page[columns + 114] = row.persistence.asciiValue ?? 0
      page[columns + 115] = row.kind.asciiValue ?? 0
    }
    return page
  }

  /// Goal: every column is read from its place. Method: a page with rows of all kinds.
  @Test func columns() {
    let kinds: [(Character, RelationKind)] = [
      ("r", .table), ("i", .index), ("S", .sequence), ("t", .toastTable), ("m", .materializedView),
    ]
    var rows = kinds.map { Row(kind: $0.0, name: "kind\n\($0.0)") }
    rows.append(Row(oid: 1262, number: 0, pageCount: 1, isShared: true))
    rows += "vcfpI".map { Row(number: 0, kind: $0) }  // without files
    let found = RelationRow.possible(on: Self.page(rows).bytes)
    #expect(found.map(\.kind) == kinds.map(\.1) + [.table])
    #expect(Array(found.map(\.name).prefix(5)) == ["r", "i", "S", "t", "m"].map { "kind\\n\($0)" })
    #expect(found[0].oid == 16384 && found[0].relationNumber == 16400)
    #expect(found[0].estimatedPageCount == 7 && !found[0].isShared)
    #expect(found[5].oid == 1262 && found[5].relationNumber == 0 && found[5].isShared)
  }

  /// Goal: a row counts unless its hint bits show that it is not visible, and is certain if they
  /// show that it is. Method: all relevant hint bits for the inserting and the deleting transaction.
  @Test(
    arguments: [
      (0x0900, true), (0x0B00, true), (0x0180, true), (0x0580, true), (0x0800, false),
      (0x0000, false), (0x0100, false), (0x0A00, nil), (0x0500, nil), (0x0400, nil), (0x0D00, nil),
    ] as [(UInt16, Bool?)]) func certainty(mask: UInt16, isCertain: Bool?)
  {
    let page = Self.page([Row(mask: mask)])
    let rows = RelationRow.possible(on: page.bytes)
    #expect(rows.map(\.isCertain) == (isCertain.map { [$0] } ?? []))
  }

  /// Goal: only pages of the catalog look like it. Method: all first pages of a real database.
  @Test func recognition() throws {
    let tar = TestTar(decoding: try Fixture.bytes("clean-15-minimal-promoted.tar"))
    var recognised: [String] = []
    for member in tar.members where member.name.hasPrefix("./base/5/") {
      guard member.contents.count >= 8192, !member.name.contains("_") else { continue }
      let page = Array(member.contents[..<8192])
      if RelationRow.looksLikeCatalog(page.bytes) { recognised.append(member.name) }
    }
    #expect(recognised == ["./base/5/1259"])
    let pages: [([UInt8], Bool)] = [
      ([UInt8](repeating: 0, count: 8192), false), (Self.page([Row(), Row(kind: "x")]), false),
      (Self.page([Row(), Row(persistence: "x")]), false),
      (Self.page([Row(), Row(kind: "v")]), true),
    ]
    for (page, isExpected) in pages {
      let isRecognised = RelationRow.looksLikeCatalog(page.bytes)
      #expect(isRecognised == isExpected)
    }
  }

  /// Goal: no page makes it trap. Method: random bytes, and line pointers to anywhere.
  @Test func hostile() {
    var generator = SeededGenerator(state: 13)
    for _ in 0..<2000 {
      var page = generator.bytes(8192)
      _ = RelationRow.possible(on: page.bytes)
      page[13] = 0x20
      for index in stride(from: 25, to: 8192, by: 4) { page[index] = page[index] & 0x7F | 0x80 }
      _ = RelationRow.possible(on: page.bytes)
      _ = RelationRow.looksLikeCatalog(page.bytes)
    }
  }
}
