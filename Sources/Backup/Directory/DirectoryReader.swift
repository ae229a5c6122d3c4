import Pipeline
import System

/// The members of a data directory, in the order of `DirectoryWalk`.
///
/// A thread of its own walks and reads ahead, file after file, into the buffers of `ReadAhead`,
/// small files back to back. Memory: these buffers, and the names of the directories that are open.
final class DirectoryReader: BackupSource {
  private let progress: InputProgress
  private let readAhead: ReadAhead

  private var buffer: LentBuffer?
  /// How far the buffer has been used.
  private var position = 0

  private var latch = ErrorLatch()
  private var isAtEnd = false
  /// The bytes of the current member that the stream still holds.
  private var bytesLeft: UInt64 = 0

  /// Opens the data directory at `path`, and waits for its first bytes; `progress` counts what is
  /// read.
  ///
  /// Throws `.cannotOpen`, and `.unsupported` if a server is running in the directory, or more than
  /// `sizeLimit` is to be read.
  package init(
    path: String, bufferCount: Int = ReadAhead.leastBufferCount, contents: DirectoryContents,
    linked: [String: DirectoryHandle] = [:],
    sizeLimit: SizeLimit? = nil, report: ReportWhileReading? = nil,
    progress: InputProgress = InputProgress(), failure: FirstFailure = FirstFailure()
  ) throws(Failure) {
    self.progress = progress
    readAhead = try ReadAhead(bufferCount: bufferCount, failure: failure) { () throws(Failure) in
      try DirectorySource(
        path: path, contents: contents, linked: linked,
        sizeLimit: sizeLimit, report: report, progress: progress)
    }
    try refillIfEmpty()
  }

  /// The sizes of all files that are to be read.
  package var inputByteCount: UInt64? { progress.inputByteCount }
  /// The bytes that the reading thread has read so far, ahead of what was given out.
  package var inputBytesRead: UInt64 { progress.inputBytesRead }
  /// Always false: a directory's files are read as they are.
  package var isCompressed: Bool { false }
  /// False if pages were not asked for, and if the directory cannot be imported.
  package var givesPages: Bool { progress.givesPages }

  /// Skips what is left of the current member and returns the next; nil after the last one.
  ///
  /// Throws the first error of the reading thread, and the same error on every later call.
  package func nextMember() throws(Failure) -> BackupMember? {
    try latch.run { () throws(Failure) in
      while bytesLeft > 0 { bytesLeft -= UInt64(try advance(atMost: bytesLeft)) }
      try refillIfEmpty()
      if isAtEnd { return nil }
      let record = try MemberRecord { count throws(Failure) in try take(count) }
      if record.hasContents { bytesLeft = record.member.byteCount }
      return record.member
    }
  }

  /// Copies the next bytes of the current member to `buffer`; returns how many, 0 at its end.
  package func read(into buffer: inout MutableRawSpan) throws(Failure) -> Int {
    try latch.run { () throws(Failure) in
      let wanted = Int(min(UInt64(buffer.byteCount), bytesLeft))
      try copy(wanted, to: &buffer)
      bytesLeft -= UInt64(wanted)
      return wanted
    }
  }

  /// Lends the next whole units of the current member; nil if the next unit is in two buffers.
  package func borrow(
    unitsOf byteCount: Int, limit: Int
  ) throws(Failure) -> (LentBuffer, Range<Int>)? {
    try latch.run { () throws(Failure) in
      guard bytesLeft > 0 else { return nil }
      try refillIfEmpty()
      guard let buffer else { return nil }
      let piece = Int(min(UInt64(buffer.byteCount - position), bytesLeft))
      let count = min(piece / byteCount, limit) * byteCount
      guard count > 0 else { return nil }
      position += count
      bytesLeft -= UInt64(count)
      return (buffer, position - count..<position)
    }
  }

  /// The next `count` bytes of the stream.
  private func take(_ count: Int) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withMutableBytes { bytes throws(Failure) in try copy(count, to: &bytes) }
    return bytes
  }

  private func copy(_ count: Int, to target: inout MutableRawSpan) throws(Failure) {
    var done = 0
    while done < count {
      let part = try advance(atMost: UInt64(count - done))
      buffer?.withBytes { bytes in
        target.copy(bytes.extracting(position - part..<position), to: done)
      }
      done += part
    }
  }

  /// Goes over up to `limit` bytes that are in one buffer; returns how many, at least one.
  private func advance(atMost limit: UInt64) throws(Failure) -> Int {
    try refillIfEmpty()
    guard let buffer else { preconditionFailure("the stream ends within a record or a file") }
    let count = Int(min(limit, UInt64(buffer.byteCount - position)))
    position += count
    return count
  }

  /// Gets the next buffer when all of this one was used.
  private func refillIfEmpty() throws(Failure) {
    guard !isAtEnd, position == buffer?.byteCount ?? 0 else { return }
    buffer = nil
    buffer = try readAhead.next()
    position = 0
    isAtEnd = buffer == nil
  }
}
