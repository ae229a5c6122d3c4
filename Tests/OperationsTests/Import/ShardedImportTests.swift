import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// Imports into tenants of several shards.
@Suite struct ShardedImportTests {
  private static let tenant = String(repeating: "1", count: 32)
  private static let timeline = String(repeating: "2", count: 32)

  /// Every fixture with every count, so that each stripe size meets each count.
  private static let cases: [(name: String, layout: ShardLayout)] =
    ImportFixtureTests.names.enumerated().flatMap { index, name in
      [2, 3, 4, 8].enumerated().map { place, count in
        (name, ShardLayout(count: count, stripeSize: [1, 256, 2048][(index + place) % 3]))
      }
    }

  private static func options(
    _ backup: String, _ output: String, _ layout: ShardLayout
  ) -> ImportOptions {
    var options = ImportOptions(backup: backup, outputDirectory: output)
    options.tenantID = tenant
    options.timelineID = timeline
    options.shardCount = layout.count
    options.stripeSize = layout.stripeSize
    return options
  }

  private static func path(_ output: String, _ shard: Int, of count: Int) throws -> String {
    let tenant = try #require(Identifier(Self.tenant))
    let name = ShardID(shard, of: count).directoryName(ofTenant: tenant)
    return "\(output)/tenants/\(name)/timelines/\(timeline)"
  }

  private static func verify(_ path: String, against backup: String? = nil) throws -> VerifySummary
  {
    var options = VerifyOptions(timeline: path)
    options.backup = backup
    return try verifyTimeline(options, progress: nil)
  }

  /// Goal: each key is in exactly the shards that own it, with the value that a pageserver gave out.
  /// Method: list what each shard's layers hold, and compare with the fixture's list; small layers, so
  /// that relations have several. All shards together verify.
  @Test(arguments: cases.indices) func keysAndValues(_ index: Int) throws {
    let (name, layout) = Self.cases[index]
    let output = try TemporaryDirectory()
    var options = Self.options(Fixture.path(name + ".tar.zst"), output.path, layout)
    options.imageLayerSize = 1 << 20
    options.chunkSize = 1 << 20
    options.smallRelationSize = 256 << 10
    let summary = try importBackup(options, progress: nil)
    #expect(summary.shardCount == layout.count && summary.otherIndexes.count == layout.count - 1)
    let expected = try Fixture.lines(name + ".keys").map(String.init)
    for shard in 0..<layout.count {
      let own = expected.filter { line in
        guard let key = Key(line.prefix(36)) else { return true }
        let owner = layout.owner(of: key.meaning)
        return owner == .every || owner == .shard(shard)
      }
      let found = try TimelineListing.lines(of: Self.path(output.path, shard, of: layout.count))
      #expect(found == own.sorted(), "shard \(shard)")
    }
    let verified = try Self.verify("\(output.path)/tenants/\(Self.tenant)")
    #expect(verified.findingCount == 0 && verified.keyCount == UInt64(expected.count))
  }
}
