import Glibc
import PostgresFormat
import Synchronization

/// An open file, and the only owner of its descriptor: it is closed once, by `close` or with the object.
package final class Descriptor: Sendable {
  /// What system calls know it by; valid as long as the object lives and is not closed.
  package let number: Int32
  /// What messages call the file.
  package let name: String
  private let isOpen: Atomic<Bool>

  /// Takes over a descriptor that is open; messages call the file by `name`.
  ///
  /// One that is not owned, such as standard input, is left open.
  init(_ number: Int32, name: String, isOwned: Bool = true) {
    self.number = number
    self.name = name
    isOpen = Atomic(isOwned)
  }

  deinit {
    if isOpen.exchange(false, ordering: .relaxed) { _ = Glibc.close(number) }
  }

  /// Closes the file, unless that has been done.
  ///
  /// Linux releases the descriptor even if close(2) fails, so it is never tried again.
  package func close() throws(Failure) {
    guard isOpen.exchange(false, ordering: .relaxed) else { return }
    if Glibc.close(number) != 0 && errno != EINTR { throw SystemCalls.failure(.close, name, errno) }
  }

  /// Writes all of `bytes` at `offset`, however many calls it takes.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(Failure) {
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      done += try SystemCalls.retrying(.write, name) {
        // Invariant: the buffer is lent for the call, which reads no further than its count.
        unsafe rest.withUnsafeBytes { buffer in
          unsafe pwrite(number, buffer.baseAddress, buffer.count, off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// Fills `bytes` up to `count` from `offset`; returns how many bytes there were, fewer only at the
  /// file's end.
  package func read(
    into bytes: inout [UInt8], count: Int, at offset: UInt64
  ) throws(Failure) -> Int {
    precondition(count <= bytes.count)
    // Invariant: the array is lent for the call, and `count` does not exceed it.
    return try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Failure) in
      try unsafe read(
        into: UnsafeMutableRawBufferPointer(
          UnsafeMutableBufferPointer(rebasing: buffer[..<count])), at: offset)
    }
  }

  /// Fills a buffer from `offset`; returns how many bytes there were, fewer only at the file's end.
  @unsafe func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Failure) -> Int {
    var done = 0
    while done < buffer.count {
      let got = try SystemCalls.retrying(.read, name) {
        // Invariant: the call writes at most to the buffer's end.
        unsafe pread(
          number, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
      }
      if got == 0 { break }
      done += got
    }
    return done
  }

  /// Makes what was written durable.
  ///
  /// A failed fsync is final: what was not written may be marked clean, and the error is reported
  /// once, so a second call would only pretend. That holds for EINTR as well.
  package func sync() throws(Failure) {
    guard fsync(number) != 0 else { return }
    let reason = errno
    if reason == EINTR { try Interruption.check() }
    throw SystemCalls.failure(.fsync, name, reason)
  }

  /// What the file is now.
  package func status() throws(Failure) -> FileStatus {
    var status = stat()
    // Invariant: the structure is lent for the call, which fills it.
    _ = try SystemCalls.retrying(.measure, name) { unsafe fstat(number, &status) }
    return FileStatus(status)
  }

  /// Takes the file's lock; false if another process has it.
  ///
  /// Waits for those that only look at it (`isLocked`), 50 ms at most.
  package func lock() throws(Failure) -> Bool {
    var triesLeft = 5
    while flock(number, LOCK_EX | LOCK_NB) != 0 {
      let reason = errno
      if reason == EWOULDBLOCK {
        triesLeft -= 1
        if triesLeft == 0 { return false }
        usleep(12_500)
      } else if reason != EINTR {
        throw SystemCalls.failure(.lock, name, reason)
      }
    }
    return true
  }

  /// Whether another process has the file's lock: takes it for a moment, shared with others that
  /// look. False if that cannot be found out.
  func isLocked() -> Bool {
    while flock(number, LOCK_SH | LOCK_NB) != 0 {
      let reason = errno
      if reason != EINTR { return reason == EWOULDBLOCK }
    }
    flock(number, LOCK_UN)
    return false
  }
}

/// What the file system says of a file: enough to see that it has changed.
package struct FileStatus: Equatable, Sendable {
  /// What it is.
  package let kind: MemberKind
  /// Its length.
  package let byteCount: UInt64
  /// The number of the user that it belongs to.
  package let owner: UInt32
  private let device: dev_t
  private let inode: ino_t
  private let seconds: Int
  private let nanoseconds: Int

  init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    byteCount = UInt64(max(0, status.st_size))
    owner = status.st_uid
    device = status.st_dev
    inode = status.st_ino
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }

  /// Whether both are of one file, changed or not.
  package func isSameFile(as other: FileStatus) -> Bool {
    device == other.device && inode == other.inode
  }
}
