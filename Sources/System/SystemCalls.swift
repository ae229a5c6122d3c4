import Glibc
import PostgresFormat

/// The calls by which output is made durable, each but fsync and close tried again after EINTR, and
/// each failure turned into a `Failure` with the path and the system's reason.
///
/// All output goes through here. The tests make each of the calls fail from outside: a library
/// that is loaded before the program intercepts its calls of glibc. (Docs/reliability.md)
package enum SystemCalls {
  /// What a failed call was about to do, in the words of its message.
  package enum Operation: String {
    /// Operations that messages name by the case itself, unless `verb` has other words.
    case create, open, write, read, fsync, rename, mkdir, close, unlink, list, lock, give
    /// To find out the kind or the size of a file.
    case measure = "examine"
    /// To list a directory that is only read.
    case listInput

    /// The words after "cannot" in the message of a failure.
    package var verb: String {
      switch self {
      case .mkdir: "create directory"
      case .fsync: "make durable"
      case .unlink: "remove"
      case .give: "give away"
      case .listInput: Self.list.verb
      default: rawValue
      }
    }
  }

  /// The error of a call that has just failed with `reason`, an errno value.
  package static func failure(_ operation: Operation, _ path: String, _ reason: Int32) -> Failure {
    let message = "cannot \(operation.verb) \(path.quoted): \(describe(reason))"
    let code = code(of: operation, reason)
    return Failure(
      code, message,
      hint: code == .noSpace ? "Free space there, or choose another directory." : nil)
  }

  private static func code(of operation: Operation, _ reason: Int32) -> ErrorCode {
    if reason == ENOSPC || reason == EDQUOT { return .noSpace }
    return switch operation {
    case .create, .mkdir, .lock: .creating(reason)
    case .listInput: reason == EIO ? .readFailed : .opening(reason)
    case .measure: reason == EACCES ? .inputPermissionDenied : .readFailed
    case .open:
      switch reason {
      // A name that leads to nothing, or to a socket.
      case ENOENT, ENOTDIR, ELOOP, ENXIO: .missingFile
      case EIO: .readFailed
      default: .opening(reason)
      }
    case .read, .list: .readFailed
    case .write, .fsync, .rename, .close, .unlink, .give: .writing(reason)
    }
  }

  /// The system's words for an errno value.
  package static func describe(_ reason: Int32) -> String {
    // Invariant: strerror returns a valid C string for every number, and it is copied at once; on
    // Linux its buffer is the calling thread's own.
    unsafe String(cString: strerror(reason))
  }

  /// Calls until the result is not an EINTR, and throws what else it fails with.
  static func retrying<Result: SignedInteger>(
    _ operation: Operation, _ path: String, _ call: () -> Result
  ) throws(Failure) -> Result {
    while true {
      let result = call()
      if result >= 0 { return result }
      let reason = errno
      if reason != EINTR { throw failure(operation, path, reason) }
    }
  }

  /// Opens a file; messages call it by `name`, if its path is one that the user does not know.
  static func open(
    _ path: String, named name: String? = nil, _ flags: Int32, _ operation: Operation = .create,
    mode: mode_t = 0o644
  ) throws(Failure) -> Descriptor {
    let name = name ?? path
    return Descriptor(
      try retrying(operation, name) { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) },
      name: name)
  }

  /// Opens a directory to be locked, synced or listed.
  package static func openDirectory(
    _ path: String, _ operation: Operation = .create
  ) throws(Failure) -> Descriptor {
    try open(path, O_RDONLY | O_DIRECTORY, operation)
  }

  /// Opens a file for reading, and gives its length in bytes.
  ///
  /// A timeline has nothing but regular files: a FIFO would be waited for, and a link may lead to a
  /// file of somebody else. `followsLink` is for a path that the user named.
  ///
  /// - Throws: `.damaged` if there is none, or something else than a regular file.
  package static func openRegularFile(
    _ path: String, followsLink: Bool = false
  ) throws(Failure) -> (file: Descriptor, byteCount: UInt64) {
    let file: Descriptor
    do throws(Failure) {
      file = try open(path, regularFileFlags | (followsLink ? 0 : O_NOFOLLOW), .open)
    } catch {
      guard !followsLink, try status(at: path)?.kind == .symbolicLink else { throw error }
      throw isLink(path)
    }
    let status = try file.status()
    guard status.kind == .file else { throw notRegular(path) }
    return (file, status.byteCount)
  }

  /// Without waiting for a FIFO's other end, or becoming the owner of a terminal.
  private static let regularFileFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY

  /// The error of something that should be a file.
  package static func notRegular(_ path: String) -> Failure {
    Failure(.wrongFileType, "\(path.quoted) is not a regular file")
  }

  /// The error of a link in the place of a file.
  package static func isLink(_ path: String) -> Failure {
    Failure(
      .wrongFileType, "\(path.quoted) is a symbolic link",
      hint: "Links are not followed here. Put the file itself in the place of the link.")
  }

  /// The whole of a file that has at most `limit` bytes, opened likewise.
  package static func contents(
    of path: String, limit: Int, followsLink: Bool = false
  ) throws(Failure) -> [UInt8] {
    let (file, byteCount) = try openRegularFile(path, followsLink: followsLink)
    return try file.contents(byteCount, limit: limit, path: path)
  }

  /// Lets the process have as many files open as the system allows it to ask for.
  ///
  /// If that fails, opening one file too many reports it.
  package static func raiseOpenFileLimit() {
    var limit = rlimit()
    // Invariant: the structure is lent for the calls, which fill and read it.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Has a crash of the process leave no image of its memory, which may hold secrets.
  package static func forbidCoreDumps() {
    var limit = rlimit(rlim_cur: 0, rlim_max: 0)
    // Invariant: the structure is lent for the call, which reads it.
    unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
  }

  /// Renames a file; one that has the new name already is replaced in the same step.
  ///
  /// Durable only after the directory is synced.
  package static func rename(_ old: String, to new: String) throws(Failure) {
    _ = try retrying(.rename, old) { unsafe Glibc.rename(old, new) }
  }

  /// Removes a file; it is not an error if the file does not exist.
  package static func unlink(_ path: String) throws(Failure) {
    while unsafe Glibc.unlink(path) != 0 {
      let reason = errno
      if reason == ENOENT { return }
      if reason != EINTR { throw failure(.unlink, path, reason) }
    }
  }
}
