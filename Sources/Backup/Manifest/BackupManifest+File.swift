import PostgresFormat
import System

extension BackupManifest {
  /// Where the manifest in a directory lies; nil where there is none.
  package static func path(in directory: String) throws(Failure) -> String? {
    let path = directory + "/" + fileName
    return try SystemCalls.status(at: path) == nil ? nil : path
  }
}
