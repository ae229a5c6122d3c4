import Pipeline
import System

/// The members of a backup, each once, from the first to the last: of a tar, or of a data
/// directory.
///
/// A source reads ahead in a thread of its own and bounds what it holds. All calls come from one
/// thread at a time; after an error every later call throws it again.
package protocol BackupSource: AnyObject {
  /// The number of bytes to read, if it is known from the start, otherwise nil.
  var inputByteCount: UInt64? { get }

  /// The bytes read so far, compressed as they came; ahead of what was given out.
  var inputBytesRead: UInt64 { get }

  /// Whether the input is a compressed stream.
  var isCompressed: Bool { get }

  /// Goes to the next member, skipping what is left of the last one; nil after the last member,
  /// when the whole input has been found to be sound.
  ///
  /// Waits for the input, and throws the error of a signal soon after it.
  func nextMember() throws(Failure) -> TarMember?

  /// Fills `buffer` with the next bytes of the current member.
  ///
  /// Returns how many: fewer than the buffer takes only at the member's end, and zero after it or
  /// without a member. Throws if the member does not have all the bytes that it claims.
  func read(into buffer: inout MutableRawSpan) throws(Failure) -> Int

  /// Lends the next bytes of the current member in the buffer that they were read into: whole units
  /// of `byteCount` bytes, `limit` at most.
  ///
  /// Returns nil if the next unit is not in one piece, for `read(into:)` to put it together. Only
  /// so many buffers exist: nothing more is read until one is released.
  func lend(
    unitsOf byteCount: Int, limit: Int
  ) throws(Failure) -> (LentBuffer, Range<Int>)?
}

/// Opens the backup at `path`, a data directory or a tar (`-` for one on standard input), and waits
/// for its first bytes.
///
/// - Parameters:
///   - bufferCount: the buffers of 1 MiB that hold what was read, those that `lend` gives out
///     included.
///   - contents: what is read of a directory; a tar gives all in any case.
///   - failure: what ends the wait for the input, if it is noted.
/// - Throws: as the sources do, and `.usage` if names of a directory are to be stripped.
package func openBackup(
  _ path: String, strippingComponents count: Int,
  bufferCount: Int = ReadAhead.leastBufferCount, contents: DirectoryContents = .stored,
  failure: FirstFailure = FirstFailure()
) throws(Failure) -> any BackupSource {
  guard isDirectory(path) else {
    return try TarReader(path: path, bufferCount: bufferCount, failure: failure)
  }
  guard count == 0 else {
    throw Failure(
      .usage, "'--strip-components' is for tars, but \(path.quoted) is a directory",
      hint: "Give the data directory itself, without '--strip-components'.")
  }
  return try DirectoryReader(
    path: path, bufferCount: bufferCount, contents: contents, failure: failure)
}

/// Whether the directory at `path` is a data directory, judged by its contents.
package func isDataDirectory(_ path: String) -> Bool {
  SystemCalls.exists(path + "/PG_VERSION")
}
