import ObjectStore
import System
import Timeline

/// What to list.
public struct ListOptions: Sendable {
  /// A directory with `tenants` in it, that directory, or one below it: of a tenant, of its
  /// timelines, of a timeline; on disk, or `s3://BUCKET/PREFIX`.
  public var path: String

  /// How the object store is reached that they are in.
  public var store = StoreOptions()

  /// Options for the timelines at or below `path`.
  public init(path: String) { self.path = path }
}

/// Lists the timelines at or below a directory.
///
/// Only reads: directories, the newest index of each timeline, and the sizes of its layers. In an object
/// store, the keys of everything below it are read, a request for each 1,000, and an index each. Links
/// are not followed, except for the path itself. A timeline that is damaged or cannot be read does
/// not keep the others from being listed. Throws if the directory itself cannot be read. Memory:
/// about 1 KiB a timeline, and, one timeline at a time, its index and the names in its directory.
public func listTimelines(_ options: ListOptions) throws(Failure) -> TimelineList {
  let start = ContinuousClock.now
  var list =
    StoreLocation.isMeant(by: options.path)
    ? try StoredTenantWalk.list(try StoreLocation(options.path), options.store)
    : try listOnDisk(options.path)
  // Who names one shard wants to see that one.
  let names = options.path.split(separator: "/").map(String.init)
  if !names.contains(where: { TenantName($0)?.shard != nil }) { list.joinShards() }
  list.seconds = (ContinuousClock.now - start) / .seconds(1)
  return list
}

private func listOnDisk(_ given: String) throws(Failure) -> TimelineList {
  // With shards, the path of a tenant or of its timeline is no directory.
  if !SystemCalls.exists(given), let place = TenantPath(given), isDirectory(place.root) {
    var list = try listOnDisk(place.root)
    list.timelines.removeAll { !place.names($0.tenantID, $0.timelineID) }
    if !list.timelines.isEmpty { return list }
  }
  let path: String
  do throws(Failure) {
    path = try SystemCalls.resolved(given)
    guard isDirectory(path) else {
      throw Failure(.cannotOpenInput, "\(given.quoted) is not a directory")
    }
  } catch {
    throw Failure(
      error.exitCode == .cannotOpen ? error.code : .inputNotFound, error.message,
      hint: "Give the directory that '--output' of an import names.")
  }
  return try TenantWalk(path).list
}
