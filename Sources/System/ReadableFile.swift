import PostgresFormat

/// A file that is read at any place: on disk, or in an object store.
package protocol ReadableFile: Sendable {
  /// Fills `bytes` up to `count` from `offset`; returns how many bytes there were, fewer only at the
  /// file's end.
  func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) -> Int

  /// How many bytes at once are worth a call, for who reads the file from end to end.
  var pieceByteCount: Int { get }
}

extension ReadableFile {
  /// The whole of a file of `byteCount` bytes, at most `limit`; messages call it by `path`.
  func contents(_ byteCount: UInt64, limit: Int, path: String) throws(Failure) -> [UInt8] {
    guard byteCount <= UInt64(limit) else {
      throw Failure(.fileTooLarge, "\(path.quoted) has \(byteCount) bytes, more than \(limit)")
    }
    var bytes = [UInt8](repeating: 0, count: Int(byteCount))
    let count = try read(into: &bytes, count: bytes.count, at: 0)
    bytes.removeSubrange(count...)
    return bytes
  }
}

extension Descriptor: ReadableFile {
  /// 128 KiB, which stay in the processor's cache.
  package var pieceByteCount: Int { 128 << 10 }
}

/// A directory whose files are read: on disk, or what begins with the same prefix in an object store.
package protocol ReadableDirectory: Sendable {
  /// What messages and results call it: a path, or a URL. The path of a file in it is this, a slash
  /// and its name.
  var path: String { get }

  /// The names of everything in it, sorted.
  func names() throws(Failure) -> [String]

  /// The names of everything in a directory below it, sorted; none if that does not exist.
  func names(in directory: String) throws(Failure) -> [String]

  /// The names that begin with a text, sorted; none if the directory does not exist.
  func names(beginningWith text: String) throws(Failure) -> [String]

  /// Opens a file for reading, by its name or its path from here on, and gives its length in bytes.
  ///
  /// Throws `.damaged` if there is none, or something else than a regular file.
  func open(_ name: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64)
}

extension ReadableDirectory {
  /// Those of `names` that begin with the text.
  package func names(beginningWith text: String) throws(Failure) -> [String] {
    try names().filter { $0.hasPrefix(text) }
  }

  /// The whole of a file that has at most `limit` bytes.
  package func contents(of name: String, limit: Int) throws(Failure) -> [UInt8] {
    let (file, byteCount) = try open(name)
    return try file.contents(byteCount, limit: limit, path: path + "/" + name)
  }
}

/// A directory on disk, which is looked up by its path each time.
package struct DiskDirectory: ReadableDirectory {
  /// The path as it was given.
  package let path: String

  /// The directory at a path, which need not exist.
  package init(path: String) { self.path = path }

  /// Throws `.cannotOpen` if it cannot be listed.
  package func names() throws(Failure) -> [String] {
    try SystemCalls.names(in: path, for: .listInput)
  }

  package func names(in directory: String) throws(Failure) -> [String] {
    let path = path + "/" + directory
    return try SystemCalls.exists(path) ? SystemCalls.names(in: path, for: .listInput) : []
  }

  package func names(beginningWith text: String) throws(Failure) -> [String] {
    try SystemCalls.exists(path) ? names().filter { $0.hasPrefix(text) } : []
  }

  /// Opens a file as `SystemCalls.openRegularFile` does.
  package func open(_ name: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64) {
    try SystemCalls.openRegularFile(path + "/" + name)
  }
}
