import LayerFormat
import PostgresFormat
import System

/// Shards that wait to be published in directories, each of which is locked.
///
/// ```
/// DIR / tenants / TENANT-NNCC / timelines / TIMELINE     layers, and the index once it is published
///     / pending / TENANT-NNCC / TIMELINE                 manifest and index until then
/// ```
///
/// The names of what is published are durable before those of the next step.
final class PendingDirectories: PendingShards {
  /// The directories of a shard.
  private struct Shard {
    let timeline: DirectoryHandle
    let tenant: DirectoryHandle
    /// Where what is not published is; nil if there is nothing.
    let pending: DirectoryHandle?
  }

  let timeline: Identifier
  let count: Int
  var weakness: String? { nil }
  private(set) var leftover: String?
  private let tenant: Identifier
  private let tenants: DirectoryHandle
  /// `DIR/pending`; nil if there is none.
  private let pending: DirectoryHandle?
  /// Those that are claimed, by their numbers.
  private var shards: [Int: Shard] = [:]

  /// Looks for the timeline; throws as `PendingSearch` does.
  init(_ place: TenantPath) throws(Failure) {
    SystemCalls.raiseOpenFileLimit()
    tenant = place.tenant
    tenants = try Failure.ofGivenPath { () throws(Failure) in
      try DirectoryHandle(path: place.root)
    }
    pending = try DirectoryHandle(path: SystemCalls.parent(of: place.root)).existing(["pending"])
    var search = PendingSearch(place)
    for (directory, below) in [(pending, [String]()), (tenants, ["timelines"])] {
      guard let directory, !search.isDone else { continue }
      for name in try directory.names().map(DirectoryHandle.text) {
        try search.take(name) { () throws(Failure) in
          try directory.existing([name] + below)?.names().map(DirectoryHandle.text)
        }
      }
    }
    (timeline, count) = try search.result()
  }

  func claim(_ id: ShardID) throws(Failure) -> PendingShard? {
    let tenantName = id.directoryName(ofTenant: tenant)
    guard let tenant = try tenants.existing([tenantName]),
      let directory = try tenant.existing(["timelines", timeline.description])
    else { return nil }
    guard try directory.lock() else {
      throw Failure(
        .timelineBusy, "an import is writing to timeline directory \(directory.path.quoted)",
        hint: "Wait for it to end, and publish the timeline again.")
    }
    let pending = try pending?.existing([tenantName, timeline.description])
    shards[id.number] = Shard(timeline: directory, tenant: tenant, pending: pending)
    let published = try Self.newestIndex(in: directory)
    var newest = published
    if newest == nil, let pending { newest = try Self.newestIndex(in: pending) }
    guard let generation = newest else { return nil }
    let name = IndexPart.fileName(generation: generation)
    let place = published == nil ? pending ?? directory : directory
    let bytes = try place.openFile(DirectoryHandle.name(name)).contents(limit: Timeline.indexLimit)
    return try PendingShard(
      id, isPublished: published != nil, generation: generation, bytes,
      path: place.path + "/" + name)
  }

  private static func newestIndex(in directory: DirectoryHandle) throws(Failure) -> UInt32? {
    try directory.names().compactMap { IndexPart.parse(fileName: DirectoryHandle.text($0)) }.max()
  }

  /// A shard that is claimed.
  private func shard(_ id: ShardID) throws(Failure) -> Shard {
    guard let shard = shards[id.number] else {
      throw Failure(.bug, "shard \(id.number) was not claimed")
    }
    return shard
  }

  func path(of id: ShardID) -> String { shards[id.number]?.timeline.path ?? "" }

  func publishedStripeSize(of id: ShardID) throws(Failure) -> UInt32? {
    try TenantDirectory(try shard(id).tenant).stripeSize()
  }

  func pendingStripeSize(of shard: PendingShard) throws(Failure) -> UInt32? {
    try self.shard(shard.id).pending.map { TenantDirectory($0) }?.stripeSize()
  }

  func byteCount(ofFile name: String, in id: ShardID) throws(Failure) -> UInt64? {
    let status = try shard(id).timeline.status(of: DirectoryHandle.name(name))
    return status?.kind == .file ? status?.byteCount : nil
  }

  func open(_ name: LayerName, generation: UInt32, in id: ShardID) throws(Failure) -> LayerFile {
    try LayerFile(path: path(of: id) + "/" + name.fileName(generation: generation), name: name)
  }

  func publishManifests(_ shards: [PendingShard]) throws(Failure) {
    for shard in shards {
      let directories = try self.shard(shard.id)
      guard let pending = directories.pending else { continue }
      for name in try pending.names().map(DirectoryHandle.text) {
        guard TenantManifest.parse(fileName: name) != nil else { continue }
        if try TenantDirectory(directories.tenant).stripeSize() == nil {
          try pending.rename(name, to: name, in: directories.tenant)
        }
      }
      try directories.tenant.sync()
    }
  }

  func publishIndexes(_ shards: [PendingShard]) throws(Failure) {
    for shard in shards.reversed() where !shard.isPublished {
      try Interruption.check()
      let directories = try self.shard(shard.id)
      let name = IndexPart.fileName(generation: shard.generation)
      try directories.pending?.rename(name, to: name, in: directories.timeline)
      try directories.timeline.sync()
    }
    for shard in shards {
      do throws(Failure) {
        try removePending(of: shard.id)
      } catch {
        leftover =
          leftover ?? "the timeline is complete, but what waited in "
          + "\((pending?.path ?? "").quoted) could not be removed: \(error.message); remove it by "
          + "hand, or publish the timeline again once that is possible"
      }
    }
  }

  /// Removes what is left of a shard that is published.
  private func removePending(of id: ShardID) throws(Failure) {
    let tenantName = id.directoryName(ofTenant: tenant)
    guard let pending, let tenant = try pending.existing([tenantName]) else { return }
    if let remains = try shard(id).pending {
      for name in try remains.names() { try remains.remove(name) }
      try tenant.remove(DirectoryHandle.name(timeline.description), isDirectory: true)
    }
    // Another timeline of the tenant may wait as well, or come to wait meanwhile.
    if try tenant.names().isEmpty {
      do throws(Failure) {
        try pending.remove(DirectoryHandle.name(tenantName), isDirectory: true)
      } catch {
        if try tenant.names().isEmpty { throw error }
      }
    }
  }
}

extension DirectoryHandle {
  /// Opens a directory below this one; nil if it does not exist.
  fileprivate func existing(_ names: [String]) throws(Failure) -> DirectoryHandle? {
    var directory = self
    for name in names.map(DirectoryHandle.name) {
      guard try directory.status(of: name)?.kind == .directory else { return nil }
      directory = try directory.openDirectory(name)
    }
    return directory
  }
}
