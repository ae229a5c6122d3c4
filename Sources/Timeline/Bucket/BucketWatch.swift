import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Looks whether somebody else writes to a timeline in a bucket, and removes what was there before.
///
/// Whoever makes a timeline, or has shards wait, puts its indexes before it looks for those of others: so of
/// two at least one sees the other.
struct BucketWatch {
  private let client: StoreClient
  private let shards: [(keys: BucketShard, old: [String: ListedObject])]
  /// The error for an index of somebody else.
  private let otherIndex: (_ key: String) -> Failure
  /// The error for an object that was removed or replaced.
  private let disturbed: (_ key: String) -> Failure

  /// - Parameter old: the objects of each shard that were there at the start.
  init(
    _ client: StoreClient, _ shards: [BucketShard], old: [[ListedObject]],
    otherIndex: @escaping (_ key: String) -> Failure,
    disturbed: @escaping (_ key: String) -> Failure
  ) {
    self.client = client
    self.shards = zip(shards, old).map { keys, objects in
      (keys, Dictionary(objects.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first }))
    }
    self.otherIndex = otherIndex
    self.disturbed = disturbed
  }

  /// Gives the objects of all shards, by key.
  ///
  /// Throws unless all that are expected are there, and each index, published or waiting, is one of these, or
  /// one of the start; or tolerated.
  func objects(
    expecting expected: [ListedObject], tolerating tolerated: Set<String> = []
  ) throws(Failure) -> [String: ListedObject] {
    let own = Set(expected.map(\.key)).union(tolerated)
    var found: [String: ListedObject] = [:]
    for (keys, old) in shards {
      for object in try keys.objects(client) {
        found[object.key] = object
        guard keys.isIndex(object), !own.contains(object.key) else { continue }
        guard let before = old[object.key], object.isSame(as: before) else {
          throw otherIndex(object.key)
        }
      }
    }
    for object in expected {
      guard let now = found[object.key], now.isSame(as: object) else {
        throw disturbed(object.key)
      }
    }
    return found
  }

  /// Removes what was there at the start, is still the same among `objects`, is of no higher generation, and
  /// is not named: old indexes first, what waits last. `more` are further keys.
  func removeRemains(
    _ client: StoreClient, among objects: [String: ListedObject], named: Set<String>,
    upTo generation: UInt32, more: Set<String> = []
  ) throws(Failure) {
    var indexes: [String] = []
    var others = Array(more)
    var waiting: [String] = []
    for (keys, old) in shards {
      for object in old.values where !named.contains(object.key) {
        guard keys.isRemovable(object, upTo: generation),
          objects[object.key]?.isSame(as: object) == true
        else { continue }
        if keys.isPending(object) {
          waiting.append(object.key)
        } else if keys.isIndex(object) {
          indexes.append(object.key)
        } else {
          others.append(object.key)
        }
      }
    }
    for all in [indexes, others, waiting] { try client.remove(all) }
  }
}
