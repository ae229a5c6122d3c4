import Glibc

/// The calls on what is written from its beginning to its end: pipes and devices, whose readers may
/// let one wait for ever.
///
/// A signal does not end a write(2) or an open(2) that waits: it may be another thread's, and calls
/// are restarted after it. So these do not wait, and what waits for them looks for signals.
extension SystemCalls {
  /// How long a wait may last before a signal is looked for.
  private static let milliseconds: Int32 = 200

  /// Writes all of `bytes` to a stream, which messages call `subject`.
  static func append(
    _ bytes: RawSpan, to stream: Descriptor, _ subject: String
  ) throws(Failure) {
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      // Invariant: the buffer is lent for the call, which reads no further than its count.
      let written = unsafe rest.withUnsafeBytes { buffer in
        unsafe Glibc.write(stream.number, buffer.baseAddress, buffer.count)
      }
      if written >= 0 {
        done += written
      } else if errno == EAGAIN {
        var event = pollfd(fd: stream.number, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&event, 1, milliseconds)
      } else if errno != EINTR {
        throw Failure(.writing(errno), "cannot write \(subject): \(describe(errno))")
      }
      try Interruption.check()
    }
  }

  /// Opens a device, or a pipe by its name, to be written to; waits for the pipe's reader.
  static func openStream(_ path: String, isPipe: Bool) throws(Failure) -> Descriptor {
    while true {
      let descriptor = unsafe Glibc.open(path, streamFlags)
      if descriptor >= 0 { return Descriptor(descriptor, name: path) }
      let reason = errno
      if reason == ENXIO && isPipe {
        // There is nothing to wait for: a reader that comes is not told of.
        _ = poll(nil, 0, milliseconds)
      } else if reason != EINTR {
        throw failure(.create, path, reason)
      }
      try Interruption.check()
    }
  }

  /// Standard output; if it is a pipe, opened once more so that writing to it does not wait.
  ///
  /// Who shares the other one is not affected, as by a flag that is set on it.
  static func openStandardOutput() -> Descriptor {
    let name = "standard output"
    let inherited = Descriptor(STDOUT_FILENO, name: name, isOwned: false)
    var status = stat()
    // Invariant: the structure is lent for the call, which fills it.
    guard unsafe fstat(STDOUT_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      return inherited
    }
    let opened = unsafe Glibc.open("/proc/self/fd/\(STDOUT_FILENO)", streamFlags)
    return opened >= 0 ? Descriptor(opened, name: name) : inherited
  }

  private static let streamFlags = O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
}
