import Foundation
import PostgresFormat
import TestSupport
import Testing

@testable import Operations

/// Goal: columns that a newer server has marked are found, and only in `pg_attribute`. Method: clusters
/// of a server that marks them, and of others.
@Suite struct ColumnMarkTests {
  private static func importBackup(_ tar: TestTar) async throws -> ImportSummary {
    try await SmallBackup.importBytes(tar.encoded(), in: try TemporaryDirectory())
  }

  @Test(arguments: [
    ("clean-14", 0), ("clean-15", 5), ("clean-15-minimal-promoted", 0), ("clean-16", 0),
    ("clean-17", 0), ("fullbackup-15", 5),
  ])
  func fixtures(name: String, databaseCount: Int) async throws {
    let tar = TestTar(decoding: try Fixture.bytes(name + ".tar"))
    let summary = try await Self.importBackup(tar)
    #expect(summary.markedDatabaseCount == databaseCount)
  }

  /// Goal: the catalog is found when it has another file, also if its map comes after it. Method: the
  /// file of one database under another number, as VACUUM FULL leaves it.
  @Test(arguments: [false, true]) func moved(mapLast: Bool) async throws {
    var tar = TestTar(decoding: try Fixture.bytes("clean-15.tar"))
    for index in tar.members.indices {
      let name = tar.members[index].name
      guard name.hasPrefix("./base/") else { continue }
      for suffix in ["", "_fsm", "_vm"] where name.hasSuffix("/1249" + suffix) {
        tar.members[index].name = String(name.dropLast(4 + suffix.count)) + "99999" + suffix
      }
      guard name.hasSuffix("/pg_filenode.map") else { continue }
      tar.members[index].contents = SmallBackup.relationMap(tar.members[index].contents) { map in
        for place in 0..<Int(map[4])
        where map[8 + 8 * place..<12 + 8 * place].elementsEqual(SmallBackup.bytesOf(1249)) {
          map.replaceSubrange(12 + 8 * place..<16 + 8 * place, with: SmallBackup.bytesOf(99999))
        }
      }
    }
    let maps = tar.members.filter { $0.name.hasSuffix("/pg_filenode.map") }
    tar.members.removeAll { $0.name.hasSuffix("/pg_filenode.map") }
    tar.members.insert(contentsOf: maps, at: mapLast ? tar.members.count : 0)
    let summary = try await Self.importBackup(tar)
    #expect(summary.markedDatabaseCount == 5)
  }

  /// Goal: the words in a user's table are no mark. Method: a page of `pg_attribute` as another
  /// relation's.
  @Test(arguments: [false, true]) func userTable(mapFirst: Bool) async throws {
    let marked = TestTar(decoding: try Fixture.bytes("clean-15.tar"))["base/1/1249"].contents
    let page = try #require(
      stride(from: 0, to: marked.count, by: 8192).map { Array(marked[$0..<$0 + 8192]) }
        .first { ColumnMark.isSet(on: $0.bytes) })
    var tar = SmallBackup.tar
    var changed = page
    changed.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 0, 16, 0])
    SmallBackup.setChecksum(of: &changed, block: 0)
    tar.members.insert(
      .init("./base/5/99999", contents: changed), at: mapFirst ? tar.members.count : 0)
    let summary = try await Self.importBackup(tar)
    #expect(summary.markedDatabaseCount == 0)
  }

  /// Goal: no page traps. Method: a page with the mark, cut and changed at random.
  @Test func damagedPages() throws {
    let marked = TestTar(decoding: try Fixture.bytes("clean-15.tar"))["base/1/1249"].contents
    var generator = SeededGenerator(state: 12)
    for _ in 0..<5000 {
      let block = Int.random(in: 0..<marked.count / 8192, using: &generator)
      var page = Array(marked[block * 8192..<(block + 1) * 8192])
      for _ in 0..<8 {
        page[Int.random(in: 10..<64, using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
      }
      _ = ColumnMark.isSet(on: page.bytes)
    }
  }
}
