import PostgresFormat

extension BackupManifest {
  /// Where the manifest in a directory lies; nil where there is none.
  static func path(in directory: String) throws(ImportError) -> String? {
    let path = directory + "/" + fileName
    return try SystemCalls.status(at: path) == nil ? nil : path
  }
}
