import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

/// Which shard has which key.
@Suite struct ShardLayoutTests {
  /// Goal: a block is where a pageserver looks for it. Method: the value that Neon's own test has for
  /// ten shards of 32768 blocks (`libs/pageserver_api/src/shard.rs`); others from the formula of
  /// Docs/format.md, calculated by a program in another language.
  @Test(arguments: [
    (10, 32768, 16396, 32006, 8), (10, 2048, 16396, 32006, 1), (2, 1, 16384, 0, 0),
    (3, 256, 16384, 255, 1), (3, 256, 16384, 256, 0), (4, 2048, 1259, 0, 2),
    (8, 2048, 4_294_967_295, 4_294_967_294, 6), (128, 2048, 16384, 1_000_000, 83),
  ]) func blocks(count: Int, stripe: UInt32, relation: UInt32, block: UInt32, shard: Int) {
    let layout = ShardLayout(count: count, stripeSize: stripe)
    let id = RelationForkID(databaseID: 5, relationNumber: relation, fork: .main)
    #expect(layout.shard(of: id, block: block) == shard)
    #expect(layout.owner(of: .relationBlock(id, block: block)) == .shard(shard))
    let other = RelationForkID(databaseID: 0, relationNumber: relation, fork: .visibilityMap)
    #expect(layout.shard(of: other, block: block) == shard)
  }

  /// Goal: all other keys are on shard 0 or on every shard, as Docs/format.md says.
  @Test func otherKeys() {
    let layout = ShardLayout(count: 4)
    let relation = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .main)
    let initial = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .initialisation)
    let first: [KeyMeaning] =
      [.statisticsFile] + (0..<40).map { .relationBlock(initial, block: $0 * 2048) }
      + SLRUKind.allCases.flatMap { kind -> [KeyMeaning] in
        [
          .slruDirectory(kind), .slruBlock(kind, segment: 3, block: 7),
          .slruSegmentSize(kind, segment: 3),
        ]
      }
    for meaning in first { #expect(layout.owner(of: meaning) == .shard(0), "\(meaning)") }
    let every: [KeyMeaning] = [
      .databaseDirectory, .relationMap(databaseID: 5), .relationDirectory(databaseID: 5),
      .relationSize(relation), .relationSize(initial), .twoPhaseDirectory,
      .twoPhaseFile(transactionID: 9), .controlFile, .checkpoint, .replicationOrigin(id: 1),
    ]
    for meaning in every {
      #expect(layout.owner(of: meaning) == .every, "\(meaning)")
      #expect(ShardLayout.unsharded.owner(of: meaning) == .shard(0))
    }
  }

  /// Goal: a stripe's blocks are on one shard, and the stripes on all. Method: every block of 1,000
  /// stripes of 3.
  @Test func stripes() {
    let layout = ShardLayout(count: 5, stripeSize: 3)
    let relation = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .main)
    var seen: Set<Int> = []
    for stripe in 0..<UInt32(1000) {
      let owners = (0..<UInt32(3)).map { layout.shard(of: relation, block: stripe * 3 + $0) }
      #expect(Set(owners).count == 1)
      seen.insert(owners[0])
      #expect((0..<UInt32(3)).map { layout.stripeRest(from: stripe * 3 + $0) } == [3, 2, 1])
    }
    #expect(seen == [0, 1, 2, 3, 4])
  }

  /// Goal: the digits of a directory's name say which shard it is, and nothing else is taken for them.
  @Test func names() throws {
    let tenant = try #require(Identifier(String(repeating: "a", count: 32)))
    #expect(ShardID(2, of: 8).suffix == "0208" && ShardID(127, of: 128).suffix == "7f80")
    #expect(ShardID(2, of: 8).directoryName(ofTenant: tenant) == "\(tenant)-0208")
    #expect(ShardID(2, of: 8).words == "shard 2 of 8")
    #expect(ShardID.words([0, 1, 3, 5, 6, 7], of: 8) == "shards 0-1,3,5-7 of 8")
    #expect(ShardID(0, of: 1).directoryName(ofTenant: tenant) == tenant.description)
    for number in 0..<128 {
      let shard = ShardID(number, of: 128)
      #expect(ShardID(try #require(shard.suffix)) == shard)
    }
    for text in ["", "0001", "0000", "0404", "0504", "02 8", "208", "00208", "020A", "0x08"] {
      #expect(ShardID(text) == nil, "\(text)")
    }
  }

  /// Goal: a tenant's manifest is read as it was written, and as a service writes it; others are
  /// refused by the field.
  @Test func manifest() throws {
    let manifest = TenantManifest(stripeSize: 2048)
    let text = #"{"version":2,"stripe_size":2048,"offloaded_timelines":[]}"#
    #expect(manifest.encoded() == Array(text.utf8))
    #expect(try TenantManifest(decoding: manifest.encoded()) == manifest)
    let others: [(String, UInt32?)] = [
      (#"{"version":1,"offloaded_timelines":[{"timeline_id":"x","archived_at":"y"}]}"#, nil),
      (#"{"version":2,"stripe_size":null,"offloaded_timelines":[]}"#, nil),
      (#"{"version":2,"stripe_size":16}"#, 16),
    ]
    for (text, size) in others {
      #expect(try TenantManifest(decoding: Array(text.utf8)).stripeSize == size)
    }
    for text in ["", "{", #"{"stripe_size":"8"}"#, #"{"stripe_size":-1}"#] {
      #expect(throws: FormatError.self) { try TenantManifest(decoding: Array(text.utf8)) }
    }
    let name = TenantManifest.fileName(generation: 0x1F)
    #expect(name == "tenant-manifest-0000001f.json")
    #expect(TenantManifest.parse(fileName: name) == 0x1F)
    for other in ["tenant-manifest.json", "tenant-manifest-0000001F.json", name + ".x"] {
      #expect(TenantManifest.parse(fileName: other) == nil)
    }
  }
}
