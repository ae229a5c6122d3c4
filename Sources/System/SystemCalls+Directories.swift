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

  /// The path itself if it exists, or the nearest directory above it that does.
  package static func nearestExisting(_ path: String) -> String {
    var path = path
    while !exists(path), path != ".", path != "/" { path = parent(of: path) }
    return path
  }

  /// Throws as making a directory in `path` would, if it is not a directory, or may not be written to.
  package static func requireWritable(_ path: String) throws(Failure) {
    guard isDirectory(path) else { throw failure(.mkdir, path, ENOTDIR) }
    // Invariant: the path is a C string for the call.
    guard unsafe access(path, W_OK | X_OK) == 0 else { throw failure(.mkdir, path, errno) }
  }

  /// The last name of a path.
  package static func name(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
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

/// The directories that were made on the way to one, so that they can be taken away again.
package struct MadeDirectories {
  /// The outermost first.
  package private(set) var paths: [String] = []

  /// None yet.
  package init() {}

  /// Every directory on the way to `path`, the outermost first and `path` itself last.
  package static func chain(to path: String) -> [String] {
    var prefix = path.hasPrefix("/") ? "/" : ""
    return path.split(separator: "/").map { component in
      prefix += prefix.isEmpty || prefix.hasSuffix("/") ? component : "/" + component
      return prefix
    }
  }

  /// Makes what is not there on the way to `path`, the output of an import or what is beside it; the last
  /// `privateCount` of it are for their owner alone.
  package mutating func make(_ path: String, privateCount: Int = 0) throws(Failure) {
    let chain = Self.chain(to: path)
    for (index, directory) in chain.enumerated() {
      let mode: mode_t = index >= chain.count - privateCount ? 0o700 : 0o755
      do throws(Failure) {
        if try SystemCalls.makeDirectory(directory, mode: mode) { paths.append(directory) }
      } catch {
        var error = error
        error.hint =
          error.hint
          ?? "Create it for the user who runs the import, or choose another directory with '--output'."
        throw error
      }
    }
  }

  /// Makes their names durable.
  package func sync() throws(Failure) {
    for path in paths { try SystemCalls.syncDirectory(SystemCalls.parent(of: path)) }
  }

  /// Removes those that hold nothing, as far as that is possible.
  package mutating func remove() {
    for directory in paths.reversed() { unsafe _ = rmdir(directory) }
    paths = []
  }
}

/// Asks the output's file system for room before anything is written.
package enum FreeSpace {
  /// The bytes that an import of this size needs at the very least.
  ///
  /// Meant to be too low, so that nothing that would fit is refused: a sixteenth of a plain tar,
  /// as pages shrink to a tenth at best and some of a backup is left out; half of a compressed
  /// one, as pages that are compressed one by one take more room than a whole stream.
  package static func leastNeeded(inputByteCount: UInt64, isCompressed: Bool, level: Int32)
    -> UInt64
  {
    if isCompressed { return inputByteCount / 2 }
    return level == 0 ? inputByteCount / 4 : inputByteCount / 16
  }

  /// Throws `.inputOutput` if the file system of `path` has clearly too little room.
  ///
  /// - Parameters:
  ///   - purpose: what needs the room.
  ///   - option: by which option another place is chosen.
  package static func require(
    _ byteCount: UInt64, at path: String, purpose: String = "the import",
    option: String = "--output"
  ) throws(Failure) {
    var status = statvfs()
    // Invariant: the structure is lent for the call, which fills it.
    _ = try SystemCalls.retrying(.measure, path) { unsafe statvfs(path, &status) }
    let (free, overflows) = UInt64(status.f_bavail)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard overflows || free >= byteCount else {
      throw Failure(
        .noSpace,
        "the file system of \(path.quoted) has \(free >> 20) MiB free, and \(purpose) needs at least "
          + "\(byteCount >> 20) MiB",
        hint: "Free space there, or choose another \(option) directory.")
    }
  }
}
