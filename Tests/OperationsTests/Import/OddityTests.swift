import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import Pipeline
@testable import Timeline

/// What real clusters have seldom, each put into a real backup and followed through import,
/// verification and export.
@Suite struct OddityTests {
  /// What became of a changed backup.
  private struct Outcome {
    var summary: ImportSummary
    /// Every value by its key.
    var values: [Key: [UInt8]]
    /// What an export of the timeline holds, by name.
    var exported: [String: [UInt8]]
  }

  /// Imports a tar, finds the timeline sound and equal to it, exports it, and imports that.
  private static func follow(
    _ tar: TestTar
  ) async throws -> Outcome {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    var options = VerifyOptions(timeline: summary.timelinePath)
    options.backup = directory.path + "/backup"
    let verified = try verifyTimeline(options, progress: nil)
    #expect(verified.findings == [] && verified.isCompared)

    let path = directory.path + "/export.tar"
    _ = try await ExportRoundTripTests.export(summary.timelinePath, to: path)
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let again = try TemporaryDirectory()
    let second = try await SmallBackup.importBytes(bytes, in: again)
    #expect(second.relationCount == summary.relationCount)
    #expect(second.preparedTransactionCount == summary.preparedTransactionCount)
    let members = TestTar(decoding: bytes).members.map { ($0.name, $0.contents) }
    return Outcome(
      summary: summary, values: try values(of: summary.timelinePath),
      exported: Dictionary(members) { $1 })
  }

  private static func values(of timeline: String) throws -> [Key: [UInt8]] {
    var values: [Key: [UInt8]] = [:]
    let timeline = try Timeline(path: timeline)
    for layer in timeline.layers {
      var reader = try LayerValueReader(try timeline.open(layer))
      while try reader.next({ stored, value in values[stored.entry.key] = value.bytes.array }) {}
    }
    return values
  }

  /// Pages of a fork, from its first on, as sound as a server's.
  private static func pages(_ count: Int) -> [UInt8] {
    (0..<UInt32(count)).flatMap { block in
      var page = halfRandomBytes(8192, seed: UInt64(block) + 1)
      // A small LSN, so that the page is not newer than the backup.
      page.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 0, 16, 0])
      SmallBackup.setChecksum(of: &page, block: block)
      return page
    }
  }

  private static func size(_ blockCount: UInt32) -> [UInt8] { SmallBackup.bytesOf(blockCount) }

  private static func leftOut(_ summary: ImportSummary, _ reason: LeftOutReason) -> [String] {
    summary.leftOut.first { $0.code == reason }?.names ?? []
  }

  // MARK: Transactions

  /// `clean-17` with the relations of one database only, its next transaction id, and its prepared transaction under
  /// another id.
  private static func cluster17(next: UInt64, prepared: UInt64) throws -> TestTar {
    var tar = TestTar(decoding: try Fixture.bytes("clean-17.tar"))
    tar.members.removeAll { member in
      member.type == "0" && member.name.hasPrefix("./base/") && !member.name.hasPrefix("./base/1/")
        && !["PG_VERSION", "pg_filenode.map"].contains { member.name.hasSuffix($0) }
    }
    tar.fitRelationMaps()
    var control = tar["global/pg_control"].contents
    control.replaceSubrange(
      64..<72, with: (0..<8).map { UInt8(truncatingIfNeeded: next >> (8 * $0)) })
    control.replaceSubrange(
      288..<292, with: SmallBackup.bytesOf(CRC32C.checksum(of: control.bytes.extracting(0..<288))))
    tar["global/pg_control"].contents = control

    var file = tar["pg_twophase/0000000000000336"].contents
    file.replaceSubrange(
      8..<12, with: SmallBackup.bytesOf(UInt32(truncatingIfNeeded: prepared)))
    file = TwoPhaseFile.encode(stored: Array(file.dropLast(4)))
    tar.remove("pg_twophase/0000000000000336")
    tar.members.append(.init("./pg_twophase/\(prepared.hexadecimal(16))", contents: file))
    return tar
  }

  /// Goal: in version 17 a prepared transaction keeps its epoch, and the oldest active one is that
  /// of before the change of the epoch. Method: epochs above 0, with the transaction in the epoch
  /// of the next id and in the one before; keys, directory, checkpoint and name.
  @Test(
    arguments: [
      (next: 0x1_0000_0337, prepared: 0x1_0000_0336),
      (next: 0x2_0000_0010, prepared: 0x1_FFFF_FF00),
      (next: 0xABCD_EF01_0000_0337, prepared: 0xABCD_EF01_0000_0336),
    ] as [(next: UInt64, prepared: UInt64)])
  func epochs(next: UInt64, prepared: UInt64) async throws {
    let tar = try Self.cluster17(next: next, prepared: prepared)
    let outcome = try await Self.follow(tar)
    let name = "pg_twophase/\(prepared.hexadecimal(16))"
    let file = tar[name].contents
    #expect(
      outcome.values[Key(.twoPhaseFile(transactionID: prepared))] == Array(file.dropLast(4)))
    #expect(
      outcome.values[Key(.twoPhaseDirectory)]
        == DirectoryValue.encode(transactions: [prepared], version: .v17))
    #expect(outcome.exported[name] == file)
    let stored = try #require(outcome.values[Key(.checkpoint)])
    let checkpoint = Checkpoint(stored.bytes)
    #expect(checkpoint.nextTransactionID == next)
    #expect(checkpoint.oldestActiveTransactionID == UInt32(truncatingIfNeeded: prepared))
  }

  /// Goal: a name with another epoch is refused, for Postgres would not find the file. Method: the
  /// epochs around the right one.
  @Test(arguments: [0x0_0000_0336, 0x2_0000_0336, 0x1_FFFF_FF00] as [UInt64])
  func wrongEpoch(prepared: UInt64) async throws {
    let tar = try Self.cluster17(next: 0x1_0000_0337, prepared: prepared)
    let error = try await SmallBackup.refusal(of: tar.encoded())
    #expect(error?.exitCode == .damaged)
    #expect(error?.message.hasPrefix("prepared transaction \(prepared): ") == true)
  }

  /// Goal: a log of transactions of 32 segments, and one that has come round, is kept whole.
  /// Method: segments from 0FF0 on, past 0FFF to 000F, each of 32 pages but for the last.
  @Test func manyTransactionSegments() async throws {
    var tar = SmallBackup.tar
    tar.members.removeAll { $0.name.hasPrefix("./pg_xact/0") }
    let numbers = (0..<32).map { (0xFF0 + UInt32($0)) % 0x1000 }
    for number in numbers {
      tar.members.append(
        .init(
          "./pg_xact/\(number.hexadecimal(4))",
          contents: halfRandomBytes((number == 0xF ? 3 : 32) * 8192, seed: UInt64(number))))
    }
    let outcome = try await Self.follow(tar)
    #expect(
      outcome.values[Key(.slruDirectory(.transactions))]
        == DirectoryValue.encode(segments: numbers.sorted()))
    for number in numbers {
      let contents = tar["pg_xact/\(number.hexadecimal(4))"].contents
      #expect(
        outcome.values[Key(.slruSegmentSize(.transactions, segment: number))]
          == Self.size(UInt32(contents.count / 8192)))
      #expect(outcome.exported["pg_xact/\(number.hexadecimal(4))"] == contents)
    }
  }

  // MARK: Databases and relations

  /// Goal: a database without a relation map, and with an id that no signed number holds, is kept
  /// as it is. Method: one with a map and one without, above 2^31, the highest id among them.
  @Test func databases() async throws {
    var tar = SmallBackup.tar
    let map = tar["base/5/pg_filenode.map"].contents
    let version = tar["PG_VERSION"].contents
    for (id, hasMap) in [(3_000_000_000, true), (4_294_967_295, false), (7, false)] {
      tar.members.append(.init("./base/\(id)/PG_VERSION", contents: version))
      tar.members.append(.init("./base/\(id)/4294967295", contents: Self.pages(2)))
      tar.members.append(.init("./base/\(id)/2147483648_fsm", contents: Self.pages(1)))
      tar.members.append(.init("./base/\(id)/2147483648", contents: Self.pages(3)))
      if hasMap { tar.members.append(.init("./base/\(id)/pg_filenode.map", contents: map)) }
    }
    let outcome = try await Self.follow(tar)
    #expect(outcome.summary.databaseCount == 4 + 3)
    for id: UInt32 in [3_000_000_000, 4_294_967_295, 7] {
      let hasMap = id == 3_000_000_000
      #expect(outcome.values[Key(.relationMap(databaseID: id))] == (hasMap ? map : nil))
      #expect(outcome.exported["base/\(id)/pg_filenode.map"] == (hasMap ? map : nil))
      #expect(outcome.exported["base/\(id)/4294967295"] == Self.pages(2))
      let relation = RelationForkID(databaseID: id, relationNumber: 2_147_483_648, fork: .main)
      #expect(outcome.values[Key(.relationSize(relation))] == Self.size(3))
    }
  }

  /// Goal: forks of relations whose main fork is empty keep their sizes. Method: each fork beside a
  /// main fork of no pages, and an unlogged table, whose forks are all empty.
  @Test func emptyMainForks() async throws {
    var tar = SmallBackup.tar
    tar.members += [
      .init("./base/5/90001"), .init("./base/5/90001_fsm", contents: Self.pages(3)),
      .init("./base/5/90001_vm", contents: Self.pages(1)),
      .init("./base/5/90002"), .init("./base/5/90002_init"),
      .init("./base/5/90003"), .init("./base/5/90003_init", contents: Self.pages(2)),
      // What Postgres leaves of segments that it truncated.
      .init("./base/5/90003.1"), .init("./base/5/90003.2"),
    ]
    let outcome = try await Self.follow(tar)
    for (number, fork, blockCount): (UInt32, RelationFork, UInt32) in [
      (90001, .main, 0), (90001, .freeSpaceMap, 3), (90001, .visibilityMap, 1), (90002, .main, 0),
      (90002, .initialisation, 0), (90003, .main, 0), (90003, .initialisation, 2),
    ] {
      let relation = RelationForkID(databaseID: 5, relationNumber: number, fork: fork)
      #expect(
        outcome.values[Key(.relationSize(relation))] == Self.size(blockCount), "\(relation)")
      let last = blockCount == 0 ? nil : outcome.values[Key(relation, block: blockCount - 1)]
      #expect((last == nil) == (blockCount == 0))
      #expect(outcome.values[Key(relation, block: blockCount)] == nil)
    }
    #expect(outcome.summary.unloggedRelationCount == 2)
    #expect(outcome.exported["base/5/90001"] == [])
    #expect(outcome.exported["base/5/90001_fsm"] == Self.pages(3))
  }

  // MARK: What is left out

  /// Goal: temporary relations, caches and temporary files are left out, by name, and are nothing
  /// that a size or a page is checked of. Method: each where Postgres puts it, of torn lengths.
  @Test func temporaryFiles() async throws {
    let temporary: [LeftOutReason: [String]] = [
      .temporaryRelations: [
        "base/5/t3_16384", "base/5/t3_16384.1", "base/5/t3_16384_fsm", "base/5/t12_16385_vm",
      ],
      .temporaryFiles: [
        "base/pgsql_tmp/pgsql_tmp123.0", "base/pgsql_tmp/pgsql_tmp123.1.fileset/0.0",
        "base/5/pgsql_tmp9",
      ],
      .caches: [
        "base/4/pg_internal.init", "base/5/pg_internal.init", "global/pg_internal.init.77",
      ],
    ]
    let sound = try await Self.follow(SmallBackup.tar)
    var tar = SmallBackup.tar
    for name in temporary.values.joined() {
      tar.members.append(.init("./" + name, contents: [1, 2, 3]))
    }
    let outcome = try await Self.follow(tar)
    for (reason, names) in temporary {
      #expect(Set(names).isSubset(of: Self.leftOut(outcome.summary, reason)), "\(reason)")
    }
    #expect(outcome.values == sound.values)
  }
}
