import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations

/// What an exported backup is made of.
@Suite struct ExportFormTests {
  private static func export(forPageserver: Bool) async throws -> TestTar {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    let path = directory.path + "/export.tar"
    _ = try await ExportRoundTripTests.export(summary.timelinePath, to: path) {
      $0.forPageserver = forPageserver
    }
    return TestTar(decoding: [UInt8](try Data(contentsOf: URL(filePath: path))))
  }

  /// Goal: a server starts as after a clean shutdown. Method: the control file says so, at a record
  /// that is in the segment that it names; nothing tells it that a pageserver was here.
  @Test func forServer() async throws {
    let tar = try await Self.export(forPageserver: false)
    let control = try ControlFile(decoding: tar["global/pg_control"].contents.bytes)
    #expect(control.state == .shutDown)
    #expect(control.checkPoint == SmallBackup.end)
    #expect(control.checkpointCopy.redo == SmallBackup.end)
    #expect(control.checkpointCopy.oldestActiveTransactionID == 0)
    let segment = tar["pg_wal/000000010000000000000002"].contents
    #expect(segment.count == 16 << 20)
    let offset = Int(SmallBackup.end.rawValue % (16 << 20))
    #expect(Array(segment[offset + 26..<offset + 114]) == control.checkpointCopy.bytes)
    let names = tar.members.map(\.name)
    #expect(!names.contains { $0.hasSuffix(".signal") || $0 == "backup_label" })
    for directory in ["pg_tblspc/", "pg_replslot/", "pg_wal/archive_status/", "pg_notify/"] {
      #expect(names.contains(directory))
    }
    #expect(names.firstIndex(of: "./") == 0)
    #expect(Set(names).count == names.count)
    let settings = String(decoding: tar["postgresql.conf"].contents, as: UTF8.self)
    for (name, value) in control.settings { #expect(settings.contains("\(name) = \(value)\n")) }
    #expect(!String(decoding: tar["pg_hba.conf"].contents, as: UTF8.self).contains("trust"))
  }

  /// Goal: a pageserver gets what it gives out. Method: of a clean shutdown's timeline: signals with
  /// the record before the end, no checkpoint, a segment without a record.
  @Test func forPageserver() async throws {
    let tar = try await Self.export(forPageserver: true)
    let control = try ControlFile(decoding: tar["global/pg_control"].contents.bytes)
    #expect(control.checkPoint.rawValue == 0)
    #expect(control.checkpointCopy.redo == SmallBackup.end)
    let signal = Array("PREV LSN: 0/215ACF0".utf8)
    #expect(tar["neon.signal"].contents == signal && tar["zenith.signal"].contents == signal)
    #expect(!tar.members.contains { $0.name == "postgresql.conf" || $0.name == "./" })
  }

  /// Goal: segments of a fork are files of 1 GiB at most, none empty behind a full one. Method: the
  /// sizes around each border.
  @Test(
    arguments: [
      (0, [0]), (1, [1]), (131_072, [131_072]), (131_073, [131_072, 1]),
      (262_144, [131_072, 131_072]),
    ] as [(UInt32, [UInt32])])
  func segments(blockCount: UInt32, expected: [UInt32]) {
    let id = RelationForkID(databaseID: 5, relationNumber: 7, fork: .main)
    let files = Self.cluster([(id, blockCount)]).files(ofRelationAt: 0, forPageserver: false)
    #expect(files.map(\.blockCount) == expected)
    #expect(files.map(\.path) == Array(["base/5/7", "base/5/7.1"].prefix(expected.count)))
    for (index, file) in files.enumerated() {
      #expect(file.key(of: 3) == Key(id, block: UInt32(index) * 131_072 + 3))
    }
  }

  /// Goal: the largest fork, one block short of 2^32, has 32,768 segments, the last not full.
  @Test func largestFork() {
    let id = RelationForkID(databaseID: 5, relationNumber: 7, fork: .main)
    let files = Self.cluster([(id, .max)]).files(ofRelationAt: 0, forPageserver: false)
    #expect(files.count == 32_768)
    #expect(files.last?.blockCount == 131_071)
    #expect(files.last?.path == "base/5/7.32767")
  }

  /// Goal: of an unlogged relation a server gets its init fork twice and nothing else; a pageserver
  /// gives out the maps too. Method: forks of a logged relation on either side.
  @Test func unloggedRelations() {
    let forks: [(RelationForkID, UInt32)] = [
      (6, .main), (6, .visibilityMap), (7, .main), (7, .freeSpaceMap), (7, .visibilityMap),
      (7, .initialisation), (8, .main),
    ].map { (RelationForkID(databaseID: 5, relationNumber: $0, fork: $1), 1) }
    let cluster = Self.cluster(forks)
    func paths(_ forPageserver: Bool) -> [String] {
      cluster.relations.indices.flatMap {
        cluster.files(ofRelationAt: $0, forPageserver: forPageserver)
      }.flatMap { [$0.path] + ($0.copyPath.map { [$0] } ?? []) }
    }
    #expect(paths(false) == ["base/5/6", "base/5/6_vm", "base/5/7_init", "base/5/7", "base/5/8"])
    #expect(
      paths(true) == [
        "base/5/6", "base/5/6_vm", "base/5/7_fsm", "base/5/7_vm", "base/5/7_init", "base/5/7",
        "base/5/8",
      ])
  }

  /// A cluster with these forks of database 5, and nothing else.
  private static func cluster(_ forks: [(RelationForkID, UInt32)]) -> Cluster {
    var cluster = Cluster(version: .v15)
    cluster.databases = [.init(id: 5, relationMap: nil)]
    cluster.relations = forks.map { .init(id: $0, blockCount: $1) }
    return cluster
  }
}
