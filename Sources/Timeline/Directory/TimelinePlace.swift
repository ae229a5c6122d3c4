import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// The directory that a person names: the path of one on disk, or `s3://BUCKET/PREFIX`.
///
/// Nothing is read of it yet, but what tells how a store is reached. Throws `.usage` if the URL, or what
/// the options say of the store, cannot be.
package func readableDirectory(
  at place: String, _ options: StoreOptions
) throws(Failure) -> any ReadableDirectory {
  guard StoreLocation.isMeant(by: place) else { return DiskDirectory(path: place) }
  return StoredDirectory(try StoreClient(try StoreLocation(place), options))
}

/// What results call that directory: the path from the root on, or the URL as it was given.
package func absolutePlace(_ place: String) -> String {
  StoreLocation.isMeant(by: place) ? place : SystemCalls.absolute(place)
}

/// Where the files of a timeline are: in one directory, or in one for each shard.
///
/// ```
/// GIVEN                                     FOUND
/// …/tenants/TENANT/timelines/TIMELINE       it, or …/tenants/TENANT-NNCC/timelines/TIMELINE of each shard
/// …/tenants/TENANT                          the same of the only timeline that is there
/// any other                                 it
/// ```
package struct TimelinePlace: Sendable {
  /// What messages and results call it: the directory, or for shards the path without their digits.
  package let path: String
  /// Has the files of all shards, each by its name there.
  package let directory: any ReadableDirectory
  /// How the tenant's keys are spread.
  package let layout: ShardLayout

  /// What comes before a file's name in `directory`, for each shard.
  let prefixes: [String]
  /// The numbers of the shards of which no manifest says the stripe size.
  package let shardsWithoutStripeSize: [Int]

  /// The files in one directory.
  package init(_ directory: any ReadableDirectory) {
    path = directory.path
    self.directory = directory
    layout = .unsharded
    prefixes = [""]
    shardsWithoutStripeSize = []
  }

  /// Finds the files of the timeline that a person names.
  ///
  /// Throws as `readableDirectory` does, and as listing a directory does; `.damaged` if a shard is
  /// missing, or they differ in their stripe size; `.usage` if a tenant has several timelines;
  /// `.unsupported` if one of its shards is named.
  package init(at place: String, _ options: StoreOptions) throws(Failure) {
    try TenantPath.requireNoShard(place)
    let search = try ShardSearch(place, options)
    if let search, let shards = try search.shards() {
      path = search.path
      directory = ShardedDirectory(search.tenants, shards.prefixes)
      layout = shards.layout
      prefixes = shards.prefixes
      shardsWithoutStripeSize = shards.withoutStripeSize
    } else {
      directory = try readableDirectory(at: search?.path ?? place, options)
      path = directory.path
      layout = .unsharded
      prefixes = [""]
      shardsWithoutStripeSize = []
    }
  }
}

/// The directories of all shards of a timeline as one, which is that of the tenants.
private struct ShardedDirectory: ReadableDirectory {
  private let tenants: any ReadableDirectory
  private let prefixes: [String]
  var path: String { tenants.path }

  init(_ tenants: any ReadableDirectory, _ prefixes: [String]) {
    self.tenants = tenants
    self.prefixes = prefixes
  }

  func names() throws(Failure) -> [String] {
    var names: [String] = []
    for prefix in prefixes {
      names += try tenants.names(in: String(prefix.dropLast())).map { prefix + $0 }
    }
    return names
  }

  func names(in name: String) throws(Failure) -> [String] { try tenants.names(in: name) }

  func open(_ name: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64) {
    try tenants.open(name)
  }
}

/// Looks for the shards of a timeline.
private struct ShardSearch {
  let tenants: any ReadableDirectory
  private let tenant: Identifier
  private let timeline: Identifier
  /// The path of the timeline, without the digits of a shard.
  let path: String

  /// Nil unless the place is that of a tenant or of its timeline.
  init?(_ place: String, _ options: StoreOptions) throws(Failure) {
    guard let given = TenantPath(place) else { return nil }
    tenant = given.tenant
    tenants = try readableDirectory(at: given.root, options)
    if let timeline = given.timeline {
      self.timeline = timeline
    } else {
      timeline = try given.only(of: try Self.timelines(of: tenant, in: tenants))
    }
    path = "\(given.root)/\(tenant)/timelines/\(timeline)"
  }

  /// The directories of a tenant: its own, or those of its shards.
  private static func directories(
    of tenant: Identifier, in tenants: any ReadableDirectory
  ) throws(Failure) -> [ShardID] {
    try tenants.names(beginningWith: tenant.description).compactMap { name in
      if name == tenant.description { return ShardID(0, of: 1) }
      guard name.utf8.count == 37, name.dropLast(4).hasSuffix("-") else { return nil }
      return ShardID(name.suffix(4))
    }
  }

  private static func timelines(
    of tenant: Identifier, in tenants: any ReadableDirectory
  ) throws(Failure) -> Set<String> {
    var found: Set<String> = []
    for shard in try directories(of: tenant, in: tenants) {
      let directory = shard.directoryName(ofTenant: tenant) + "/timelines"
      found.formUnion(try tenants.names(in: directory).filter { Identifier($0) != nil })
    }
    return found
  }

  /// The shards, if the timeline has several; nil if it has a directory of its own, or none.
  func shards() throws(Failure) -> (
    layout: ShardLayout, prefixes: [String], withoutStripeSize: [Int]
  )? {
    let directories: [ShardID]
    do throws(Failure) {
      directories = try Self.directories(of: tenant, in: tenants)
    } catch {
      // One may be allowed to read the timeline alone.
      guard error.code == .inputPermissionDenied else { throw error }
      return nil
    }
    guard let count = try count(of: directories), count > 1 else { return nil }
    var prefixes: [String] = []
    var stripeSizes: [UInt32?] = []
    for number in 0..<count {
      let shard = ShardID(number, of: count)
      let name = shard.directoryName(ofTenant: tenant)
      guard directories.contains(shard) else {
        throw Failure(
          .shardMissing,
          "\(shard.words) of \(path.quoted) is missing: there is no "
            + (tenants.path + "/" + name).quoted,
          hint: Timeline.missingShardHint)
      }
      prefixes.append("\(name)/timelines/\(timeline)/")
      stripeSizes.append(try TenantDirectory.manifest(of: name, in: tenants)?.stripeSize)
    }
    let stripeSize = try TenantDirectory.only(of: stripeSizes, path)
    let unknown = stripeSizes.indices.filter { stripeSizes[$0] == nil }
    return (ShardLayout(count: count, stripeSize: stripeSize), prefixes, unknown)
  }

  /// The highest number of shards that have the timeline, as a service takes it; nil if there are none.
  private func count(of directories: [ShardID]) throws(Failure) -> Int? {
    let counts = Set(directories.map(\.count)).sorted(by: >)
    guard counts.count > 1 else { return counts.first }
    for count in counts {
      for shard in directories where shard.count == count {
        let name = shard.directoryName(ofTenant: tenant) + "/timelines/\(timeline)"
        if try !tenants.names(in: name).isEmpty { return count }
      }
    }
    return nil
  }
}
