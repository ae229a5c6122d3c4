import PostgresFormat

/// How a tenant's keys are spread over its shards.
///
/// ```
/// relation, stripe size 4, 3 shards
///   block    0 1 2 3 │ 4 5 6 7 │ 8 9 10 11 │ …
///   shard       2    │    0    │     2     │      a hash of the relation's number and the stripe's
/// ```
///
/// An unsharded tenant has one shard, and its stripe size is what a pageserver splits it by later.
/// (Neon, `libs/pageserver_api/src/shard.rs`; Docs/format.md, Shards)
public struct ShardLayout: Hashable, Sendable {
  /// The number of shards, 1 to 255; 1 if the tenant is not sharded.
  public let count: Int
  /// How many consecutive blocks of a relation stay together; not 0.
  public let stripeSize: UInt32

  /// The most shards that an import writes.
  public static let countLimit = 128
  /// The stripe size in blocks if nobody says otherwise: 16 MiB. (Neon, `DEFAULT_STRIPE_SIZE`)
  public static let usualStripeSize: UInt32 = 2048

  /// A tenant without shards.
  public static let unsharded = ShardLayout(count: 1)

  /// A layout; `count` and `stripeSize` must be within their bounds.
  public init(count: Int, stripeSize: UInt32 = usualStripeSize) {
    precondition((1...255).contains(count) && stripeSize > 0)
    self.count = count
    self.stripeSize = stripeSize
  }

  /// Whether there are several shards.
  public var isSharded: Bool { count > 1 }

  /// Which shards have a key.
  public enum Owner: Equatable, Sendable {
    /// The one of this number.
    case shard(Int)
    /// Every one: what all need to know, or what no import writes.
    case every
  }

  /// Which shards have the key of this meaning.
  public func owner(of meaning: KeyMeaning?) -> Owner {
    guard isSharded else { return .shard(0) }
    switch meaning {
    case .relationBlock(let relation, let block): return .shard(shard(of: relation, block: block))
    case .slruBlock, .slruDirectory, .slruSegmentSize, .statisticsFile: return .shard(0)
    default: return .every
    }
  }

  /// The shard that has a block of a relation.
  public func shard(of relation: RelationForkID, block: UInt32) -> Int {
    guard isSharded, relation.fork != .initialisation else { return 0 }
    let hash = Self.combined(
      Self.murmur(relation.relationNumber), Self.murmur(block / stripeSize))
    return Int(hash % UInt32(count))
  }

  /// How many blocks, `block` being the first, are in one stripe with it: at least 1.
  public func stripeRest(from block: UInt32) -> Int { Int(stripeSize - block % stripeSize) }

  /// The finaliser of MurmurHash3. (Postgres, `src/include/common/hashfn.h`, `murmurhash32`)
  private static func murmur(_ value: UInt32) -> UInt32 {
    var hash = value
    hash = (hash ^ hash >> 16) &* 0x85EB_CA6B
    hash = (hash ^ hash >> 13) &* 0xC2B2_AE35
    return hash ^ hash >> 16
  }

  /// One hash of two. (Postgres, `src/include/common/hashfn.h`, `hash_combine`)
  private static func combined(_ first: UInt32, _ second: UInt32) -> UInt32 {
    first ^ (second &+ 0x9E37_79B9 &+ (first << 6) &+ (first >> 2))
  }
}
