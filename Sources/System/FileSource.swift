import Glibc
import PostgresFormat

/// The bytes of a file, a pipe or standard input, from its current position to its end.
///
/// Never seeks.
package final class FileSource: ByteSource {
  let descriptor: Descriptor
  let subject: String
  let progress: InputProgress
  /// The bytes that have been read.
  private(set) var readByteCount: UInt64 = 0

  /// The file's size when it was opened, if it is a regular one that is read from its start;
  /// otherwise nil.
  package private(set) var byteCount: UInt64?

  /// Opens `path`, or takes standard input for `-`. A pipe is made to hold as much as a read asks
  /// for, if it holds less and the system allows it. What is read is counted in `progress`.
  ///
  /// Throws `.cannotOpen` when there is no such file, it may not be read, or it is a directory.
  /// Blocks while `path` is a FIFO that nobody writes to. One that was `found` throws as
  /// `DirectoryHandle.openFound` does, and never blocks.
  package convenience init(
    path: String, _ origin: InputOrigin = .named, progress: InputProgress = InputProgress()
  ) throws(Failure) {
    switch origin {
    case .found: try self.init(InputFile(foundAt: path), progress: progress)
    case .named:
      let subject = inputSubject(path)
      try self.init(
        try Self.open(path, subject, progress), subject: subject, isAtStart: path != "-",
        progress: progress)
    }
  }

  /// The bytes of an open file, of which nothing has been read.
  package convenience init(
    _ file: InputFile, progress: InputProgress = InputProgress()
  ) throws(Failure) {
    try self.init(
      file.descriptor, subject: file.path.quoted, isAtStart: true, progress: progress)
  }

  private static func open(
    _ path: String, _ subject: String, _ progress: InputProgress
  ) throws(Failure) -> Descriptor {
    guard path != "-" else { return Descriptor(STDIN_FILENO, name: subject, isOwned: false) }
    var opened: Int32
    repeat {
      progress.setReading(true)
      opened = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
      progress.setReading(false)
    } while opened < 0 && errno == EINTR
    guard opened >= 0 else { throw Self.failure(path, errno) }
    return Descriptor(opened, name: path)
  }

  /// The error of a path that could not be opened for the reason `errno`.
  fileprivate static func failure(
    _ path: String, _ reason: Int32, option: String? = nil
  ) -> Failure {
    let code = ErrorCode.opening(reason)
    let hints = [
      code == .inputNotFound ? MissingPath.hint(reading: path) : nil,
      option.map { "Give a readable file with '\($0)'." },
    ].compactMap(\.self)
    return Failure(
      code, "cannot open \(path.quoted): \(SystemCalls.describe(reason))",
      hint: hints.isEmpty ? nil : hints.joined(separator: " "))
  }

  private init(
    _ descriptor: Descriptor, subject: String, isAtStart: Bool, progress: InputProgress
  ) throws(Failure) {
    self.descriptor = descriptor
    self.subject = subject
    self.progress = progress
    var status = stat()
    var result: Int32
    repeat {
      result = unsafe fstat(descriptor.number, &status)
    } while result != 0 && errno == EINTR
    guard result == 0 else {
      throw Failure(
        .opening(errno), "cannot open \(subject): \(SystemCalls.describe(errno))")
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      throw Failure(
        .opening(EISDIR), "cannot open \(subject): \(SystemCalls.describe(EISDIR))")
    case S_IFREG:
      if isAtStart { byteCount = UInt64(status.st_size) }
      posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_SEQUENTIAL)
    case S_IFIFO:
      Self.widenPipe(descriptor.number, to: Self.pipeByteCount)
    default:
      break
    }
  }

  /// Has a pipe hold `byteCount` bytes, unless it holds more or may not hold so many. (pipe(7))
  ///
  /// It holds 64 KiB unless told otherwise: its writer and this thread would wake each other
  /// sixteen times a buffer.
  static func widenPipe(_ descriptor: Int32, to byteCount: Int) {
    guard fcntl(descriptor, getPipeSize) < byteCount else { return }
    _ = fcntl(descriptor, setPipeSize, Int32(byteCount))
  }

  /// What a pipe is made to hold, and the least that is read of it at once: 1 MiB.
  package static let pipeByteCount = 1 << 20

  /// `F_SETPIPE_SZ` and `F_GETPIPE_SZ`, which Swift's module of glibc leaves out. (Linux,
  /// `include/uapi/linux/fcntl.h`)
  private static let setPipeSize: Int32 = 1024 + 7
  static let getPipeSize: Int32 = 1024 + 8

  /// Reads until `output` is full or the file ends; throws `.inputOutput` when read(2) fails.
  package func fill(_ output: inout OutputRawSpan) throws(Failure) {
    while true {
      let count = try unsafe Self.read(into: &output, subject, progress) { buffer in
        unsafe Glibc.read(descriptor.number, buffer.baseAddress, buffer.count)
      }
      guard let count else { return }
      progress.addBytesRead(count)
      readByteCount += UInt64(count)
    }
  }

  /// Appends what one `call` of a kind of read(2) gives, and returns how many bytes that was, 0 if it
  /// was interrupted; nil if `output` is full or the file has ended.
  static func read(
    into output: inout OutputRawSpan, _ subject: String, _ progress: InputProgress,
    _ call: (UnsafeMutableRawBufferPointer) -> Int
  ) throws(Failure) -> Int? {
    if output.isFull { return nil }
    // Invariant: the call writes at most the free bytes after the initialised ones, and says how many.
    let count = unsafe output.withUnsafeMutableBytes { buffer, initializedCount in
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
      progress.setReading(true)
      let count = unsafe call(free)
      progress.setReading(false)
      initializedCount += max(count, 0)
      return count
    }
    if count == 0 { return nil }
    let reason = errno
    if count < 0 && reason != EINTR {
      throw Failure(.readFailed, "cannot read \(subject): \(SystemCalls.describe(reason))")
    }
    return max(count, 0)
  }
}

/// Who says where an input is.
package enum InputOrigin: Sendable {
  /// The user named it, and may name a pipe, or a link to anything.
  case named
  /// This program found it in a directory that somebody else may have filled: it has to be a regular
  /// file of that directory's owner.
  case found
}

/// Refuses a file, which an option names, that cannot be read, without opening it: what a pipe
/// gives, it gives once.
///
/// - Throws: `.cannotOpen`, with a hint that names the option.
package func requireReadable(_ path: String, option: String? = nil) throws(Failure) {
  let reason = isDirectory(path) ? EISDIR : unsafe access(path, R_OK) == 0 ? 0 : errno
  guard reason == 0 else { throw FileSource.failure(path, reason, option: option) }
}

/// How messages call the input at `path`.
package func inputSubject(_ path: String) -> String {
  path == "-" ? "standard input" : path.quoted
}

/// Whether a directory is at `path`, be it by a link.
package func isDirectory(_ path: String) -> Bool {
  guard path != "-" else { return false }
  var status = stat()
  // Invariant: the path is a C string for the call, which fills the structure.
  return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// A stage that gives bytes in order: a file, or what a decompressor makes of one.
///
/// One owner at a time calls it, from whichever thread. After an error or the end it gives nothing
/// more: it is not called again.
public protocol ByteSource: AnyObject {
  /// Appends bytes to `output` until it is full or the source has no more.
  ///
  /// May block. A source that leaves room in `output` is at its end, and one that appends nothing
  /// was there before; every check that its end allows (length, checksum, completeness) has passed
  /// by then.
  func fill(_ output: inout OutputRawSpan) throws(Failure)
}
