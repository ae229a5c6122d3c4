import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// A timeline whose shards were written by several imports, and whose indexes are to be published.
///
/// ```
/// claim    each shard: its index, published or waiting (`PendingShards`)
/// check    no shard is missing; the indexes, the stripe sizes and the control files are the same, and the
///          tenant's manifest says this stripe size if there is one; every layer is there, of its size
/// publish  each shard: its manifest, if the tenant has none
///          the tenant's manifests say this stripe size
///          each shard, 0 last: its index
/// ```
///
/// It can be interrupted at any moment and done again.
package struct PendingTimeline {
  /// Names all shards: `DIR/tenants/TENANT/timelines/TIMELINE`.
  package let path: String
  /// The tenant's id.
  package let tenant: Identifier
  /// The timeline's id.
  package let timeline: Identifier
  /// How the tenant's keys are spread.
  package let layout: ShardLayout
  private let place: any PendingShards
  private let shards: [PendingShard]

  /// The generation of all indexes.
  package var generation: UInt32 { shards[0].generation }
  /// What all indexes say.
  package var metadata: IndexPart.Metadata { shards[0].index.metadata }
  /// How many layers all shards have.
  package var layerCount: Int { shards.reduce(0) { $0 + $1.index.layers.count } }
  /// The bytes of these layers.
  package var byteCount: UInt64 {
    shards.reduce(0) { $0 + $1.index.layers.values.reduce(0) { $0 + $1.fileSize } }
  }
  /// How many indexes are still to be published.
  package var pendingCount: Int { shards.count { !$0.isPublished } }
  /// What there is to say of the store once it is published; nil for nothing.
  package var weakness: String? { place.weakness }
  /// What `publish` could not remove although the timeline is complete, and how to; nil for nothing.
  package var leftover: String? { place.leftover }

  /// Claims and checks the shards of the timeline, or of the only one that a tenant has; `store` says how
  /// an object store is reached.
  ///
  /// Throws `.cannotOpen` if there is none, `.damaged` if a shard is missing, or not of the same import
  /// as the others, `.inUse` if an import is writing to one, `.usage` for a tenant of several.
  package init(_ given: TenantPath, _ store: StoreOptions) throws(Failure) {
    if StoreLocation.isMeant(by: given.root) {
      place = try PendingBucket(given, store)
    } else {
      place = try PendingDirectories(given)
    }
    tenant = given.tenant
    timeline = place.timeline
    path = "\(given.root)/\(tenant)/timelines/\(timeline)"
    var shards: [PendingShard] = []
    var missing: [ShardID] = []
    for number in 0..<place.count {
      let id = ShardID(number, of: place.count)
      if let shard = try place.claim(id) { shards.append(shard) } else { missing.append(id) }
    }
    guard missing.isEmpty else {
      throw Self.missing(missing, path, isBegun: shards.contains(where: \.isPublished))
    }
    self.shards = shards
    var sizes: [UInt32?] = []
    for shard in shards {
      var size = try place.pendingStripeSize(of: shard)
      if size == nil { size = try place.publishedStripeSize(of: shard.id) }
      sizes.append(size)
    }
    layout = ShardLayout(count: place.count, stripeSize: try TenantDirectory.only(of: sizes, path))
    try requireSame()
    try requireStripeSize()
    try requireLayers()
  }

  /// `isBegun` says whether others are published, as an import of all shards leaves them that was killed.
  private static func missing(_ shards: [ShardID], _ path: String, isBegun: Bool) -> Failure {
    let numbers = shards.map(\.number)
    let (are, them) = shards.count == 1 ? ("is", "it") : ("are", "them")
    return Failure(
      .shardMissing,
      "\(ShardID.words(numbers, of: shards[0].count)) \(are) missing in \(path.quoted): no import has "
        + "completed \(them)",
      hint: isBegun
        ? importAll
        : "Import \(them) with '--only-shards \(ShardID.list(numbers))', and publish the timeline again."
    )
  }

  /// What helps if some shards are published, and the others cannot be.
  private static let importAll =
    "Import all shards at once, without '--only-shards', with '--force' and a higher '--generation'."

  // MARK: Checks

  private func requireSame() throws(Failure) {
    var first: [UInt8] = []
    for shard in shards {
      guard shard.generation == generation else {
        throw differs(shard, "it is of generation \(shard.generation), not \(generation)")
      }
      guard shard.index.metadata == metadata else {
        let (own, others) = (metadata, shard.index.metadata)
        throw differs(
          shard,
          "it is of Postgres \(others.postgresVersion), LSN \(others.initdbLSN) to "
            + "\(others.diskConsistentLSN), not of Postgres \(own.postgresVersion), LSN \(own.initdbLSN) to "
            + "\(own.diskConsistentLSN)")
      }
      guard
        shard.index.layers.values.allSatisfy({
          $0.shard == shard.id.suffix && $0.generation == generation
        })
      else { throw differs(shard, "its index names layers of another shard or generation") }
      let control = try controlFile(of: shard)
      if shard.id.number == 0 { first = control }
      guard control == first else { throw differs(shard, "its control file is another cluster's") }
    }
  }

  private func differs(_ shard: PendingShard, _ how: String) -> Failure {
    Failure(
      .shardsDiffer,
      "\(shard.id.words) in \(path.quoted) differs from shard 0: \(how)",
      hint: shards.contains(where: \.isPublished)
        ? Self.importAll
        : "Import all shards from the same backup, with the same new '--generation', above "
          + "\(shards.map(\.generation).max() ?? generation).")
  }

  /// Throws `.damaged` if the tenant has a manifest with another stripe size.
  private func requireStripeSize() throws(Failure) {
    for shard in shards {
      guard let size = try place.publishedStripeSize(of: shard.id), size != layout.stripeSize else {
        continue
      }
      throw Failure(
        .stripeSizeDiffers,
        "the manifest of \(shard.id.words) of \(path.quoted) has a stripe size of \(size) pages, and the "
          + "shards that wait have \(layout.stripeSize)",
        hint: "Import all shards with '--stripe-size \(size)' and a higher '--generation' than "
          + "\(generation), or with another '--tenant-id'.")
    }
  }

  /// The control file that the last L0 of a shard holds.
  private func controlFile(of shard: PendingShard) throws(Failure) -> [UInt8] {
    let names = shard.index.layers.keys.compactMap { LayerName($0) }.filter(\.isLevel0)
    guard let last = names.max(by: { $0.lsns.lowerBound < $1.lsns.lowerBound }) else {
      throw differs(shard, "it has no L0 layer")
    }
    let file = try place.open(last, generation: generation, in: shard.id)
    var decoder = try StoredValueDecoder(file)
    guard let value = try decoder.value(of: Key(.controlFile)) else {
      throw file.failure("it has no control file")
    }
    return value
  }

  /// Throws `.damaged` unless every layer is there, of its size.
  private func requireLayers() throws(Failure) {
    for shard in shards {
      for (text, metadata) in shard.index.layers {
        try Interruption.check()
        let name = try shard.fileName(ofLayer: text, metadata)
        let byteCount = try place.byteCount(ofFile: name, in: shard.id)
        guard byteCount == metadata.fileSize else {
          throw Failure(
            .missingFile,
            "layer \((place.path(of: shard.id) + "/" + name).quoted) "
              + (byteCount == nil
                ? "is missing"
                : "does not have the \(metadata.fileSize) bytes that its index says"),
            hint: shards.contains(where: \.isPublished)
              ? Self.importAll
              : "Import shard \(shard.id.number) again, and publish the timeline again.")
        }
      }
    }
  }

  /// Publishes what is not published yet, shard 0's index last.
  package func publish() throws(Failure) {
    try place.publishManifests(shards)
    // Another import may have written one meanwhile.
    try requireStripeSize()
    try place.publishIndexes(shards)
  }
}
