import Glibc
import PostgresFormat

/// A pipe with a name, through which this program and another one talk.
///
/// This process has both of its ends open, so that no call waits for the other program to open it,
/// and the pipe outlives each of the other's uses. One thread at a time uses it.
package final class NamedPipe: Sendable {
  private let descriptor: Descriptor

  /// Creates the pipe; `mode` are its permissions, whatever the process's mask.
  ///
  /// - Throws: `.cannotCreate` if the path exists, or cannot be created.
  package init(creating path: String, mode: mode_t) throws(Failure) {
    _ = try SystemCalls.retrying(.create, path) { unsafe mkfifo(path, 0o600) }
    descriptor = try SystemCalls.open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW)
    _ = try SystemCalls.retrying(.give, path) { fchmod(descriptor.number, mode) }
  }

  /// Waits at most 200 ms for bytes, and appends those that have come to `bytes`.
  package func read(into bytes: inout [UInt8]) throws(Failure) {
    guard wait(for: POLLIN) else { return }
    var buffer = [UInt8](repeating: 0, count: 4096)
    // Invariant: the array is lent for the call, which writes at most its length.
    let count = unsafe Glibc.read(descriptor.number, &buffer, buffer.count)
    if count > 0 {
      bytes += buffer[..<count]
    } else if count < 0 && errno != EAGAIN && errno != EINTR {
      throw SystemCalls.failure(.read, descriptor.name, errno)
    }
  }

  /// Writes all of `bytes`, and calls `check` at least every 200 ms while nobody reads.
  package func write(
    _ bytes: RawSpan, check: () throws(Failure) -> Void
  ) throws(Failure) {
    var done = 0
    while done < bytes.byteCount {
      try check()
      guard wait(for: POLLOUT) else { continue }
      let rest = bytes.extracting(done..<bytes.byteCount)
      // Invariant: the buffer is lent for the call, which reads no further than its count.
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe Glibc.write(descriptor.number, buffer.baseAddress, buffer.count)
      }
      if count >= 0 {
        done += count
      } else if errno != EAGAIN && errno != EINTR {
        throw SystemCalls.failure(.write, descriptor.name, errno)
      }
    }
  }

  private func wait(for event: Int32) -> Bool {
    var polled = pollfd(fd: descriptor.number, events: Int16(event), revents: 0)
    // Invariant: one structure is lent for the call.
    return unsafe poll(&polled, 1, 200) > 0
  }
}
