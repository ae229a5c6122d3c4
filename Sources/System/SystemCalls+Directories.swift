import Glibc

/// The calls on directories: made, removed, listed, made durable.
extension SystemCalls {
  /// Makes a directory; false if the name already exists.
  static func makeDirectory(_ path: String, mode: mode_t) throws(Failure) -> Bool {
    while unsafe mkdir(path, mode) != 0 {
      let reason = errno
      if reason == EEXIST { return false }
      if reason != EINTR { throw failure(.mkdir, path, reason) }
    }
    return true
  }

  /// Removes a directory, which must be empty.
  package static func removeDirectory(_ path: String) throws(Failure) {
    _ = try retrying(.unlink, path) { unsafe rmdir(path) }
  }

  /// Makes a directory's entries durable.
  package static func syncDirectory(_ path: String) throws(Failure) {
    try openDirectory(path, .fsync).sync()
  }

  /// The directory that a path is in.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The names in a directory, sorted, without `.` and `..`.
  package static func names(
    in path: String, for operation: Operation = .list
  ) throws(Failure) -> [String] {
    var opened: OpaquePointer?
    repeat {
      unsafe opened = opendir(path)
    } while unsafe opened == nil && errno == EINTR
    guard let directory = unsafe opened else { throw failure(operation, path, errno) }
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      // Invariant: the entry is valid until the next readdir on this stream, which only this
      // function has; its name is a C string and is copied.
      guard let entry = unsafe readdir(directory) else {
        let reason = errno
        if reason == EINTR { continue }
        if reason != 0 { throw failure(operation, path, reason) }
        break
      }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
