import Glibc

/// The calls on whole files that a scratch directory is made and removed by.
extension SystemCalls {
  /// The status of a path, without following links; nil if it does not exist.
  package static func status(
    at path: String, followingLinks: Bool = false
  ) throws(Failure) -> FileStatus? {
    var status = stat()
    // Invariant: the structure is lent for the call, which fills it.
    while unsafe (followingLinks ? stat(path, &status) : lstat(path, &status)) != 0 {
      let reason = errno
      if reason == ENOENT || reason == ENOTDIR { return nil }
      if reason != EINTR { throw failure(.measure, path, reason) }
    }
    return FileStatus(status)
  }

  /// Whether a path leads to something, links followed.
  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// The path without links and dots; throws if it does not exist.
  package static func resolved(_ path: String) throws(Failure) -> String {
    guard let resolved = unsafe realpath(path, nil) else { throw failure(.open, path, errno) }
    // Invariant: realpath gave memory of its own, which is copied and then freed.
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// What the symbolic link at `path` points to; nil if there is none.
  package static func linkTarget(of path: String) -> String? {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    // Invariant: the array is lent for the call, which writes no more than the count given.
    let count = unsafe readlink(path, &target, target.count - 1)
    guard count >= 0 else { return nil }
    return String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The path from the root on: a relative one is taken as below the working directory. Links and
  /// `..` stay; if the working directory has been removed, so does the path.
  package static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let directory = unsafe getcwd(nil, 0) else { return path }
    // Invariant: getcwd gave memory of its own, which is copied and then freed.
    defer { unsafe free(directory) }
    let names = path.split(separator: "/").filter { $0 != "." }
    let current = unsafe String(cString: directory)
    return ([current == "/" ? "" : current] + names.map(String.init)).joined(separator: "/")
  }

  /// Makes a directory that only its owner may enter; throws if the path already exists.
  package static func makePrivateDirectory(_ path: String) throws(Failure) {
    _ = try retrying(.mkdir, path) { unsafe mkdir(path, 0o700) }
  }

  /// Makes a symbolic link at `path`; throws if the path already exists.
  package static func makeLink(_ path: String, to target: String) throws(Failure) {
    _ = try retrying(.create, path) { unsafe symlink(target, path) }
  }

  /// Sets the permissions of the file at `path`, or of the file that a link there points to.
  package static func setMode(_ mode: mode_t, of path: String) throws(Failure) {
    _ = try retrying(.give, path) { unsafe chmod(path, mode) }
  }
}

/// The path of an input from the root on; `-` for standard input.
package func absoluteInput(_ path: String) -> String {
  path == "-" ? path : SystemCalls.absolute(path)
}

extension SystemCalls {
  /// The end of a file, at most `limit` bytes of it.
  package static func lastBytes(of path: String, limit: UInt64) throws(Failure) -> [UInt8] {
    let (file, byteCount) = try openRegularFile(path)
    var bytes = [UInt8](repeating: 0, count: Int(min(byteCount, limit)))
    let count = try file.read(
      into: &bytes, count: bytes.count, at: byteCount - UInt64(bytes.count))
    return Array(bytes[..<count])
  }
}
