import Glibc

/// The calls by which output is made durable, each but fsync and close tried again after EINTR, and
/// each failure turned into an `Failure` with the path and the system's reason.
///
/// All output goes through here. The tests make each of the calls fail from outside: a library
/// that is loaded before the program intercepts its calls of glibc. (Docs/reliability.md)
package enum SystemCalls {
  /// What a failed call was about to do, in the words of its message.
  package enum Operation: String {
    case create, open, write, read, fsync, rename, mkdir, close, unlink, list, lock, give
    case measure = "examine"
    /// To list a directory that is only read.
    case listInput

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
    if reason == ENOSPC || reason == EDQUOT {
      return Failure(
        .inputOutput, message, hint: "Free space there, or choose another directory.")
    }
    switch operation {
    case .create, .mkdir, .lock:
      return Failure(reason == EIO ? .inputOutput : .cannotCreate, message)
    case .listInput: return Failure(reason == EIO ? .inputOutput : .cannotOpen, message)
    case .measure: return Failure(reason == EACCES ? .cannotOpen : .inputOutput, message)
    case .open:
      switch reason {
      case EIO: return Failure(.inputOutput, message)
      // A name that leads to nothing, or to a socket.
      case ENOENT, ENOTDIR, ELOOP, ENXIO: return Failure(.damaged, message)
      default: return Failure(.cannotOpen, message)
      }
    default: return Failure(.inputOutput, message)
    }
  }

  /// The system's words for an errno value.
  package static func describe(_ reason: Int32) -> String {
    // Invariant: strerror returns a valid C string for every number, and it is copied at once; on
    // Linux its buffer is the calling thread's own.
    unsafe String(cString: strerror(reason))
  }

  /// Calls until the result is not an EINTR, and throws what else it fails with.
  package static func retrying<Result: SignedInteger>(
    _ operation: Operation, _ path: String, _ call: () -> Result
  ) throws(Failure) -> Result {
    while true {
      let result = call()
      if result >= 0 { return result }
      let reason = errno
      if reason != EINTR { throw failure(operation, path, reason) }
    }
  }

  package static func open(
    _ path: String, _ flags: Int32, _ operation: Operation = .create, mode: mode_t = 0o644
  ) throws(Failure) -> Int32 {
    try retrying(operation, path) { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) }
  }

  /// Writes all of `bytes` at `offset`, however many calls it takes.
  package static func write(
    _ bytes: RawSpan, to descriptor: Int32, at offset: UInt64, path: String
  ) throws(Failure) {
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      done += try retrying(.write, path) {
        // Invariant: the buffer is lent for the call, which reads no further than its count.
        unsafe rest.withUnsafeBytes { buffer in
          unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// Fills all of `bytes` from `offset`; returns how many bytes there were, fewer only at the end.
  package static func read(
    into bytes: inout [UInt8], count: Int, from descriptor: Int32, at offset: UInt64, path: String
  ) throws(Failure) -> Int {
    precondition(count <= bytes.count)
    var done = 0
    while done < count {
      let got = try retrying(.read, path) {
        // Invariant: the buffer is lent for the call, which writes at most `count - done` bytes,
        // and `count` does not exceed the array's.
        unsafe bytes.withUnsafeMutableBytes { buffer in
          unsafe pread(
            descriptor, buffer.baseAddress! + done, count - done, off_t(offset) + off_t(done))
        }
      }
      if got == 0 { break }
      done += got
    }
    return done
  }

  /// Opens a file of a timeline for reading, and gives its length in bytes.
  ///
  /// Throws `.damaged` if there is none, or something else than a regular file: a timeline has
  /// nothing else, and a FIFO would be waited for.
  package static func openRegularFile(
    _ path: String
  ) throws(Failure) -> (descriptor: Int32, byteCount: UInt64) {
    let descriptor = try retrying(.open, path) { unsafe Glibc.open(path, regularFileFlags) }
    do throws(Failure) {
      var status = stat()
      // Invariant: the structure is lent for the call, which fills it.
      _ = try retrying(.measure, path) { unsafe fstat(descriptor, &status) }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw Failure(.damaged, "\(path.quoted) is not a regular file")
      }
      return (descriptor, UInt64(max(0, status.st_size)))
    } catch {
      _ = Glibc.close(descriptor)
      throw error
    }
  }

  /// Without waiting for a FIFO's other end, or becoming the owner of a terminal.
  private static let regularFileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY

  /// The whole of a file that has at most `limit` bytes.
  package static func contents(of path: String, limit: Int) throws(Failure) -> [UInt8] {
    let (descriptor, byteCount) = try openRegularFile(path)
    defer { _ = Glibc.close(descriptor) }
    guard byteCount <= UInt64(limit) else {
      throw Failure(.damaged, "\(path.quoted) has \(byteCount) bytes, more than \(limit)")
    }
    var bytes = [UInt8](repeating: 0, count: Int(byteCount))
    let count = try read(into: &bytes, count: bytes.count, from: descriptor, at: 0, path: path)
    bytes.removeSubrange(count...)
    return bytes
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

  /// A failed fsync is final: what was not written may be marked clean, and the error is told
  /// once, so a second call would only pretend. That holds for EINTR as well.
  package static func fsync(_ descriptor: Int32, path: String) throws(Failure) {
    if Glibc.fsync(descriptor) != 0 { throw failure(.fsync, path, errno) }
  }

  /// Linux releases the descriptor even where close(2) fails, so it is never retried.
  package static func close(_ descriptor: Int32, path: String) throws(Failure) {
    if Glibc.close(descriptor) != 0 && errno != EINTR { throw failure(.close, path, errno) }
  }

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
