import Glibc
import PostgresFormat

/// A file that is being written, under its temporary name.
///
/// Closed once: by `makeDurable`, or, if an import ends before that, with the object.
package final class OutputFile: Sendable {
  /// Where the file is.
  package let path: String
  private let descriptor: Descriptor

  /// Creates the file, or empties one of that path; messages call it by `name`, if its path is one
  /// that the user does not know.
  package init(
    creating path: String, named name: String? = nil, mode: mode_t
  ) throws(Failure) {
    descriptor = try SystemCalls.open(
      path, named: name, O_RDWR | O_CREAT | O_TRUNC, mode: mode)
    self.path = path
  }

  /// Writes all of `bytes` at `offset`.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(Failure) {
    try descriptor.write(bytes, at: offset)
  }

  /// Fills `bytes` up to `count`; throws if the file ends before that.
  package func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) {
    guard try descriptor.read(into: &bytes, count: count, at: offset) == count else {
      throw Failure(
        .inputOutput, "cannot read \(path.quoted): it is shorter than when it was written")
    }
  }

  /// Makes all that was written durable, and closes the file.
  package func makeDurable() throws(Failure) {
    try descriptor.sync()
    try descriptor.close()
  }

  /// Closes a file that need not be durable.
  package func close() throws(Failure) { try descriptor.close() }

  /// Removes the name; what was written can be read as long as the file is open.
  package func unlink() throws(Failure) {
    try SystemCalls.unlink(path)
  }
}
