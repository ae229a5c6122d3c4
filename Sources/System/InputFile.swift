import Glibc
import PostgresFormat

/// A file of a data directory, open for reading from its start.
package struct InputFile: Sendable {
  let descriptor: Descriptor

  /// A file by its descriptor, which it shares.
  package init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// Opens a regular file that the user named, be it by a link.
  package init(namedBy path: String) throws(Failure) {
    descriptor = try SystemCalls.openRegularFile(path, followsLink: true).file
  }

  /// Where the file is.
  package var path: String { descriptor.name }

  /// What the file is now.
  package func status() throws(Failure) -> FileStatus { try descriptor.status() }

  /// The first bytes of the file, at most `limit`.
  package func beginning(upTo limit: Int) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try descriptor.read(into: &bytes, count: limit, at: 0)
    return Array(bytes[..<count])
  }

  /// The whole of a file that has at most `limit` bytes.
  package func contents(limit: Int) throws(Failure) -> [UInt8] {
    let byteCount = try status().byteCount
    guard byteCount <= UInt64(limit) else {
      throw Failure(.fileTooLarge, "\(path.quoted) has \(byteCount) bytes, more than \(limit)")
    }
    var bytes = [UInt8](repeating: 0, count: Int(byteCount))
    let count = try read(into: &bytes, at: 0)
    bytes.removeSubrange(count...)
    return bytes
  }

  /// The first lines, up to `limit` of them, that are within the first 4 KiB; at least one, which may
  /// be empty.
  package func firstLines(_ limit: Int) throws(Failure) -> [String] {
    try beginning(upTo: 4096).split(
      separator: 0x0A, maxSplits: limit, omittingEmptySubsequences: false
    ).prefix(limit).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Fills `bytes` from `offset`; returns how many there were, fewer only at the file's end.
  package func read(into bytes: inout [UInt8], at offset: UInt64) throws(Failure) -> Int {
    try descriptor.read(into: &bytes, count: bytes.count, at: offset)
  }

  /// What the system is asked to get of a file before its turn; from this size on it is told as
  /// well that the file will be read from end to end, so that it reads further ahead by itself.
  private static let announcedByteCount = 1 << 20

  /// Has the system get the file's beginning in the background.
  ///
  /// Takes no time of its own: a disk that is asked for one small file after another only when the
  /// one before has been read spends most of the time waiting.
  package func announceReads(of byteCount: UInt64) {
    posix_fadvise(descriptor.number, 0, off_t(Self.announcedByteCount), POSIX_FADV_WILLNEED)
    if byteCount >= UInt64(Self.announcedByteCount) {
      posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_SEQUENTIAL)
    }
  }

  /// Copies the file to `target`, if there is one, sharing its blocks if the file system can; else the
  /// bytes go through `buffer`, and pages of zeros become holes. `observe` sees all bytes in any case,
  /// and `progress` counts them.
  package func copy(
    to target: OutputFile?, buffer: inout [UInt8], progress: InputProgress? = nil,
    observe: ((RawSpan) -> Void)? = nil
  ) throws(Failure) {
    let isShared = target?.shareBlocks(of: self) == true
    guard !isShared || observe != nil else {
      progress?.addBytesRead(Int(clamping: try status().byteCount))
      return
    }
    var done: UInt64 = 0
    while true {
      try Interruption.check()
      let count = try descriptor.read(into: &buffer, count: buffer.count, at: done)
      if count == 0 { break }
      let bytes = buffer.bytes.extracting(0..<count)
      observe?(bytes)
      if !isShared { try target?.writePages(bytes, at: done) }
      progress?.addBytesRead(count)
      done += UInt64(count)
    }
    if !isShared { try target?.setByteCount(done) }
  }

  /// Fills `buffer` from an offset; returns how many bytes the file has there.
  package func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(Failure) -> Int {
    var done = 0
    while done < buffer.byteCount {
      // Invariant: pread(2) writes at most the bytes that are left of the span.
      let count = try unsafe buffer.withUnsafeMutableBytes { bytes throws(Failure) in
        try SystemCalls.retrying(.read, path) {
          unsafe pread(
            descriptor.number, bytes.baseAddress! + done, bytes.count - done,
            off_t(offset) + off_t(done))
        }
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Appends up to `limit` of the next bytes, as many as one call gives; returns how many, 0 at the
  /// file's end.
  package func read(into output: inout OutputRawSpan, atMost limit: UInt64) throws(Failure) -> Int {
    let count = Int(min(limit, UInt64(output.freeCapacity)))
    // Invariant: read(2) writes at most `count` bytes, which are free after the initialised ones,
    // and says how many.
    return try unsafe output.withUnsafeMutableBytes {
      (buffer, initializedCount) throws(Failure) in
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
      let got = try SystemCalls.retrying(.read, path) {
        unsafe Glibc.read(descriptor.number, free.baseAddress, count)
      }
      initializedCount += got
      return got
    }
  }
}
