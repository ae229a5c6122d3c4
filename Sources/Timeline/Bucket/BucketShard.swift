import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// The keys of one shard's timeline in a bucket, or of an unsharded one.
struct BucketShard: Sendable {
  /// Which shard it is.
  let shard: ShardID
  /// Begins the keys of the timeline's files.
  let directory: String
  /// Begins those of the tenant's own files.
  let tenant: String
  /// Begins the keys of what waits to be published.
  let pending: String

  init(_ shard: ShardID, of place: OutputPlace, below root: String) {
    func prefix(_ names: [String]) -> String { root + names.joined(separator: "/") + "/" }
    let names = place.names(shard)
    self.shard = shard
    directory = prefix(names)
    tenant = prefix(Array(names[..<2]))
    pending = prefix(place.pendingNames(shard))
  }

  /// Everything that the timeline's directory would hold, and what waits to be published.
  func objects(_ client: StoreClient) throws(Failure) -> [ListedObject] {
    var objects: [ListedObject] = []
    if shard.suffix != nil { try client.list(pending) { objects.append($0) } }
    try client.list(directory) { objects.append($0) }
    return objects
  }

  /// Whether the tenant has a manifest.
  func hasManifest(_ client: StoreClient) throws(Failure) -> Bool {
    var isThere = false
    try client.list(tenant + TenantManifest.filePrefix) { object in
      let name = String(object.key.dropFirst(tenant.count))
      if TenantManifest.parse(fileName: name) != nil { isThere = true }
    }
    return isThere
  }

  /// Whether an object is an index, published or waiting.
  func isIndex(_ object: ListedObject) -> Bool { IndexPart.parse(fileName: name(object)) != nil }

  /// The generation of the published index that an object is; nil for any other.
  func indexGeneration(_ object: ListedObject) -> UInt32? {
    isPending(object) ? nil : IndexPart.parse(fileName: name(object))
  }

  /// The same of an index that is not published.
  func pendingGeneration(_ object: ListedObject) -> UInt32? {
    isPending(object) ? IndexPart.parse(fileName: name(object)) : nil
  }

  /// Whether an object is among what waits to be published.
  func isPending(_ object: ListedObject) -> Bool { object.key.hasPrefix(pending) }

  /// Whether an object may be removed once there is an index of this generation that does not name it: an
  /// index, a layer or a probe of an import, or what waits, of no higher generation.
  func isRemovable(_ object: ListedObject, upTo generation: UInt32) -> Bool {
    let name = name(object)
    if name.hasPrefix(BucketProbe.prefix) { return true }
    let found =
      IndexPart.parse(fileName: name) ?? LayerName.parse(fileName: name)?.generation
      ?? (isPending(object) ? TenantManifest.parse(fileName: name) : nil)
    return found.map { $0 <= generation } ?? false
  }

  private func name(_ object: ListedObject) -> String {
    String(object.key.dropFirst(isPending(object) ? pending.count : directory.count))
  }
}

extension ListedObject {
  /// Whether this is the same object as another that had the key, as far as the store says it.
  func isSame(as other: ListedObject) -> Bool {
    byteCount == other.byteCount
      && (entityTag == nil || other.entityTag == nil || entityTag == other.entityTag)
  }
}

/// What a bucket holds of a tenant and a timeline before an import writes there.
struct BucketContents {
  let shards: [BucketShard]
  /// The objects of each shard's timeline.
  let objects: [[ListedObject]]
  /// Those of the timeline's receipts.
  let receipts: [ListedObject]

  /// Looks at what there is.
  ///
  /// Throws `.inUse` if there is an index of the timeline, or one waits, and it is not to be replaced,
  /// `.usage` if it is to be, but is not of a lower generation, `.damaged` if the tenant has other shards, or
  /// another stripe size.
  init(_ client: StoreClient, _ place: OutputPlace, _ options: BucketOptions) throws(Failure) {
    let root = client.location.keyPrefix
    shards = place.shards.ids.map { BucketShard($0, of: place, below: root) }
    try Self.requireSameTenant(client, place)
    if place.shards.isPartial { try Self.requireUnpublished(client, place) }
    var objects: [[ListedObject]] = []
    for shard in shards { objects.append(try shard.objects(client)) }
    self.objects = objects
    var receipts: [ListedObject] = []
    try client.list(
      root + ReceiptName.directory + "/"
        + ReceiptName.prefix(tenant: place.tenant, timeline: place.timeline)
    ) { receipts.append($0) }
    self.receipts = receipts
    if place.shards.isPartial {
      try requireNoneNewer(options, client)
      try requireSameManifest(place, options, client)
    } else {
      try requireFree(options, client)
    }
  }

  /// Without shard 0's index, those of other shards are what a run has left that was killed between the
  /// first index and the last: they are compared when this run writes its own.
  private func requireFree(_ options: BucketOptions, _ client: StoreClient) throws(Failure) {
    for (shard, objects) in zip(shards, objects) {
      let indexes = objects.compactMap { object in
        (shard.indexGeneration(object) ?? shard.pendingGeneration(object))
          .map { (object: object, generation: $0) }
      }
      guard let newest = indexes.max(by: { $0.generation < $1.generation }) else { continue }
      let isRemains =
        shard.shard.number > 0
        && indexes.allSatisfy { $0.generation == options.generation && !shard.isPending($0.object) }
        && !self.objects[0].contains { shards[0].isIndex($0) }
      if isRemains { continue }
      let url = client.url(of: newest.object.key)
      guard options.force else {
        throw shard.isPending(newest.object)
          ? Self.waits(url, isPartial: false) : Self.exists(url, isPartial: false)
      }
      guard options.generation > newest.generation else {
        throw Failure(
          .generationTooLow,
          "\(url.quoted) is of generation \(newest.generation), which an import for generation "
            + "\(options.generation) cannot replace",
          hint: newest.generation == .max
            ? "Import with another '--timeline-id'."
            : "In a bucket, '--force' needs a higher generation. Give '--generation "
              + "\(newest.generation + 1)'.")
      }
    }
  }

  /// Throws `.inUse` if any shard of the timeline has an index, also one that is not imported.
  private static func requireUnpublished(
    _ client: StoreClient, _ place: OutputPlace
  ) throws(Failure) {
    var published: String?
    for number in 0..<place.layout.count {
      let shard = BucketShard(
        ShardID(number, of: place.layout.count), of: place, below: client.location.keyPrefix)
      try client.list(shard.directory + IndexPart.filePrefix) { object in
        if shard.isIndex(object) { published = published ?? client.url(of: object.key) }
      }
      // Shard 0's makes the timeline.
      if number == 0, let published { throw exists(published, isPartial: true) }
    }
    guard let published else { return }
    throw Failure(
      .timelineBusy,
      "\(published.quoted) exists, and shard 0 has no index: the timeline is being published, or that "
        + "was interrupted",
      hint: "Run 'import-backup publish' for \(place.path.quoted) first. If an import of all "
        + "shards was interrupted instead, run that again.")
  }

  /// Throws `.usage` if an index of a higher generation waits to be published.
  private func requireNoneNewer(_ options: BucketOptions, _ client: StoreClient) throws(Failure) {
    for (shard, objects) in zip(shards, objects) {
      for object in objects {
        guard let generation = shard.pendingGeneration(object), generation > options.generation
        else { continue }
        throw Failure(
          .generationTooLow,
          "\(client.url(of: object.key).quoted), which is to be published, is of a higher generation "
            + "than \(options.generation)",
          hint: "Import all shards with '--generation \(generation)'.")
      }
    }
  }

  /// Throws `.damaged` if a manifest of this generation waits that says another stripe size: it is never
  /// replaced.
  private func requireSameManifest(
    _ place: OutputPlace, _ options: BucketOptions, _ client: StoreClient
  ) throws(Failure) {
    let body = StoredBody.bytes(TenantManifest(stripeSize: place.layout.stripeSize).encoded())
    for shard in shards {
      let key = shard.pending + TenantManifest.fileName(generation: options.generation)
      guard let status = try client.status(of: key), try !client.holds(body, at: key, status)
      else { continue }
      throw Failure(
        .stripeSizeDiffers,
        "\(client.url(of: key).quoted), which is to be published, says another stripe size than "
          + "\(place.layout.stripeSize)",
        hint: "Import with the '--stripe-size' of the other shards, or all shards with a higher "
          + "'--generation' than \(options.generation).")
    }
  }

  static func exists(_ url: String, isPartial: Bool) -> Failure {
    Failure(
      .timelineExists, "the timeline already exists: there is \(url.quoted)",
      hint: TimelineDirectory.existsHint(isPartial: isPartial) + " and a higher '--generation'.")
  }

  static func waits(_ url: String, isPartial: Bool) -> Failure {
    Failure(
      .timelineExists, "shards of another import wait to be published: there is \(url.quoted)",
      hint: isPartial
        ? "Import all shards from one backup, with the same new '--generation', above all that wait."
        : "Complete them with '--only-shards' and 'import-backup publish', or replace them with "
          + "'--force' and a higher '--generation'.")
  }

  /// As `OutputDirectories.requireSameTenant` does on disk.
  static func requireSameTenant(
    _ client: StoreClient, _ place: OutputPlace
  ) throws(Failure) {
    let tenants = StoredDirectory(client, at: client.location.keyPrefix + "tenants")
    for name in try tenants.names(beginningWith: place.tenant.description)
    where TenantDirectory.isOfOtherLayout(name, place) {
      throw TenantDirectory.layoutDiffers(place, tenants.path + "/" + name)
    }
    for shard in place.shards.ids {
      let name = shard.directoryName(ofTenant: place.tenant)
      let path = tenants.path + "/" + name
      try TenantDirectory.requireStripeSize(of: place, path) { () throws(Failure) in
        try TenantDirectory.stripeSize(of: name, in: tenants)
      } hasTimeline: { () throws(Failure) in
        let directory = name + "/timelines"
        for timeline in try tenants.names(in: directory) {
          let files = try tenants.names(in: directory + "/" + timeline)
          if files.contains(where: { IndexPart.parse(fileName: $0) != nil }) { return true }
        }
        return false
      }
    }
  }
}
