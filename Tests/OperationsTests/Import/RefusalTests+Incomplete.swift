import TestSupport

extension RefusalTests {
  /// Clusters that have lost a part of themselves, which no server would start from.
  static let incomplete: [Case] = [
    change("no base", .damaged, "no database: 'base' is empty", hint: "incomplete") {
      $0.members.removeAll { $0.name.hasPrefix("./base") }
    },
    change("no directory of a database", .damaged, "'base/5' is missing", hint: "incomplete") {
      $0.members.removeAll { $0.name.hasPrefix("./base/5/") }
    },
    change("no PG_VERSION of a database", .damaged, "'base/5/PG_VERSION' is missing", hint: "") {
      $0.remove("base/5/PG_VERSION")
    },
    change("no map of a database", .damaged, "'base/5/pg_filenode.map' is missing", hint: "") {
      $0.remove("base/5/pg_filenode.map")
    },
    change("no pg_authid", .damaged, "'global/1260' is missing", hint: "incomplete") {
      $0.remove("global/1260")
    },
    change("empty pg_database", .damaged, "'global/1262' is empty", hint: "incomplete") {
      $0["global/1262"].contents = []
    },
    change("no mapped relation", .damaged, "'base/16384/2658' is missing", hint: "") {
      Self.name(catalog: 2658, relationNumber: 2658, in: "./base/16384/", of: &$0)
    },
    change("empty mapped relation", .damaged, "'base/16384/88888' is empty", hint: "") {
      Self.name(catalog: 1259, relationNumber: 88888, in: "./base/16384/", of: &$0)
      $0.members.append(.init("./base/16384/88888"))
    },
    change("tablespace left out", .damaged, "tablespace 'archive', but", hint: "pg_tblspc") {
      // The row of pg_global, which is as one that CREATE TABLESPACE makes.
      var page = $0["global/1213"].contents
      let name = Array("pg_global".utf8)
      guard let start = page.indices.first(where: { page[$0...].starts(with: name) }) else {
        return
      }
      page.replaceSubrange(start - 4..<start, with: SmallBackup.bytesOf(16400))
      page.replaceSubrange(start..<start + name.count, with: Array("archive\0\0".utf8))
      SmallBackup.setChecksum(of: &page, block: 0)
      $0["global/1213"].contents = page
    },
    control(
      "no newest pg_xact", .damaged, "page 1 of 'pg_xact/0002' is missing", hint: "", at: 64,
      2 << 20 | 40_000),
    Case(
      testDescription: "gap in pg_xact", code: .damaged,
      message: "'pg_xact/0001' is missing, but 'pg_xact/0000' exists", hint: "VACUUM (FREEZE)"
    ) {
      var tar = SmallBackup.withControlFile {
        $0.replaceSubrange(64..<68, with: SmallBackup.bytesOf(2 << 20 | 5))
      }
      tar.members.append(.init("./pg_xact/0002", contents: .init(repeating: 0, count: 8192)))
      return tar
    },
    control(
      "no members of multixacts", .damaged, "'pg_multixact/members/0001' is missing", hint: "",
      at: 80, 52352 + 4),
  ]

  /// Lets the map of a directory name one more catalog's file.
  private static func name(
    catalog: UInt32, relationNumber: UInt32, in directory: String, of tar: inout TestTar
  ) {
    tar[directory + "pg_filenode.map"].contents = SmallBackup.relationMap(
      tar[directory + "pg_filenode.map"].contents
    ) { map in
      let end = 8 + 8 * Int(map[4])
      map[4] += 1
      map.replaceSubrange(
        end..<end + 8,
        with: SmallBackup.bytesOf(catalog) + SmallBackup.bytesOf(relationNumber))
    }
  }
}
