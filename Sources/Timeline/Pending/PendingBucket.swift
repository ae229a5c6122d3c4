import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Shards that wait to be published in a bucket.
///
/// ```
/// claim    list each shard, also what waits
/// publish  0  each shard: PUT If-None-Match: * the manifest, if the tenant has none
///          1  list each shard: every layer is there, and no index that was not there at the start
///          2  each shard, 0 last: PUT If-None-Match: * the index
///          3  as 1, but for these indexes; otherwise DELETE shard 0's, and fail
///          4  DELETE what waits of no higher generation; and, if this run has put shard 0's index, what was
///             there at the start, is of no higher generation, and is not named by an index
/// ```
///
/// What waits is kept until all is published. So while shard 0 has no index, an index of another shard is
/// that of an interrupted publication only if it has its mark and the bytes of the one that waits; any other
/// is that of an import that may take it away again. An import of some shards removes nothing, and one that
/// sees a published index gives way (`TimelineBucket+Commit.swift`).
final class PendingBucket: PendingShards {
  /// A shard's keys, and what they had at the start.
  private struct Shard {
    let keys: BucketShard
    let objects: [ListedObject]
    /// That of its index.
    let generation: UInt32

    /// The name of the manifest that waits with the index; nil if there is none.
    var manifest: String? {
      let name = TenantManifest.fileName(generation: generation)
      return objects.contains { $0.key == keys.pending + name } ? name : nil
    }
  }

  let timeline: Identifier
  let count: Int
  /// Hours of work wait: it does not give up soon.
  private let client: StoreClient
  /// Everything below `--output` of the imports.
  private let root: StoredDirectory
  private let rootPrefix: String
  private let place: OutputPlace
  private var shards: [Int: Shard] = [:]

  /// Every publication has the same: each may go on with what another has put.
  private static let mark = "publish"

  /// Looks for the timeline; throws as `PendingSearch` does.
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
  }

  func claim(_ id: ShardID) throws(Failure) -> PendingShard? {
    let keys = BucketShard(id, of: place, below: rootPrefix)
    let objects = try keys.objects(client)
    let published = objects.compactMap(keys.indexGeneration).max()
    guard let generation = published ?? objects.compactMap(keys.pendingGeneration).max()
    else { return nil }
    shards[id.number] = Shard(keys: keys, objects: objects, generation: generation)
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

  /// A shard that is claimed.
  private func shard(_ id: ShardID) throws(Failure) -> Shard {
    guard let shard = shards[id.number] else {
      throw Failure(.bug, "shard \(id.number) was not claimed")
    }
    return shard
  }

  func path(of id: ShardID) -> String { root.path + "/" + place.names(id).joined(separator: "/") }

  func stripeSize(of id: ShardID) throws(Failure) -> UInt32? {
    let tenant = Array(place.names(id)[..<2]).joined(separator: "/")
    let published = try stripeSize(among: try root.names(in: tenant), in: tenant)
    if let published { return published }
    return try stripeSize(
      among: try shard(id).manifest.map { [$0] } ?? [],
      in: place.pendingNames(id).joined(separator: "/"))
  }

  private func stripeSize(
    among names: [String], in directory: String
  ) throws(Failure) -> UInt32? {
    try TenantDirectory.stripeSize(among: names, in: root.path + "/" + directory) {
      name throws(Failure) in
      try root.contents(of: directory + "/" + name, limit: TenantManifest.byteCountLimit)
    }
  }

  func byteCount(ofFile name: String, in id: ShardID) throws(Failure) -> UInt64? {
    let shard = try shard(id)
    let key = shard.keys.directory + name
    return shard.objects.first { $0.key == key }?.byteCount
  }

  func open(_ name: LayerName, generation: UInt32, in id: ShardID) throws(Failure) -> LayerFile {
    let directory = place.names(id).joined(separator: "/")
    return try LayerFile(
      directory + "/" + name.fileName(generation: generation), in: root, name: name)
  }

  // MARK: Publishing

  func publish(_ pending: [PendingShard]) throws(Failure) {
    let isPublished = pending.allSatisfy(\.isPublished)
    let objects = isPublished ? [:] : try publishIndexes(pending)
    // What waits can be removed by the next publication.
    try? removeRemains(pending, pending[0].isPublished ? [:] : objects)
  }

  /// Gives the objects of all shards, by key, once the indexes are there.
  private func publishIndexes(
    _ pending: [PendingShard]
  ) throws(Failure) -> [String: ListedObject] {
    try Interruption.check()
    try requireOwn(pending)
    for shard in pending { try publishManifest(of: shard.id) }
    let last = try shard(pending[pending.count - 1].id).keys
    let name = IndexPart.fileName(generation: pending[0].generation)
    let probe = try BucketProbe(client, below: last.directory, longestName: name)
    let indexes = BucketIndexes(
      client: client, isConditional: probe.honoursConditions, mark: Self.mark)
    _ = try undisturbed(pending, indexes, isOver: false)
    try Interruption.check()
    return try Interruption.deferring { () throws(Failure) in
      for shard in pending.reversed() where !shard.isPublished {
        let key = try key(of: shard)
        let tag = try indexes.put(
          StoredBody.bytes(shard.bytes), at: key, isCommit: false, checkHint: Self.again)
        if tag == nil { throw busy(key) }
      }
      do throws(Failure) {
        return try undisturbed(pending, indexes, isOver: true)
      } catch {
        var error = error
        guard error.exitCode == .inUse, !pending[0].isPublished else {
          error.hint = Self.again
          throw error
        }
        // The others stay: without shard 0's, they are no timeline, and whoever goes on needs them.
        try indexes.withdraw(StoredBody.bytes(pending[0].bytes), at: try key(of: pending[0]))
        throw error
      }
    }
  }

  private static let again =
    "Publish the timeline again, before anything attaches it: that shows whether it is complete."

  private func key(of shard: PendingShard) throws(Failure) -> String {
    try self.shard(shard.id).keys.directory + IndexPart.fileName(generation: shard.generation)
  }

  private func busy(_ key: String) -> Failure {
    Failure(
      .timelineBusy,
      "an import or another publication writes to the timeline: there is \(client.url(of: key).quoted)",
      hint:
        "Wait for it to end, and publish the timeline again. If it was killed, import all shards "
        + "once more, with '--force' and a higher '--generation'.")
  }

  private func gone(_ key: String) -> Failure {
    Failure(
      .layerOfOtherRun,
      "\(client.url(of: key).quoted) was removed or replaced while its shard was published",
      hint: "Make sure that no other program writes to the timeline, and publish it again.")
  }

  /// Throws `.inUse` if shard 0 has no index and another has one that no publication has put there.
  private func requireOwn(_ pending: [PendingShard]) throws(Failure) {
    if pending[0].isPublished { return }
    for shard in pending where shard.isPublished {
      let key = try key(of: shard)
      let waiting =
        try self.shard(shard.id).keys.pending + IndexPart.fileName(generation: shard.generation)
      let mark = try client.status(of: key)?.mark
      guard mark == nil || mark == Self.mark,
        try self.shard(shard.id).objects.contains(where: { $0.key == waiting }),
        try contents(of: waiting) == shard.bytes
      else { throw busy(key) }
    }
  }

  private func publishManifest(of id: ShardID) throws(Failure) {
    let shard = try shard(id)
    guard let name = shard.manifest, try !shard.keys.hasManifest(client) else { return }
    let body = StoredBody.bytes(try contents(of: shard.keys.pending + name))
    let key = shard.keys.tenant + name
    switch try client.put(key, body.body, sha256: body.sha256, isConditional: true) {
    case .stored: return
    case .unsupported:
      _ = try client.put(key, body.body, sha256: body.sha256, isConditional: false)
    case .exists:
      guard let status = try client.status(of: key), try client.holds(body, at: key, status) else {
        throw busy(key)
      }
    }
  }

  /// Gives the objects of all shards, by key. Throws `.inUse` unless every layer is there, and no index but
  /// those of the start and these; once it `isOver`, all of these.
  private func undisturbed(
    _ pending: [PendingShard], _ indexes: BucketIndexes, isOver: Bool
  ) throws(Failure) -> [String: ListedObject] {
    var all: [String: ListedObject] = [:]
    for shard in pending {
      let (keys, old) = (try self.shard(shard.id).keys, try self.shard(shard.id).objects)
      let found = Dictionary(
        try keys.objects(client).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
      let own = try key(of: shard)
      for object in found.values where keys.indexGeneration(object) != nil && object.key != own {
        guard old.contains(where: { $0.key == object.key && object.isSame(as: $0) }) else {
          throw busy(object.key)
        }
      }
      if isOver || found[own] != nil {
        guard
          try indexes.isOwn(StoredBody.bytes(shard.bytes), at: own, isCommit: false)
        else { throw busy(own) }
      }
      for (text, metadata) in shard.index.layers {
        guard let name = LayerName(text)?.fileName(generation: metadata.generation),
          found[keys.directory + name]?.byteCount == metadata.fileSize
        else { throw gone(keys.directory + text) }
      }
      all.merge(found) { $1 }
    }
    return all
  }

  /// Removes what waits, and of what was there at the start and still is among `objects` what no index
  /// names.
  private func removeRemains(
    _ pending: [PendingShard], _ objects: [String: ListedObject]
  ) throws(Failure) {
    var waiting: [String] = []
    var others: [String] = []
    for shard in pending {
      let (keys, old) = (try self.shard(shard.id).keys, try self.shard(shard.id).objects)
      var named: Set = [try key(of: shard)]
      for (text, metadata) in shard.index.layers {
        guard let name = LayerName(text) else { continue }
        named.insert(keys.directory + name.fileName(generation: metadata.generation))
      }
      for object in old where !named.contains(object.key) {
        guard keys.isRemovable(object, upTo: shard.generation) else { continue }
        if keys.isPending(object) {
          waiting.append(object.key)
        } else if objects[object.key]?.isSame(as: object) == true {
          others.append(object.key)
        }
      }
    }
    try client.remove(others)
    try client.remove(waiting)
  }
}
