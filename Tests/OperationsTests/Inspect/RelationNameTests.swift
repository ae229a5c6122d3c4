import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// What databases and relations are called, of backups and of timelines, on real clusters.
@Suite struct RelationNameTests {
  private static func inspectBackup(_ name: String) throws -> BackupDescription {
    try BackupInspector.inspect(Fixture.path(name), strippingComponents: 0)
  }

  private static func inspectTimeline(_ path: String) throws -> TimelineDescription {
    try TimelineInspector(InspectOptions(path: path)).describe()
  }

  private static func imported(
    _ backup: String, in directory: TemporaryDirectory,
    _ change: (inout ImportOptions) -> Void = { _ in }
  ) throws -> String {
    var options = ImportOptions(backup: backup, outputDirectory: directory.path)
    change(&options)
    return try importBackup(options, progress: nil).timelinePath
  }

  /// The relations by file, as far as a test looks at them.
  private static func names(_ relations: [RelationSize]) -> [String: String] {
    Dictionary(
      relations.map { ($0.path, "\($0.name ?? "-") \($0.kind ?? "-")") }
    ) { first, _ in first }
  }

  /// The files of pgbench's tables in the fixtures' cluster: a prepared transaction has rewritten
  /// them, so that their numbers are not their oids.
  private static let pgbench = [
    "base/16384/16400": "pgbench_accounts table",
    "base/16384/16408": "pgbench_accounts_pkey index",
  ]

  /// Goal: every version's databases and large relations have their names, in a backup and in its
  /// timeline, which agree in everything. Method: real clusters, with layers of all kinds.
  @Test(
    arguments: [
      "clean-14.tar.zst", "clean-15.tar.zst", "clean-16.tar.zst", "clean-17.tar.zst",
      "fullbackup-14.tar.zst", "fullbackup-17.tar.zst",
    ])
  func names(_ name: String) throws {
    let backup = try Self.inspectBackup(name)
    let names = Set(backup.databases.compactMap(\.name))
    #expect(names == ["app", "other", "postgres", "template0", "template1"])
    #expect(backup.databases.first { $0.id == 16384 }?.name == "app")
    #expect(backup.databases.first { $0.id == 0 }?.name == nil)
    #expect(backup.relations.count == 100)
    for relation in backup.relations {
      #expect(relation.name != nil && relation.kind != nil, "\(relation.path)")
    }
    let found = Self.names(backup.relations)
    for (path, expected) in Self.pgbench { #expect(found[path] == expected) }
    #expect(found["base/1/1255"] == "pg_proc table")
    #expect(found.values.contains("pg_toast_16415 TOAST table"))

    let directory = try TemporaryDirectory()
    let path = try Self.imported(Fixture.path(name), in: directory) {
      $0.smallRelationSize = 256 << 10
      $0.imageLayerSize = 1 << 20
      $0.chunkSize = 4 << 20
    }
    let timeline = try Self.inspectTimeline(path)
    #expect(timeline.relationCount == backup.relationCount)
    #expect(timeline.databases.map(\.name) == backup.databases.map(\.name))
    #expect(timeline.databases.map(\.byteCount) == backup.databases.map(\.byteCount))
    #expect(timeline.databases.map(\.relationCount) == backup.databases.map(\.relationCount))
    #expect(timeline.relations.map(\.path) == backup.relations.map(\.path))
    #expect(timeline.relations.map(\.byteCount) == backup.relations.map(\.byteCount))
    #expect(timeline.relations.map(\.isUnlogged) == backup.relations.map(\.isUnlogged))
    #expect(Self.names(timeline.relations) == found)
  }

  /// Goal: what is stored is counted right. Method: add up every value of every layer that is a
  /// page or a size.
  @Test func stored() throws {
    let directory = try TemporaryDirectory()
    let path = try Self.imported(Fixture.path("clean-15.tar.zst"), in: directory) {
      $0.smallRelationSize = 256 << 10
      $0.chunkSize = 4 << 20
    }
    var sums: [String: UInt64] = [:]
    let timeline = try Timeline(path: path)
    for layer in timeline.layers {
      var scanner = try LayerScanner(try timeline.open(layer))
      while let value = try scanner.next() {
        switch value.entry.key.meaning {
        case .relationBlock(let fork, _), .relationSize(let fork):
          let main = RelationForkID(
            databaseID: fork.databaseID, relationNumber: fork.relationNumber, fork: .main)
          sums[main.description, default: 0] += UInt64(value.blob.byteCount)
        default: break
        }
      }
    }
    let description = try Self.inspectTimeline(path)
    for relation in description.relations {
      #expect(relation.storedByteCount == sums[relation.path], "\(relation.path)")
    }
    let total = description.databases.reduce(0) { $0 + ($1.storedByteCount ?? 0) }
    #expect(total == sums.values.reduce(0, +))
  }

  /// Goal: a data directory gives the same names as its tar.
  @Test func dataDirectory() throws {
    let directory = try TemporaryDirectory()
    let tar = TestTar(decoding: try Fixture.bytes("clean-15.tar"))
    try tar.unpack(into: directory.path + "/data")
    let fromTar = try Self.inspectBackup("clean-15.tar.zst")
    let found = try BackupInspector.inspect(directory.path + "/data", strippingComponents: 0)
    #expect(found.relations == fromTar.relations)
    #expect(found.databases == fromTar.databases)
  }

  /// The tar with `pg_class` of the database `app` in files of another number, as after
  /// `VACUUM FULL`.
  private static func rewritten() throws -> TestTar {
    var tar = TestTar(decoding: try Fixture.bytes("clean-15.tar"))
    for index in tar.members.indices {
      let member = tar.members[index]
      if member.name.hasPrefix("./base/16384/1259") {
        tar.members[index].name = "./base/16384/90001" + member.name.dropFirst(17)
      }
    }
    let map = tar["base/16384/pg_filenode.map"].contents
    tar["base/16384/pg_filenode.map"].contents = SmallBackup.relationMap(map) { map in
      for offset in stride(from: 8, to: 8 + 62 * 8, by: 8)
      where Array(map[offset..<offset + 4]) == SmallBackup.bytesOf(1259) {
        map.replaceSubrange(offset + 4..<offset + 8, with: SmallBackup.bytesOf(90001))
      }
    }
    return tar
  }

  /// Goal: names are found also after `pg_class` was rewritten, wherever in the tar the relation
  /// map is. Method: the map before all relations and after them, as a tar and as a directory.
  @Test func rewrittenCatalog() throws {
    let expected = try Self.inspectBackup("clean-15.tar.zst")
    for isFirst in [true, false] {
      var tar = try Self.rewritten()
      let isMap = { (member: TestTar.Member) in
        member.name.hasSuffix("pg_filenode.map") || member.name == "./PG_VERSION"
      }
      let maps = tar.members.filter(isMap)
      let others = tar.members.filter { !isMap($0) }
      tar.members = isFirst ? maps + others : others + maps
      let directory = try TemporaryDirectory()
      let path = directory.path + "/backup.tar"
      try Data(tar.encoded()).write(to: URL(filePath: path))
      let found = try BackupInspector.inspect(path, strippingComponents: 0)
      let isCatalog = { (path: String) in ["base/16384/1259", "base/16384/90001"].contains(path) }
      #expect(
        Self.names(found.relations).filter { !isCatalog($0.key) }
          == Self.names(expected.relations).filter { !isCatalog($0.key) })
      #expect(Self.names(found.relations)["base/16384/90001"] == "pg_class table")
      #expect(found.isImportable)
      if isFirst {
        try tar.unpack(into: directory.path + "/data")
        let directoryFound = try BackupInspector.inspect(
          directory.path + "/data", strippingComponents: 0)
        #expect(directoryFound.relations == found.relations)
        let output = try TemporaryDirectory()
        let timeline = try Self.inspectTimeline(try Self.imported(path, in: output))
        #expect(Self.names(timeline.relations) == Self.names(found.relations))
      }
    }
  }

  /// Goal: what no row names keeps its number, and nothing fails: a version that is not known,
  /// a catalog of garbage, one that is missing.
  @Test func unnamed() throws {
    let newer = try Self.inspectBackup("clean-18.tar.zst")
    #expect(newer.relations.count == 100)
    #expect(newer.relations.allSatisfy { $0.name == nil && $0.kind == nil })
    #expect(newer.databases.allSatisfy { $0.name == nil })

    var tar = TestTar(decoding: try Fixture.bytes("clean-15.tar"))
    var generator = SeededGenerator(state: 3)
    let count = tar["base/16384/1259"].contents.count
    tar["base/16384/1259"].contents = generator.bytes(count)
    tar["base/1/1259"].contents = []
    let directory = try TemporaryDirectory()
    let path = directory.path + "/backup.tar"
    try Data(tar.encoded()).write(to: URL(filePath: path))
    let found = try BackupInspector.inspect(path, strippingComponents: 0)
    let names = Self.names(found.relations)
    #expect(names["base/16384/16400"] == "- -")
    // The map names the catalogs that every cluster has.
    #expect(names["base/16384/1255"] == "pg_proc table")
    #expect(names["base/1/1255"] == "pg_proc table")
    #expect(found.databases.first { $0.id == 16384 }?.name == "app")
  }

  /// Goal: what a pageserver has written shows as far as it can be read: a relation that was
  /// dropped is none, the newest size counts, pages that need WAL name nothing.
  /// Method: layers by hand.
  @Test func writtenTimeline() throws {
    let fork = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .main)
    let dropped = RelationForkID(databaseID: 5, relationNumber: 16385, fork: .main)
    let size = { (count: UInt32) in SmallBackup.bytesOf(count) }
    let sample = try TimelineSample()
    try sample.add(
      .level0(LogSequenceNumber(rawValue: 0x10)..<LogSequenceNumber(rawValue: 0x30)),
      [
        (
          Key(.relationDirectory(databaseID: 5)), 0x10,
          .image(DirectoryValue.encode(relationCount: 2, [fork, dropped]))
        ),
        (
          Key(.relationDirectory(databaseID: 5)), 0x20,
          .image(DirectoryValue.encode(relationCount: 1, [fork]))
        ),
        (Key(fork, block: 0), 0x10, .image(TimelineSample.page(1))),
        (Key(fork, block: 0), 0x20, .record([1, 2, 3], standsAlone: false)),
        (Key(.relationSize(fork)), 0x10, .image(size(1))),
        (Key(.relationSize(fork)), 0x20, .image(size(4))),
        (Key(dropped, block: 0), 0x10, .image(TimelineSample.page(1))),
        (Key(.relationSize(dropped)), 0x10, .image(size(1))),
      ])
    try sample.finish(end: 0x30)
    let found = try Self.inspectTimeline(sample.directory.path)
    #expect(found.relationCount == 1)
    #expect(found.relations.map(\.path) == ["base/5/16384"])
    #expect(found.relations.map(\.byteCount) == [4 * 8192])
    #expect(found.relations.map(\.name) == [nil])
    #expect(found.databases.map(\.id) == [5])
    // Blobs with their headers: a page 8208, a record 4 + 3 + 1, a size 12 + 4 + 1.
    let page: UInt64 = 8208
    let record: UInt64 = 8
    let size17: UInt64 = 17
    #expect(found.relations[0].storedByteCount == page + record + 2 * size17)
    #expect(found.databases[0].storedByteCount == 2 * page + record + 3 * size17)
  }
}
