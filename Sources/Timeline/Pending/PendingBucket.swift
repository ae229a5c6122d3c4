import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Shards that wait to be published in a bucket.
///
/// ```
/// claim    list each shard, also what waits
/// publish  0  each shard: PUT If-None-Match: * the manifest, if the tenant has none; it must be the one that waits
///          1  list each shard: every layer is the one that was there at the start, and there is no new index
///          2  each shard, 0 last: PUT If-None-Match: * the index
///          3  as 1, but for these indexes; otherwise DELETE these, shard 0's first, and fail
///          4  DELETE what waits of no higher generation; and, if this run has put shard 0's index, what was
///             there at the start, is of no higher generation, and is not named by an index
/// ```
///
/// What waits is kept until all is published. So while shard 0 has no index, an index of another shard is
/// that of an interrupted publication only if it has the bytes of the one that waits, and no import's mark; any
/// other is that of an import that may take it away again.
///
/// Each publication has a mark of its own, and takes away nothing but what has it. One that finds an index which
/// another has put meanwhile leaves everything to that: it may need what this one has put.
final class PendingBucket: PendingShards {
  let timeline: Identifier
  let count: Int
  /// Hours of work wait: it does not give up soon.
  private let client: StoreClient
  /// Everything below `--output` of the imports.
  private let root: StoredDirectory
  private let rootPrefix: String
  private let place: OutputPlace
  /// The keys of each shard, and what they had at the start.
  private var shards: [(keys: BucketShard, objects: [String: ListedObject])] = []
  /// The highest generation that is published; nil for none.
  private var published: UInt32?
  private(set) var weakness: String?
  private(set) var leftover: String?

  /// Begins the marks of indexes that publications put.
  private static let markPrefix = "publish-"

  /// Looks for the timeline and what it has; throws as `PendingSearch` does, and `.damaged` if an index waits that
  /// is of a higher generation than one that is published.
  init(_ place: TenantPath, _ options: StoreOptions) throws(Failure) {
    let tenants = try StoreLocation(place.root)
    client = try StoreClient(tenants, options).with(.patient)
    rootPrefix = String(tenants.keyPrefix.dropLast("tenants/".count))
    root = StoredDirectory(client, at: String(rootPrefix.dropLast()))
    var search = PendingSearch(place)
    for (directory, below) in [("pending", ""), ("tenants", "/timelines")] where !search.isDone {
      let tenants = StoredDirectory(client, at: rootPrefix + directory)
      for name in try tenants.names(beginningWith: "\(place.tenant)-") {
        try search.take(name) { () throws(Failure) in try tenants.names(in: name + below) }
      }
    }
    (timeline, count) = try search.result()
    self.place = OutputPlace(
      output: root.path, tenant: place.tenant, timeline: timeline,
      shards: ShardSelection(all: ShardLayout(count: count)))
    for id in self.place.shards.ids {
      let keys = BucketShard(id, of: self.place, below: rootPrefix)
      let objects = try keys.objects(client).map { ($0.key, $0) }
      shards.append((keys, Dictionary(objects, uniquingKeysWith: { first, _ in first })))
    }
    published = shards.compactMap { keys, objects in
      objects.values.compactMap(keys.indexGeneration).max()
    }.max()
    try requireNoneNewer()
  }

  private func requireNoneNewer() throws(Failure) {
    guard let published else { return }
    for (keys, objects) in shards {
      for object in objects.values {
        guard let generation = keys.pendingGeneration(object), generation > published else {
          continue
        }
        throw Failure(
          .shardsDiffer,
          "\(client.url(of: object.key).quoted) waits to be published, and generation \(published) is "
            + "published already, or in part",
          hint:
            "To keep generation \(published), remove that object, and publish the timeline again. To "
            + "replace it, import all shards at once, without '--only-shards', with '--force' and a higher "
            + "'--generation' than \(generation).")
      }
    }
  }

  func claim(_ id: ShardID) throws(Failure) -> PendingShard? {
    let (keys, objects) = shards[id.number]
    let published = objects.values.compactMap(keys.indexGeneration).max()
    guard let generation = published ?? objects.values.compactMap(keys.pendingGeneration).max()
    else { return nil }
    let key =
      (published == nil ? keys.pending : keys.directory)
      + IndexPart.fileName(generation: generation)
    return try PendingShard(
      id, isPublished: published != nil, generation: generation, try contents(of: key),
      path: client.url(of: key))
  }

  private func contents(of key: String) throws(Failure) -> [UInt8] {
    try root.contents(of: String(key.dropFirst(rootPrefix.count)), limit: Timeline.indexLimit)
  }

  func path(of id: ShardID) -> String { root.path + "/" + place.names(id).joined(separator: "/") }

  func publishedStripeSize(of id: ShardID) throws(Failure) -> UInt32? {
    try TenantDirectory.stripeSize(of: place.names(id)[..<2].joined(separator: "/"), in: root)
  }

  func pendingStripeSize(of shard: PendingShard) throws(Failure) -> UInt32? {
    let directory = place.pendingNames(shard.id).joined(separator: "/")
    return try TenantDirectory.stripeSize(
      among: manifest(of: shard).map { [$0] } ?? [], in: root.path + "/" + directory
    ) { name throws(Failure) in
      try root.contents(of: directory + "/" + name, limit: TenantManifest.byteCountLimit)
    }
  }

  /// The name of the manifest that waits with an index; nil if there is none.
  private func manifest(of shard: PendingShard) -> String? {
    let name = TenantManifest.fileName(generation: shard.generation)
    let (keys, objects) = shards[shard.id.number]
    return objects[keys.pending + name] == nil ? nil : name
  }

  func byteCount(ofFile name: String, in id: ShardID) throws(Failure) -> UInt64? {
    let (keys, objects) = shards[id.number]
    return objects[keys.directory + name]?.byteCount
  }

  func open(_ name: LayerName, generation: UInt32, in id: ShardID) throws(Failure) -> LayerFile {
    let directory = place.names(id).joined(separator: "/")
    return try LayerFile(
      directory + "/" + name.fileName(generation: generation), in: root, name: name)
  }

  // MARK: Publishing

  func publishManifests(_ pending: [PendingShard]) throws(Failure) {
    try Interruption.check()
    try requireOwn(pending)
    for shard in pending {
      let keys = shards[shard.id.number].keys
      guard let name = manifest(of: shard), try !keys.hasManifest(client) else { continue }
      let body = StoredBody.bytes(try contents(of: keys.pending + name))
      // What another has put meanwhile is read again.
      if case .unsupported = try client.put(
        keys.tenant + name, body.body, sha256: body.sha256, isConditional: true)
      {
        _ = try client.put(keys.tenant + name, body.body, sha256: body.sha256, isConditional: false)
      }
    }
  }

  func publishIndexes(_ pending: [PendingShard]) throws(Failure) {
    let isPublished = pending.allSatisfy(\.isPublished)
    var objects = isPublished ? [:] : try putIndexes(pending)
    if pending[0].isPublished {
      // Its layers may be a pageserver's by now.
      objects = [:]
      for (keys, old) in shards { objects.merge(old.filter { keys.isPending($0.value) }) { $1 } }
    }
    var keys: Set<String> = []
    for shard in pending { keys.formUnion(try named(shard)) }
    do throws(Failure) {
      // Gives up soon: the timeline is complete.
      try watch.removeRemains(
        client.with(RetryPolicy()), among: objects, named: keys, upTo: pending[0].generation)
    } catch {
      leftover =
        "the timeline is complete, but what it no longer needs could not be removed: "
        + "\(error.message); publish it again to remove what waits in "
        + "\((root.path + "/pending").quoted), and look with 'import-backup list \(root.path)' for what else is left"
    }
  }

  private var watch: BucketWatch {
    let client = client
    return BucketWatch(client, shards.map(\.keys), old: shards.map { Array($0.objects.values) }) {
      Self.busy(client.url(of: $0))
    } disturbed: {
      Self.gone(client.url(of: $0))
    }
  }

  /// Gives the objects of all shards, by key, once the indexes are there.
  private func putIndexes(
    _ pending: [PendingShard]
  ) throws(Failure) -> [String: ListedObject] {
    let last = shards[count - 1].keys.directory
    let probe = try BucketProbe(
      client, below: last, longestName: IndexPart.fileName(generation: pending[0].generation))
    weakness = probe.weakness(of: root.path)
    let indexes = BucketIndexes(
      client, isConditional: probe.honoursConditions, markPrefix: Self.markPrefix)
    // The layers, and the indexes that are there already.
    var expected: [ListedObject] = []
    for shard in pending {
      for key in try named(shard) where shard.isPublished || key != self.key(of: shard) {
        guard let object = shards[shard.id.number].objects[key] else {
          throw Self.gone(client.url(of: key))
        }
        expected.append(object)
      }
    }
    _ = try watch.objects(expecting: expected)
    try Interruption.check()
    return try Interruption.deferring { () throws(Failure) in
      for shard in pending.reversed() where !shard.isPublished {
        let key = key(of: shard)
        let body = StoredBody.bytes(shard.bytes)
        switch try indexes.put(body, at: key, checkHint: Self.again) {
        case .own(let tag):
          expected.append(ListedObject(key: key, byteCount: body.byteCount, entityTag: tag))
        case .same: throw Self.isPublishing(client.url(of: key))
        case .other: throw indexes.withdraw(after: Self.busy(client.url(of: key)))
        }
      }
      let found: [String: ListedObject]
      let isOwn: Bool
      do throws(Failure) {
        found = try watch.objects(expecting: expected)
        // Where a condition does not keep another publication from putting its index over this one.
        isOwn = probe.honoursConditions ? true : try indexes.holdsLast()
      } catch {
        var error = error
        // Otherwise the indexes stay: nothing says that they are wrong.
        guard error.exitCode == .inUse else {
          error.hint = Self.again
          throw error
        }
        throw indexes.withdraw(after: error)
      }
      guard isOwn else { throw Self.isPublishing(client.url(of: key(of: pending[0]))) }
      return found
    }
  }

  /// Where a shard's index is to be.
  private func key(of shard: PendingShard) -> String {
    shards[shard.id.number].keys.directory + IndexPart.fileName(generation: shard.generation)
  }

  /// The keys of a shard's index and layers.
  private func named(_ shard: PendingShard) throws(Failure) -> [String] {
    let directory = shards[shard.id.number].keys.directory
    var keys = [key(of: shard)]
    for (text, metadata) in shard.index.layers {
      keys.append(directory + (try shard.fileName(ofLayer: text, metadata)))
    }
    return keys
  }

  /// Throws `.inUse` if shard 0 has no index and another has one that no publication has put there.
  private func requireOwn(_ pending: [PendingShard]) throws(Failure) {
    if pending[0].isPublished { return }
    for shard in pending where shard.isPublished {
      let key = key(of: shard)
      let (keys, objects) = shards[shard.id.number]
      let waiting = keys.pending + IndexPart.fileName(generation: shard.generation)
      let mark = try client.status(of: key)?.mark
      guard mark?.hasPrefix(Self.markPrefix) != false, objects[waiting] != nil,
        try contents(of: waiting) == shard.bytes
      else { throw Self.busy(client.url(of: key)) }
    }
  }

  // MARK: Errors

  private static let again =
    "Publish the timeline again, before anything attaches it: that shows whether it is complete."

  private static func busy(_ url: String) -> Failure {
    Failure(
      .timelineBusy, "an import or a pageserver writes to the timeline: there is \(url.quoted)",
      hint:
        "Wait for it to end, and publish the timeline again. If it was an import of all shards that was "
        + "killed, run that again, or import all shards at once, without '--only-shards', with '--force' "
        + "and a higher '--generation'.")
  }

  private static func isPublishing(_ url: String) -> Failure {
    Failure(
      .timelineBusy, "another publication has put \(url.quoted) meanwhile",
      hint: "Wait for it to end, and publish the timeline again: that shows whether it is complete."
    )
  }

  private static func gone(_ url: String) -> Failure {
    Failure(
      .layerOfOtherRun, "\(url.quoted) was removed or replaced while its shard was published",
      hint: "Make sure that no other program writes to the timeline, and publish it again.")
  }
}
