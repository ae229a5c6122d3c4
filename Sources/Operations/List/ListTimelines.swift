import ObjectStore
import System

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
    : try listOnDisk(options)
  list.seconds = (ContinuousClock.now - start) / .seconds(1)
  return list
}

private func listOnDisk(_ options: ListOptions) throws(Failure) -> TimelineList {
  let path: String
  do throws(Failure) {
    path = try SystemCalls.resolved(options.path)
    guard isDirectory(path) else {
      throw Failure(.cannotOpenInput, "\(options.path.quoted) is not a directory")
    }
  } catch {
    throw Failure(
      error.exitCode == .cannotOpen ? error.code : .inputNotFound, error.message,
      hint: "Give the directory that '--output' of an import names.")
  }
  var walk = TenantWalk()
  try walk.enter(try DirectoryHandle(path: path))
  return walk.list(path: path)
}
