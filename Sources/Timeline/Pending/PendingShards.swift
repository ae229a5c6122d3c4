import LayerFormat
import PostgresFormat
import System

/// One of the shards of a timeline that is to be published.
struct PendingShard {
  let id: ShardID
  /// Whether its index is where a pageserver looks.
  let isPublished: Bool
  let generation: UInt32
  /// The index as it is stored.
  let bytes: [UInt8]
  let index: IndexPart

  /// Decodes an index; `path` is for messages.
  init(
    _ id: ShardID, isPublished: Bool, generation: UInt32, _ bytes: [UInt8], path: String
  ) throws(Failure) {
    self.id = id
    self.isPublished = isPublished
    self.generation = generation
    self.bytes = bytes
    do throws(FormatError) {
      index = try IndexPart(decoding: bytes)
    } catch {
      throw Failure(error, in: "index \(path.quoted)", damage: .indexDamaged)
    }
  }

  /// The name of the file of a layer that the index names.
  func fileName(
    ofLayer text: String, _ metadata: IndexPart.LayerMetadata
  ) throws(Failure) -> String {
    guard let name = LayerName(text) else {
      throw Failure(.indexDamaged, "\(text.quoted) is not the name of a layer")
    }
    return name.fileName(generation: metadata.generation)
  }
}

/// Where the shards of a timeline are that were written by several imports: in directories, or in a bucket.
protocol PendingShards: AnyObject {
  /// The timeline's id.
  var timeline: Identifier { get }
  /// How many shards the tenant has.
  var count: Int { get }

  /// Claims a shard and reads its index, the published one if there is one; nil if no import has completed
  /// it.
  func claim(_ id: ShardID) throws(Failure) -> PendingShard?

  /// The path or URL of the directory of a shard's layers.
  func path(of id: ShardID) -> String

  /// The stripe size that the newest manifest of a shard's tenant says; nil if there is none.
  func publishedStripeSize(of id: ShardID) throws(Failure) -> UInt32?

  /// The one that the manifest says that waits with an index; nil if there is none.
  func pendingStripeSize(of shard: PendingShard) throws(Failure) -> UInt32?

  /// The length of a layer's file; nil if there is none.
  func byteCount(ofFile name: String, in id: ShardID) throws(Failure) -> UInt64?

  /// Opens a layer.
  func open(_ name: LayerName, generation: UInt32, in id: ShardID) throws(Failure) -> LayerFile

  /// Publishes the manifest of each shard whose tenant has none.
  func publishManifests(_ shards: [PendingShard]) throws(Failure)

  /// Publishes indexes, shard 0's last, and removes what is left then, as far as that is possible.
  func publishIndexes(_ shards: [PendingShard]) throws(Failure)

  /// What there is to say of a store that others could write to unnoticed, if it was written to; nil for
  /// nothing.
  var weakness: String? { get }
  /// What `publishIndexes` could not remove although the timeline is complete, and how to; nil for nothing.
  var leftover: String? { get }
}

/// Looks for the timeline and the number of its shards, among the names of directories.
struct PendingSearch {
  private let place: TenantPath
  private var counts: Set<Int> = []
  private var timelines: Set<String> = []

  init(_ place: TenantPath) { self.place = place }

  /// Whether it need not look any further: once nothing waits, what is published is looked at again.
  var isDone: Bool { !timelines.isEmpty && place.timeline == nil }

  /// Takes the name of a directory of tenants; `names` gives those that are in it, if it is a shard's.
  mutating func take(
    _ name: String, _ names: () throws(Failure) -> [String]?
  ) throws(Failure) {
    guard let id = ShardID(name.dropFirst(33)), name.hasPrefix("\(place.tenant)-"),
      let names = try names()
    else { return }
    counts.insert(id.count)
    timelines.formUnion(names.filter { Identifier($0) != nil })
  }

  /// What was found; throws `.cannotOpen` if that is nothing, `.usage` if the timeline is one of several.
  func result() throws(Failure) -> (timeline: Identifier, count: Int) {
    guard let count = counts.max() else {
      throw Failure(
        .inputNotFound, "tenant \("\(place.root)/\(place.tenant)".quoted) has no shards",
        hint: "Give DIR/tenants/TENANT, where DIR is the '--output' of the imports.")
    }
    if let timeline = place.timeline { return (timeline, count) }
    return (try place.only(of: timelines), count)
  }
}
