import CGlibc
import Glibc
import PostgresFormat

/// A file that is being written, under its temporary name, or without a name.
///
/// Closed once: by `makeDurable`, or, if an import ends before that, with the object.
package final class OutputFile: Sendable {
  /// Where the file is; of one without a name, what messages call it.
  package var path: String { directory.map { $0.path + "/" + name } ?? name }
  /// Its name in the directory.
  package let name: String
  /// Nil for a file without a name.
  private let directory: DirectoryHandle?
  private let descriptor: Descriptor
  /// What is told of every write; nil for nobody.
  private let reserve: SpaceReserve?

  /// Creates the file; messages call it by `shown`, if its path is one that the user does not know.
  ///
  /// - Parameters:
  ///   - owner: whom it is given to, if this program is root; nil for nobody else.
  ///   - reserve: the free space that has to be left there.
  /// - Throws: `.cannotCreate` if the name exists, whatever it is.
  package convenience init(
    creating name: String, in directory: DirectoryHandle, shown: String? = nil, mode: mode_t,
    owner: SystemUser? = nil, reserve: SpaceReserve? = nil
  ) throws(Failure) {
    self.init(
      try directory.createFile(name, shown: shown, mode: mode), name, in: directory,
      reserve: reserve)
    if let owner {
      try directory.give(DirectoryHandle.name(name), to: owner.id, owner.group)
    }
  }

  /// Takes over an open file that has this name in the directory.
  init(
    _ descriptor: Descriptor, _ name: String, in directory: DirectoryHandle?,
    reserve: SpaceReserve? = nil
  ) {
    self.descriptor = descriptor
    self.name = name
    self.directory = directory
    self.reserve = reserve
  }

  /// Creates a file without a name on a directory's file system: it goes with this object, however the
  /// program ends. Messages call it by `name`, which nothing there may have.
  ///
  /// Where the file system knows no such files (NFS), it has its name for a moment.
  package convenience init(
    unnamed name: String, on directory: DirectoryHandle, reserve: SpaceReserve
  ) throws(Failure) {
    let descriptor: Descriptor
    if let unnamed = try directory.createUnnamedFile(shown: name) {
      descriptor = unnamed
    } else {
      descriptor = try directory.createFile(name, mode: 0o600)
      try directory.remove(DirectoryHandle.name(name))
    }
    self.init(descriptor, directory.path + "/" + name, in: nil, reserve: reserve)
  }

  /// Creates a file in memory; messages call it by `name`. (memfd_create(2))
  package convenience init(inMemory name: String) throws(Failure) {
    // Invariant: the name is a C string for the call.
    let opened = try SystemCalls.retrying(.create, name) { unsafe memfd_create(name, 1) }
    self.init(Descriptor(opened, name: name), name, in: nil)
  }

  /// Creates the file at a path; throws likewise.
  package convenience init(
    creating path: String, mode: mode_t, reserve: SpaceReserve? = nil
  ) throws(Failure) {
    try self.init(
      creating: SystemCalls.name(of: path),
      in: DirectoryHandle(forWritingTo: SystemCalls.parent(of: path), named: path), mode: mode,
      reserve: reserve)
  }

  /// Writes all of `bytes` at `offset`.
  ///
  /// - Throws: `.inputOutput`, also if too little free space is left.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(Failure) {
    do throws(Failure) {
      try descriptor.write(bytes, at: offset)
    } catch {
      throw reserve?.explained(error) ?? error
    }
    try reserve?.didWrite(bytes.byteCount)
  }

  /// The bytes of a page, of which holes consist.
  private static let pageByteCount = 8192

  /// Writes `bytes` at `offset` of a new file, but for pages of zeros, which stay holes. Once all is
  /// written, `setByteCount` must follow: the last page may be a hole.
  package func writePages(_ bytes: RawSpan, at offset: UInt64) throws(Failure) {
    var start = 0  // of the pages that are still to be written
    for page in stride(from: 0, to: bytes.byteCount, by: Self.pageByteCount) {
      let end = min(page + Self.pageByteCount, bytes.byteCount)
      guard bytes.extracting(page..<end).isZero else { continue }
      if start < page {
        try write(bytes.extracting(start..<page), at: offset + UInt64(start))
      }
      start = end
    }
    if start < bytes.byteCount {
      try write(bytes.extracting(start..<bytes.byteCount), at: offset + UInt64(start))
    }
  }

  /// Sets the file's length.
  package func setByteCount(_ byteCount: UInt64) throws(Failure) {
    _ = try SystemCalls.retrying(.write, descriptor.name) {
      ftruncate(descriptor.number, off_t(byteCount))
    }
  }

  /// `FICLONE` of Linux: gives a file the blocks of another, which both share until one changes
  /// them. (`include/uapi/linux/fs.h`)
  private static let shareBlocks: UInt = 0x4004_9409

  /// Gives the file, which is empty, the contents of another one; false if the file system cannot.
  func shareBlocks(of source: InputFile) -> Bool {
    ioctl(descriptor.number, Self.shareBlocks, source.descriptor.number) == 0
  }

  /// Fills `bytes` up to `count`; throws if the file ends before that.
  package func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) {
    guard try descriptor.read(into: &bytes, count: count, at: offset) == count else {
      throw shortened
    }
  }

  /// Fills a buffer; throws if the file ends before that.
  @unsafe package func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Failure) {
    guard try unsafe descriptor.read(into: buffer, at: offset) == buffer.count else {
      throw shortened
    }
  }

  private var shortened: Failure {
    Failure(
      .writtenDataChanged, "cannot read \(path.quoted): it is shorter than when it was written")
  }

  /// Fills `bytes` from `offset` on; returns how many there were, fewer only at the file's end.
  package func read(into bytes: inout [UInt8], at offset: UInt64) throws(Failure) -> Int {
    try descriptor.read(into: &bytes, count: bytes.count, at: offset)
  }

  /// What the file is now.
  package func status() throws(Failure) -> FileStatus { try descriptor.status() }

  /// Makes all that was written durable, and closes the file.
  package func makeDurable() throws(Failure) {
    try descriptor.sync()
    try descriptor.close()
  }

  /// Closes a file that need not be durable.
  package func close() throws(Failure) { try descriptor.close() }

  /// Removes the name, if there is one; what was written can be read as long as the file is open.
  package func unlink() throws(Failure) {
    try directory?.remove(DirectoryHandle.name(name))
  }

  /// Gives the file another name in its directory, or in another one of the file system; one that has
  /// that name is replaced in the same step. Durable only after the directory is synced.
  package func rename(to new: String, in other: DirectoryHandle? = nil) throws(Failure) {
    try directory?.rename(name, to: new, in: other)
  }

  /// Gives the file another name in its directory, unless something has it: then it returns false.
  package func renameToFree(_ new: String) throws(Failure) -> Bool {
    try directory?.rename(name, toFree: new) ?? false
  }
}
