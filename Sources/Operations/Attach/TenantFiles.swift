import LayerFormat
import ObjectStore
import PostgresFormat
import Service
import System
import Timeline

/// What a remote storage has of a tenant: its shards, and the timelines to be served.
///
/// Only manifests and indexes are read, and names.
struct TenantFiles {
  /// The tenant's id.
  let id: Identifier
  /// Its shards in order; one, if it is not sharded.
  let shards: [ShardName]
  /// How many consecutive blocks of a relation stay on one shard; nil if no manifest says it.
  let stripeSize: UInt32?
  /// Those that were asked for.
  private(set) var timelines: [TimelineFiles] = []
  /// The highest generation of any index of the tenant's: one that is attached below it does not see
  /// everything.
  private(set) var generation: UInt32 = 0
  /// Whether no pageserver has added a layer to any timeline of the tenant.
  private(set) var areAsImported = true
  /// The path or URL of the tenant, without the digits of a shard.
  let path: String

  /// Whether it has several shards.
  var isSharded: Bool { shards.count > 1 }

  /// Reads the tenant, or the one timeline, that is at a place; any of its shards may be named.
  ///
  /// Throws `.cannotOpen` if there is none, and `.damaged` if a shard, a layer or the stripe size is
  /// missing.
  init(_ place: String, _ options: StoreOptions) throws(Failure) {
    guard let given = try Self.tenantPath(place) else {
      throw Failure(
        .notATimeline, "\(place.quoted) is neither a tenant nor a timeline", hint: Self.placeHint)
    }
    id = given.tenant
    path = "\(given.root)/\(id)"
    let tenants = try readableDirectory(at: given.root, options)
    let ids = try Self.shards(of: id, in: tenants)
    guard !ids.isEmpty else {
      throw Failure(.notATimeline, "\(place.quoted) does not exist", hint: Self.placeHint)
    }
    let stripeSize = try Self.stripeSize(of: id, ids, in: tenants)
    self.stripeSize = stripeSize
    shards = ids.map { ShardName(tenant: given.tenant, $0, stripeSize: stripeSize ?? 0) }
    try readTimelines(given.timeline, in: tenants)
    guard !timelines.isEmpty else {
      throw Failure(
        .notATimeline, "\(place.quoted) has no '\(IndexPart.filePrefix)-…'",
        hint: "A timeline without an index is not complete. "
          + (isSharded ? Timeline.unpublishedHint : Self.placeHint))
    }
  }

  private static let placeHint =
    "Give the path or URL of a tenant or of a timeline: DIR/tenants/TENANT, or "
    + "DIR/tenants/TENANT/timelines/TIMELINE; 'import-backup list DIR' shows them."

  /// Takes a path or URL apart, after the links on a disk if that is needed.
  private static func tenantPath(_ place: String) throws(Failure) -> TenantPath? {
    if let found = TenantPath(TenantPath.withoutShard(absolutePlace(place))) { return found }
    if StoreLocation.isMeant(by: place) { return nil }
    return try Failure.ofGivenPath(hint: placeHint) { () throws(Failure) in
      TenantPath(TenantPath.withoutShard(try SystemCalls.resolved(place)))
    }
  }

  // MARK: Shards

  /// The shards of the highest count: those that were split are still there. A service chooses in the
  /// same way.
  private static func shards(
    of tenant: Identifier, in tenants: any ReadableDirectory
  ) throws(Failure) -> [ShardID] {
    let found = try tenants.names(beginningWith: "\(tenant)").compactMap { name in
      name == "\(tenant)" ? ShardID(0, of: 1) : ShardID(name.dropFirst("\(tenant)-".count))
    }
    guard let count = found.map(\.count).max() else { return [] }
    for number in 0..<count {
      let shard = ShardID(number, of: count)
      guard found.contains(shard) else {
        throw Failure(
          .shardMissing,
          "there is no \("\(tenants.path)/\(shard.directoryName(ofTenant: tenant))".quoted)",
          hint: Timeline.missingShardHint)
      }
    }
    return (0..<count).map { ShardID($0, of: count) }
  }

  /// The stripe size that the newest manifest of each shard says; nil if none does, and there is one
  /// shard.
  private static func stripeSize(
    of tenant: Identifier, _ shards: [ShardID], in tenants: any ReadableDirectory
  ) throws(Failure) -> UInt32? {
    var sizes: [UInt32?] = []
    for shard in shards {
      let directory = shard.directoryName(ofTenant: tenant)
      sizes.append(try TenantDirectory.manifest(of: directory, in: tenants)?.stripeSize)
    }
    let path = "\(tenants.path)/\(tenant)"
    if shards.count == 1 { return sizes[0] }
    let unknown = sizes.indices.filter { sizes[$0] == nil }
    guard unknown.isEmpty else {
      throw Failure(
        .stripeSizeUnknown,
        TenantDirectory.withoutStripeSize(unknown, of: shards.count, path),
        hint:
          "A service would take stripes of \(TenantManifest.stripeSizeIfUnknown) pages, and reads would "
          + "fail if the files have others. Copy the manifests. \(Timeline.unpublishedHint)")
    }
    return try TenantDirectory.only(of: sizes, path)
  }

  // MARK: Timelines

  private mutating func readTimelines(
    _ wanted: Identifier?, in tenants: any ReadableDirectory
  ) throws(Failure) {
    var indexes: [(id: Identifier, timelines: [Timeline])] = []
    for shard in shards {
      let parent = "\(shard.name)/timelines"
      for id in try tenants.names(in: parent).compactMap({ Identifier($0) }) {
        try Interruption.check()
        let directory = DirectoryBelow(parent: tenants, name: "\(parent)/\(id)")
        let generations = try directory.names().compactMap { IndexPart.parse(fileName: $0) }
        generation = max(generation, generations.max() ?? 0)
        guard !generations.isEmpty else { continue }
        let timeline = try Timeline(directory)
        areAsImported = areAsImported && timeline.isAsImported
        guard wanted == nil || wanted == id else { continue }
        if let place = indexes.firstIndex(where: { $0.id == id }) {
          indexes[place].timelines.append(timeline)
        } else {
          indexes.append((id, [timeline]))
        }
      }
    }
    for (id, shardTimelines) in indexes {
      // What is being deleted is not served, and keeps nothing else from it.
      if wanted == nil && shardTimelines.contains(where: { $0.index.deletedAt != nil }) { continue }
      timelines.append(try TimelineFiles(id, shardTimelines, shardCount: shards.count))
    }
  }
}

/// A directory below another one.
private struct DirectoryBelow: ReadableDirectory {
  let parent: any ReadableDirectory
  /// Its path from there.
  let name: String

  var path: String { parent.path + "/" + name }

  func names() throws(Failure) -> [String] { try parent.names(in: name) }

  func names(in directory: String) throws(Failure) -> [String] {
    try parent.names(in: name + "/" + directory)
  }

  func open(_ file: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64) {
    try parent.open(name + "/" + file)
  }
}

/// What a remote storage has of a timeline, in all shards.
struct TimelineFiles {
  /// The timeline's id.
  let id: Identifier
  /// The major version of Postgres.
  let postgresVersion: Int
  /// The LSN that the timeline begins at: the import LSN.
  let importLSN: LogSequenceNumber
  /// The end of the WAL in the files of each shard: where the next record starts.
  let endLSNs: [LogSequenceNumber]
  /// The highest of these.
  var endLSN: LogSequenceNumber { endLSNs.max() ?? importLSN }
  /// The highest generation of its indexes.
  let generation: UInt32
  /// Whether no pageserver has added a layer.
  let isAsImported: Bool
  /// How many L0s there are, in all shards.
  let l0LayerCount: Int

  fileprivate init(
    _ id: Identifier, _ shards: [Timeline], shardCount: Int
  ) throws(Failure) {
    self.id = id
    guard shards.count == shardCount else {
      throw Failure(
        .shardMissing, "only \(shards.count) of \(shardCount) shards have timeline '\(id)'",
        hint: "Copy the others to the remote storage.")
    }
    for shard in shards {
      try shard.requireAlive()
      if let layer = shard.missingLayers.first {
        throw Failure(
          .layerDamaged, "layer '\(layer.fileName)' of \(shard.path.quoted) is missing",
          hint: "Copy the timeline again.")
      }
      guard shard.index.diskConsistentLSN >= shard.index.metadata.initdbLSN else {
        throw Failure(.indexDamaged, "the index of \(shard.path.quoted) ends before it begins")
      }
    }
    let first = shards[0].index
    let isAsImported = shards.allSatisfy(\.isAsImported)
    // A pageserver writes each shard in its own time.
    guard
      shards.allSatisfy({ shard in
        shard.index.metadata.initdbLSN == first.metadata.initdbLSN
          && shard.index.metadata.postgresVersion == first.metadata.postgresVersion
          && (!isAsImported || shard.index.diskConsistentLSN == first.diskConsistentLSN)
      })
    else {
      throw Failure(
        .shardsDiffer, "the shards of timeline '\(id)' are of different imports",
        hint: "Copy all shards again, or import the backup again.")
    }
    postgresVersion = first.metadata.postgresVersion
    importLSN = first.metadata.initdbLSN
    endLSNs = shards.map(\.index.diskConsistentLSN)
    generation = shards.map(\.generation).max() ?? 0
    self.isAsImported = isAsImported
    l0LayerCount = shards.reduce(0) { $0 + $1.layers.count { $0.name.isLevel0 } }
  }
}
