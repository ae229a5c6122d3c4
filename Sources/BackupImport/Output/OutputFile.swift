import Glibc
import PostgresFormat
import Synchronization

/// A file that is being written, under its temporary name.
///
/// Closed once: by `makeDurable`, or, where an import ends before that, by `deinit`.
final class OutputFile: Sendable {
  let path: String
  private let descriptor: Int32
  private let isOpen = Atomic(true)

  /// Creates the file, or empties one of that name.
  init(creating path: String, mode: mode_t = 0o644) throws(ImportError) {
    descriptor = try SystemCalls.open(path, O_RDWR | O_CREAT | O_TRUNC, mode: mode)
    self.path = path
  }

  deinit {
    if isOpen.exchange(false, ordering: .relaxed) { _ = Glibc.close(descriptor) }
  }

  func write(_ bytes: RawSpan, at offset: UInt64) throws(ImportError) {
    try SystemCalls.write(bytes, to: descriptor, at: offset, path: path)
  }

  /// Fills `bytes` up to `count`; throws when the file ends before that.
  func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(ImportError) {
    let done = try SystemCalls.read(
      into: &bytes, count: count, from: descriptor, at: offset, path: path)
    guard done == count else {
      throw ImportError(
        .inputOutput, "cannot read \(path.quoted): it is shorter than what was written")
    }
  }

  /// Brings all that was written to the disk, and closes the file.
  func makeDurable() throws(ImportError) {
    try SystemCalls.fsync(descriptor, path: path)
    try close()
  }

  /// Closes a file that need not be durable.
  func close() throws(ImportError) {
    if isOpen.exchange(false, ordering: .relaxed) {
      try SystemCalls.close(descriptor, path: path)
    }
  }

  /// Removes the name; what was written can be read as long as the file is open.
  func unlink() throws(ImportError) {
    try SystemCalls.unlink(path)
  }
}
