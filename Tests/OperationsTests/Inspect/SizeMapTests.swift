import Testing

@testable import Operations

/// The picture of what takes the room: well-formed, complete, nothing outside of its box.
@Suite struct SizeMapTests {
  private static let words = SizeMap.Words(
    size: { "\($0) B" }, relations: { "\($0) relations" },
    moreRelations: { "\($0) more relations" }, more: { "\($0) more" })

  private static func database(
    _ id: UInt32, _ byteCount: UInt64, stored: UInt64? = nil, name: String? = nil,
    relationCount: Int = 10
  ) -> DatabaseSize {
    DatabaseSize(
      id: id, name: name, path: "base/\(id)", relationCount: relationCount, byteCount: byteCount,
      storedByteCount: stored)
  }

  private static func relation(
    _ number: UInt32, _ byteCount: UInt64, in database: UInt32 = 5, stored: UInt64? = nil,
    name: String? = nil, kind: String? = "table"
  ) -> RelationSize {
    RelationSize(
      path: "base/\(database)/\(number)", databaseID: database, relationNumber: number, name: name,
      kind: kind, byteCount: byteCount, storedByteCount: stored, isUnlogged: false)
  }

  private static func document(_ map: SizeMap) -> PictureDocument { PictureDocument(map.svg()) }

  private static func titles(_ document: PictureDocument) -> [String] {
    document.elements.filter { $0.name == "title" }.map(\.text)
  }

  /// Boxes of relations, without the legend's.
  private static func areas(_ document: PictureDocument) -> [PictureDocument.Element] {
    document.elements.filter { element in
      element.name == "rect" && element.attributes["class"]?.hasPrefix("area ") == true
        && element.attributes["class"] != "area database" && element.number("height") != 12
    }
  }

  /// Goal: each relation has a box, the rest of its database one more, and the tooltips say names,
  /// kinds and both sizes.
  @Test func contents() {
    let map = SizeMap(
      [
        Self.database(0, 50, stored: 10), Self.database(5, 1000, stored: 400, name: "app"),
        Self.database(6, 0),
      ],
      [
        Self.relation(16400, 600, stored: 300, name: "accounts"),
        Self.relation(16401, 250, stored: 50, name: "accounts_pkey", kind: "index"),
        Self.relation(16402, 0, name: "empty"),
      ], heading: ["title", "note"], words: Self.words)
    #expect(map.groups.map(\.name) == ["app", "shared relations"])
    #expect(map.groups[0].areas.map(\.name) == ["accounts", "accounts_pkey", "8 more relations"])
    #expect(map.groups[0].areas.map(\.byteCount) == [600, 250, 150])
    #expect(map.groups[0].areas.map(\.storedByteCount) == [300, 50, 50])
    let document = Self.document(map)
    #expect(document.isWellFormed)
    #expect(Self.areas(document).count == 4)
    let titles = Self.titles(document)
    #expect(titles.contains("accounts\ntable\nbase/5/16400\n600 B, stored 300 B"))
    #expect(titles.contains("accounts_pkey\nindex\nbase/5/16401\n250 B, stored 50 B"))
    #expect(titles.contains("app\nbase/5, 10 relations\n1000 B, stored 400 B"))
    // The stored part has half of the height.
    let heights = Self.areas(document).filter { $0.attributes["class"] == "area table" }
      .map { $0.number("height") }
    let stored = document.all("rect", "table stored").map { $0.number("height") }
    #expect(heights.count == 1 && stored.count == 1)
    let difference: Double = stored[0] * 2 - heights[0]
    #expect(abs(difference) < 3)
  }

  /// Goal: a box says both sizes if they have room: in a line, below each other, or beside the name.
  /// Method: boxes of about 680 and 75 pixels, and a strip with a height of 30.
  @Test func sizes() {
    let databases = [
      Self.database(5, 40_000, stored: 6_000, name: "app"),
      Self.database(6, 10_000, stored: 1, name: "b"),
      Self.database(7, 10_000, stored: 1, name: "c"),
      Self.database(0, 900, stored: 20),
    ]
    let relations = (1...12).map { (number: UInt32) -> RelationSize in
      Self.relation(number, number <= 2 ? 18_000 : 400, stored: 123_456, name: "t\(number)")
    }
    let map = SizeMap(databases, relations, heading: [], words: Self.words)
    let texts = Self.document(map).elements.filter { $0.name == "text" }.map(\.text)
    for lines in [
      ["t1", "18000 B, stored 123456 B"], ["t3", "400 B", "stored", "123456 B"],
      ["shared relations: 900 B, stored 20 B"],
    ] {
      let start = texts.firstIndex(of: lines[0]) ?? texts.count
      #expect(texts[start...].starts(with: lines), "\(texts)")
    }
  }

  /// Goal: nothing is drawn outside of the plot or of its database, labels do not leave their
  /// boxes, and very many databases and relations make no endless document. Method: few and many.
  @Test(arguments: [(1, 1), (1, 100), (3, 40), (150, 100), (5000, 100), (0, 0)])
  func drawing(databaseCount: Int, relationCount: Int) {
    let databases = (0..<databaseCount).map { (index: Int) -> DatabaseSize in
      let byteCount: Int = 10_000_000 / (index + 1) + 1_000_000
      return Self.database(
        UInt32(index + 5), UInt64(byteCount), name: "database_\(index)", relationCount: 10_000)
    }
    let relations = (0..<relationCount).map { (index: Int) -> RelationSize in
      let byteCount: Int = 100_000 / (index + 1)
      let database: Int = 5 + index % max(1, databaseCount)
      return Self.relation(
        UInt32(16384 + index), UInt64(byteCount), in: UInt32(database),
        name: String(repeating: "long_name_", count: index % 6 + 1))
    }
    let map = SizeMap(databases, relations, heading: ["title"], words: Self.words)
    let text = map.svg()
    #expect(text.utf8.count < 400_000)
    #expect(text == SizeMap(databases, relations, heading: ["title"], words: Self.words).svg())
    let document = PictureDocument(text)
    #expect(document.isWellFormed)
    let page = document.elements[0]
    let boxes = document.elements.filter {
      $0.name == "rect" && $0.attributes["class"] != "paper"
    }
    let right: Double = page.number("width") - 23.9
    let bottom: Double = page.number("height") - 23.9
    for box in boxes {
      #expect(box.number("x") >= 24 && box.number("y") >= 0)
      #expect(box.end <= right && box.bottom <= bottom)
      #expect(box.number("width") >= 0 && box.number("height") >= 0)
    }
    // Every label is in a box that is wide enough for it.
    let styles: Set<String> = [
      "name", "size", "database name", "name small", "size small", "database name small",
    ]
    for label in document.elements where styles.contains(label.attributes["class"] ?? "") {
      guard label.name == "text" else { continue }
      let x = label.number("x")
      let y = label.number("y")
      let isSmall = label.attributes["class"]?.hasSuffix(" small") == true
      let end: Double = x + Double(label.text.count) * (isSmall ? 5.42 : 6.62) - 0.2
      let isInside = boxes.contains { box in
        box.number("x") <= x && box.end >= end && box.number("y") <= y - 8 && box.bottom >= y
      }
      #expect(isInside, "\(label.text)")
    }
    if databaseCount == 5000 {
      #expect(Self.titles(document).contains { $0.hasPrefix("4800 smaller databases\n") })
    }
  }

  /// Goal: no name from a backup breaks the document or adds to it.
  @Test func hostileNames() {
    let name = "</title><script>alert('&\"')</script>]]>\u{1B}\u{0}\u{FFFE}"
    let map = SizeMap(
      [Self.database(5, 100, name: name)], [Self.relation(1, 90, name: name, kind: name)],
      heading: [name], words: Self.words)
    let document = Self.document(map)
    #expect(document.isWellFormed)
    #expect(!document.elements.contains { $0.name == "script" })
    #expect(
      Self.titles(document).contains { $0.contains("</title><script>alert('&\"')</script>") })
  }

  /// Goal: numbers that contradict each other are drawn as well: relations larger than their
  /// database, more of them than it has, the largest numbers there are.
  @Test func contradictions() {
    let map = SizeMap(
      [Self.database(5, 10, stored: 0, relationCount: 0), Self.database(6, .max, stored: .max)],
      [
        Self.relation(1, 90, stored: .max), Self.relation(2, .max, in: 6, stored: 5),
        Self.relation(3, 7, in: 9),
      ], heading: [], words: Self.words)
    #expect(Self.document(map).isWellFormed)
  }
}
