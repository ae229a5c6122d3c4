import Glibc
import System

/// Standard output or standard error, written with `write(2)` alone: nothing is buffered, so every
/// failure shows at the call that it belongs to.
struct StandardStream: Sendable {
  static let output = StandardStream(descriptor: STDOUT_FILENO, name: "standard output")
  static let error = StandardStream(descriptor: STDERR_FILENO, name: "standard error")

  let descriptor: Int32
  let name: String

  /// Writes all of `text`, or throws: closed, full, or its reader gone.
  func write(_ text: String) throws(Failure) {
    let failure = unsafe Array(text.utf8).withUnsafeBytes { bytes in
      unsafe writeAll(bytes)
    }
    if let failure {
      throw Failure(
        .inputOutput, "cannot write to \(name): \(unsafe String(cString: strerror(failure)))")
    }
  }

  /// Writes what can be written: there is nowhere left to complain to.
  func writeIfPossible(_ text: String) {
    try? write(text)
  }

  /// How many columns the terminal has that this stream leads to; nil where it leads elsewhere, or
  /// to a terminal that cannot rewrite a line.
  var terminalColumns: Int? {
    guard isatty(descriptor) == 1, unsafe getenv("TERM").map({ unsafe strcmp($0, "dumb") }) != 0
    else { return nil }
    var size = winsize()
    let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
    return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Puts something in the place of standard streams that the program was started without, so that
  /// no file that it opens gets their numbers and, with them, its messages.
  ///
  /// What is put there fails as the missing stream would: input cannot be read, output not written.
  static func secureDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // The lowest number that is free is this one.
      _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Gives back the `errno` that ended the writing, or nil when all is written.
  // Invariant: `bytes` outlives the call; only what lies within it is written.
  private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Int32? {
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
      let written = unsafe Glibc.write(
        descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written >= 0 {
        unsafe rest = rest.dropFirst(written)
      } else if errno == EAGAIN {
        // Somebody else made it non-blocking, as an ssh session may.
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&event, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }
}
