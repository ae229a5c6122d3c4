import PostgresFormat
import System

extension BackupManifest {
  /// The path of the manifest in a directory; nil if there is none.
  package static func path(in directory: String) throws(Failure) -> String? {
    let path = directory + "/" + fileName
    return try SystemCalls.status(at: path) == nil ? nil : path
  }
}
