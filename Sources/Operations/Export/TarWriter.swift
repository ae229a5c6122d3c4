import CLibArchive
import Glibc
import System

/// Writes a tar, member after member, through libarchive.
///
/// Plain ustar says all that there is to say: the longest name of a data directory has fewer than
/// 100 bytes, and no file of it more than 1 GiB. Owner and group are 0 and every member has the
/// same time, so that one timeline gives one tar. After an error it is not called again.
@safe
struct TarWriter: ~Copyable {
  // Invariant: both are made in `init` and freed in `deinit` only. The archive's write callback
  // gets `destination`, which lives as long.
  private let archive: OpaquePointer
  private let entry: OpaquePointer
  private let destination: FileDestination

  /// The current file's bytes that are still to come.
  private var remaining: UInt64 = 0
  private var isFinished = false

  private static let blockByteCount: Int32 = 1 << 20
  /// What 11 octal digits hold.
  private static let latestTime: Int64 = 0o777_7777_7777

  /// Begins a tar whose members have the time `time`, in seconds since 1970.
  init(_ destination: FileDestination, time: Int64) throws(Failure) {
    guard let entry = unsafe archive_entry_new() else { throw Self.outOfMemory }
    unsafe archive_entry_set_mtime(entry, Int(min(max(time, 0), Self.latestTime)), 0)
    do throws(Failure) {
      unsafe archive = try Self.open(destination)
    } catch {
      unsafe archive_entry_free(entry)
      throw error
    }
    unsafe self.entry = entry
    self.destination = destination
  }

  private static func open(_ destination: FileDestination) throws(Failure) -> OpaquePointer {
    guard let archive = unsafe archive_write_new() else { throw outOfMemory }
    unsafe archive_write_set_format_ustar(archive)
    unsafe archive_write_set_bytes_per_block(archive, blockByteCount)
    unsafe archive_write_set_bytes_in_last_block(archive, 1)
    // Invariant: `destination` outlives the archive, and the buffer is lent for the call.
    let result = unsafe archive_write_open(
      archive, Unmanaged.passUnretained(destination).toOpaque(), nil,
      { _, context, bytes, byteCount in
        guard let context = unsafe context, let bytes = unsafe bytes else { return -1 }
        let destination = unsafe Unmanaged<FileDestination>.fromOpaque(context)
          .takeUnretainedValue()
        let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: byteCount)
        return unsafe destination.write(buffer.bytes) ? byteCount : -1
      }, nil)
    guard result == ARCHIVE_OK else {
      unsafe archive_write_free(archive)
      throw outOfMemory
    }
    return unsafe archive
  }

  private static let outOfMemory = Failure(
    .outOfMemory, "cannot write the backup: out of memory")

  deinit {
    // Closing returns what `archive_write_open` took, also after an error; freeing alone, or
    // `archive_write_fail` before it, does not (libarchive's issue 1568). It would write the rest
    // of the tar as well.
    if !isFinished {
      destination.isAbandoned = true
      unsafe _ = archive_write_close(archive)
    }
    unsafe archive_entry_free(entry)
    unsafe _ = archive_write_free(archive)
  }

  /// Adds a directory.
  mutating func addDirectory(_ path: String, mode: UInt32 = 0o755) throws(Failure) {
    try beginMember(path, type: UInt32(S_IFDIR as mode_t), mode: mode, byteCount: 0)
  }

  /// Adds a file of exactly `byteCount` bytes, which `append` has to bring before the next member.
  mutating func beginFile(_ path: String, byteCount: UInt64) throws(Failure) {
    try beginMember(path, type: UInt32(S_IFREG as mode_t), mode: 0o600, byteCount: byteCount)
  }

  /// Adds a whole file.
  mutating func addFile(_ path: String, _ contents: [UInt8]) throws(Failure) {
    try beginFile(path, byteCount: UInt64(contents.count))
    try append(contents.bytes)
  }

  /// Adds the next bytes of the current file.
  mutating func append(_ bytes: RawSpan) throws(Failure) {
    precondition(bytes.byteCount <= remaining, "a file is as long as was said")
    remaining -= UInt64(bytes.byteCount)
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      // Invariant: the buffer is lent for the call, which reads no further than its count.
      let written = unsafe rest.withUnsafeBytes { buffer in
        unsafe archive_write_data(archive, buffer.baseAddress, buffer.count)
      }
      guard written > 0 else { throw failure() }
      done += written
    }
  }

  /// Writes the archive's end.
  mutating func finish() throws(Failure) {
    precondition(remaining == 0, "a file is as long as was said")
    isFinished = true
    try require(unsafe archive_write_close(archive))
  }

  private mutating func beginMember(
    _ path: String, type: UInt32, mode: UInt32, byteCount: UInt64
  ) throws(Failure) {
    precondition(remaining == 0, "a file is as long as was said")
    unsafe archive_entry_set_pathname(entry, path)
    unsafe archive_entry_set_filetype(entry, type)
    unsafe archive_entry_set_perm(entry, mode)
    unsafe archive_entry_set_size(entry, Int64(byteCount))
    try require(unsafe archive_write_header(archive, entry))
    remaining = byteCount
  }

  /// Anything but success ends the tar: a warning means that a header does not say what it should.
  private func require(_ code: Int32) throws(Failure) {
    if code != ARCHIVE_OK { throw failure() }
  }

  private func failure() -> Failure {
    if let failure = destination.failure { return failure }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    return Failure(.bug, "cannot write the tar: \(text ?? "libarchive gives no reason")")
  }
}
