import ObjectStore
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
