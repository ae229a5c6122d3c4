import PostgresFormat
import TestSupport
import Testing

/// Rows of `pg_database` on pages.
@Suite struct CatalogRowTests {
  /// A page with these rows, from the end down.
  private static func page(
    _ rows: [(oid: UInt32, mask: UInt16, limit: Int32)], limitOffset: Int = 80
  ) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: 8192)
    func put(_ value: UInt32, _ count: Int, at offset: Int) {
      for index in 0..<count {
        page[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
      }
    }
    put(UInt32(24 + 4 * rows.count), 2, at: 12)
    for (index, row) in rows.enumerated() {
      let start = 8192 - 256 * (index + 1)
      put(UInt32(start) | 1 << 15 | 250 << 17, 4, at: 24 + 4 * index)
      put(UInt32(row.mask), 2, at: start + 20)
      page[start + 22] = 32
      put(row.oid, 4, at: start + 32)
      page.replaceSubrange(start + 36..<start + 40, with: "db\ns".utf8)
      put(UInt32(bitPattern: row.limit), 4, at: start + 32 + limitOffset)
    }
    return page
  }

  /// Goal: a row counts only if its hint bits show that it is visible. Method: all relevant hint
  /// bits for the inserting and the deleting transaction.
  @Test(
    arguments: [
      (0x0900, true), (0x0B00, true), (0x2902, true), (0x0180, true), (0x0800, false),
      (0x0A00, false), (0x0100, false), (0x0500, false),
    ] as [(UInt16, Bool)]) func visible(mask: UInt16, isVisible: Bool)
  {
    let rows = CatalogRow.visible(on: Self.page([(7, mask, -1)]).bytes, version: .v15)
    #expect(rows.map(\.oid) == (isVisible ? [7] : []))
    #expect(rows.allSatisfy { $0.name == "db\\ns" && !$0.isInvalidDatabase })
  }

  /// Goal: a partly dropped database is recognised in every version. Method: connection limits at
  /// the offsets of each version.
  @Test func invalid() {
    for (version, offset) in [(PostgresVersion.v14, 208), (.v15, 80), (.v17, 80)] {
      let page = Self.page([(7, 0x0900, -2), (8, 0x0900, 5)], limitOffset: offset)
      let rows = CatalogRow.visible(on: page.bytes, version: version)
      #expect(rows.map(\.isInvalidDatabase) == [true, false])
    }
  }

  /// Goal: it is known which databases keep their files. Method: the catalogs of real clusters of every
  /// version have those that have directories; then a row is deleted, deleted by a transaction that was
  /// rolled back, locked in both ways, marked as invalid, moved.
  @Test(
    arguments: [
      ("clean-14", .v14), ("clean-15", .v15), ("clean-16", .v16), ("clean-17", .v17),
    ] as [(String, PostgresVersion)]) func databases(name: String, version: PostgresVersion) throws
  {
    let tar = TestTar(decoding: try Fixture.bytes(name + ".tar"))
    func contents(_ path: String) throws -> [UInt8] {
      try #require(tar.members.first { $0.name.hasSuffix(path) }).contents
    }
    let map = try contents("global/pg_filenode.map")
    let found = RelationMapFile.relationNumber(
      of: RelationMapFile.databaseCatalog, in: map.bytes)
    var page = Array(try contents("global/\(try #require(found))").prefix(8192))
    let directories = tar.members.compactMap { member -> UInt32? in
      let names = member.name.split(separator: "/").suffix(3)
      return names.last == "PG_VERSION" && names.first == "base"
        ? names.dropFirst().first.flatMap { UInt32($0) } : nil
    }
    func kept() -> Set<UInt32> {
      Set(
        DatabaseRowVersion.all(on: page.bytes, version: version).filter(\.keepsFiles).map(\.oid))
    }
    #expect(directories.count >= 3)
    #expect(kept() == Set(directories))

    let first = (0..<100).first { index in
      let pointer: UInt32 = page.bytes.littleEndian(at: 24 + 4 * index)
      let mask: UInt16 = page.bytes.littleEndian(at: Int(pointer & 0x7FFF) + 20)
      return pointer >> 15 & 3 == 1 && mask & 0x0800 != 0
    }
    let pointer: UInt32 = page.bytes.littleEndian(at: 24 + 4 * (try #require(first)))
    let start = Int(pointer & 0x7FFF)
    let columns = start + Int(page[start + 22])
    let oid: UInt32 = page.bytes.littleEndian(at: columns)
    let sound = page
    func expect(_ isKept: Bool, _ changes: [(offset: Int, bytes: [UInt8])]) {
      page = sound
      for (offset, bytes) in changes {
        page.replaceSubrange(offset..<offset + bytes.count, with: bytes)
      }
      #expect(kept() == (isKept ? Set(directories) : Set(directories).subtracting([oid])))
    }
    let deleter = (offset: start + 4, bytes: [9, 3, 0, 0] as [UInt8])
    for (mask, isKept) in [
      (0x0100, false), (0x0500, false), (0x1100, false), (0x0900, true), (0x0180, true),
      (0x0140, true), (0x01C0, true),
    ] as [(UInt16, Bool)] {
      let bytes = [UInt8(mask & 0xFF), UInt8(mask >> 8)]
      expect(isKept, [deleter, (start + 20, bytes)])
      expect(true, [(start + 4, [0, 0, 0, 0]), (start + 20, bytes)])
    }
    expect(false, [(columns + (version == .v14 ? 208 : 80), [0xFE, 0xFF, 0xFF, 0xFF])])
    // Of another tablespace: it lives there for good, unless it is being dropped or moved as well.
    let tablespace = (
      offset: columns + (version == .v14 ? 224 : 92), bytes: [1, 64, 0, 0] as [UInt8]
    )
    expect(false, [tablespace])
    func going() -> [UInt32] {
      DatabaseRowVersion.all(on: page.bytes, version: version).filter(\.isGoing).map(\.oid)
    }
    #expect(!going().contains(oid))
    expect(false, [tablespace, deleter, (start + 20, [0, 1])])
    #expect(going().contains(oid))
  }

  /// Goal: no page makes it trap. Method: random bytes, and line pointers to anywhere.
  @Test func hostile() {
    var generator = SeededGenerator(state: 12)
    for _ in 0..<2000 {
      var page = generator.bytes(8192)
      _ = CatalogRow.visible(on: page.bytes, version: .v14)
      _ = DatabaseRowVersion.all(on: page.bytes, version: .v16)
      page[13] = 0x20
      for index in stride(from: 25, to: 8192, by: 4) { page[index] = page[index] & 0x7F | 0x80 }
      _ = CatalogRow.visible(on: page.bytes, version: .v17)
      _ = DatabaseRowVersion.all(on: page.bytes, version: .v14)
    }
  }
}
