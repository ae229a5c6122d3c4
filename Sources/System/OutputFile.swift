import Glibc
import Synchronization

/// A file that is being written, under its temporary name.
///
/// Closed once: by `makeDurable`, or, where an import ends before that, by `deinit`.
package final class OutputFile: Sendable {
  package let path: String
  /// What messages call it.
  private let name: String
  private let descriptor: Int32
  private let isOpen = Atomic(true)

  /// Creates the file, or empties one of that path; messages call it by `name`, where its path is
  /// none that a user knows.
  package init(
    creating path: String, named name: String? = nil, mode: mode_t
  ) throws(Failure) {
    let name = name ?? path
    descriptor = try SystemCalls.retrying(.create, name) {
      unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    }
    self.path = path
    self.name = name
  }

  deinit {
    if isOpen.exchange(false, ordering: .relaxed) { _ = Glibc.close(descriptor) }
  }

  package func write(_ bytes: RawSpan, at offset: UInt64) throws(Failure) {
    try SystemCalls.write(bytes, to: descriptor, at: offset, path: name)
  }

  /// Fills `bytes` up to `count`; throws when the file ends before that.
  package func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) {
    let done = try SystemCalls.read(
      into: &bytes, count: count, from: descriptor, at: offset, path: name)
    guard done == count else {
      throw Failure(
        .inputOutput, "cannot read \(path.quoted): it is shorter than when it was written")
    }
  }

  /// Brings all that was written to the disk, and closes the file.
  package func makeDurable() throws(Failure) {
    try SystemCalls.fsync(descriptor, path: name)
    try close()
  }

  /// Closes a file that need not be durable.
  package func close() throws(Failure) {
    if isOpen.exchange(false, ordering: .relaxed) {
      try SystemCalls.close(descriptor, path: name)
    }
  }

  /// Removes the name; what was written can be read as long as the file is open.
  package func unlink() throws(Failure) {
    try SystemCalls.unlink(path)
  }
}
