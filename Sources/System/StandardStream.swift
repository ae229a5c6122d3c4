import Glibc

/// Standard output or standard error, written with `write(2)` and without a buffer, so that each
/// failure is reported by the call that caused it.
package struct StandardStream: Sendable {
  /// Standard output.
  package static let output = StandardStream(descriptor: STDOUT_FILENO, name: "standard output")
  /// Standard error.
  package static let error = StandardStream(descriptor: STDERR_FILENO, name: "standard error")

  private let descriptor: Int32
  private let name: String

  /// Whether the stream is a terminal.
  package var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Whether standard input is a terminal.
  package static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  /// Writes all of `text`; throws if the stream is closed or full, or its reader has exited.
  package func write(_ text: String) throws(Failure) {
    let failure = unsafe Array(text.utf8).withUnsafeBytes { bytes in
      unsafe writeAll(bytes)
    }
    if let failure {
      throw Failure(
        .writing(failure), "cannot write to \(name): \(unsafe String(cString: strerror(failure)))")
    }
  }

  /// Writes what can be written, and ignores errors: there is nowhere to report them.
  package func writeIfPossible(_ text: String) {
    try? write(text)
  }

  /// Whether the stream is a terminal that can rewrite a line.
  package var canRewriteLine: Bool { isTerminal && Environment["TERM"] != "dumb" }

  /// The width of the terminal in columns now; nil if this stream is not a terminal, or the terminal
  /// does not know it.
  package var windowColumns: Int? {
    var size = winsize()
    // Invariant: the structure is lent for the call, which fills it.
    let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
    return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
  }

  /// How wide text on this stream may be: `COLUMNS`, or the width of the terminal, or 80 columns.
  package var textColumns: Int {
    if let columns = Environment["COLUMNS"].flatMap({ Int($0) }), columns > 0 { return columns }
    return windowColumns ?? 80
  }

  /// Opens `/dev/null` for each standard stream that the program was started without, so that no
  /// file that it opens later gets the stream's number, and with it the program's messages.
  ///
  /// It fails as the missing stream would: input cannot be read, output cannot be written.
  package static func secureDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // `open` returns the lowest free number, which is this one.
      _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Returns the `errno` of the failure, or nil if everything was written.
  // Invariant: `bytes` outlives the call; nothing outside it is written.
  private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Int32? {
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
      let written = unsafe Glibc.write(
        descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written >= 0 {
        unsafe rest = rest.dropFirst(written)
      } else if errno == EAGAIN {
        // Another process made it non-blocking, as an ssh session may.
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&event, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }
}
