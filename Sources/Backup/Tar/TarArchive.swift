import CLibArchive
import Glibc
import Pipeline
import System

/// libarchive's tar reader over an `ArchiveInput`: headers, and blocks of contents as they are in
/// the input's buffers.
///
/// Knows libarchive's ways; what a sound archive is, `TarReader` decides. After an error it is not
/// called again.
@safe struct TarArchive: ~Copyable {
  /// A header as libarchive returns it.
  struct Header {
    /// The member as the header describes it, nothing checked.
    package var member: BackupMember

    /// The bytes of the contents that the archive stores; less than the member's size if it has
    /// holes.
    package var storedByteCount: UInt64
  }

  // Invariant: from archive_read_new, freed in `deinit` only. Its read callback gets `input`, which
  // lives as long.
  private let archive: OpaquePointer
  /// Where in the input the archive starts.
  private let start: UInt64
  private let input: ArchiveInput
  private let subject: String

  // Invariant: the rest of the block that archive_read_data_block gave last, in memory that stays
  // until the next call of libarchive; emptied before each.
  private var block: UnsafeRawBufferPointer

  /// Where in the member's contents the rest of the block belongs.
  private(set) var blockOffset: UInt64

  /// The longest name in bytes that a member may have: that of a path in Linux.
  private static let nameLimit = 4096

  /// Opens the archive that starts at `start` of the input, which reads its first block; `subject`
  /// names the input in messages.
  package init(_ input: ArchiveInput, at start: UInt64 = 0, subject: String) throws(Failure) {
    unsafe archive = try Self.open(input, subject: subject)
    self.start = start
    self.input = input
    self.subject = subject
    unsafe block = UnsafeRawBufferPointer(start: nil, count: 0)
    blockOffset = 0
  }

  private static func open(
    _ input: ArchiveInput, subject: String
  ) throws(Failure) -> OpaquePointer {
    guard let archive = unsafe archive_read_new() else {
      throw Failure(.outOfMemory, "cannot read \(subject): out of memory")
    }
    var result = unsafe archive_read_support_format_tar(archive)
    precondition(result == ARCHIVE_OK, "libarchive does not know tar")
    // Invariant: `input` outlives the archive, and the buffer it lends stays until the next call of
    // the callback, which is how long libarchive uses it.
    result = unsafe archive_read_open(
      archive, Unmanaged.passUnretained(input).toOpaque(), nil,
      { _, context, bytes in
        guard let context = unsafe context, let bytes = unsafe bytes else { return -1 }
        let input = unsafe Unmanaged<ArchiveInput>.fromOpaque(context).takeUnretainedValue()
        guard let (buffer, start) = input.nextOfArchive() else { return input.isAtEnd ? 0 : -1 }
        unsafe bytes.pointee = buffer.contents.baseAddress.map { unsafe $0 + start }
        return buffer.byteCount - start
      }, nil)
    if result == ARCHIVE_OK { return unsafe archive }
    unsafe archive_read_free(archive)
    throw input.failure
      ?? Failure(
        .notATar, "cannot read \(subject): it is not a tar archive",
        hint: "A backup is a tar, plain or compressed with gzip, lz4, xz or zstd.")
  }

  deinit {
    unsafe archive_read_free(archive)
  }

  /// The offset in the input up to which libarchive has taken the bytes.
  var byteOffset: UInt64 {
    start + UInt64(max(unsafe archive_filter_bytes(archive, 0), 0))
  }

  /// How much of the block is left to be copied.
  package var blockByteCount: Int {
    unsafe block.count
  }

  /// Goes to the next header, past the rest of the current member; nil if libarchive sees
  /// the archive's end, be it a mark or just the last byte.
  mutating func nextHeader() throws(Failure) -> Header? {
    unsafe block = UnsafeRawBufferPointer(start: nil, count: 0)
    var entry: OpaquePointer?
    input.beginHeader(at: byteOffset)
    let code = unsafe archive_read_next_header(archive, &entry)
    input.endHeader()
    guard try isUsable(code, reading: subject), let entry = unsafe entry else { return nil }

    guard let name = unsafe archive_entry_pathname(entry).map({ unsafe String(cString: $0) }),
      !name.isEmpty
    else { throw damaged("a member has no name", reading: subject) }
    guard name.utf8.count <= Self.nameLimit else {
      throw damaged(
        "the name of member \(String(decoding: name.utf8.prefix(64), as: UTF8.self).quoted)… has "
          + "\(name.utf8.count) bytes, more than \(Self.nameLimit)", reading: subject)
    }
    let claimed = unsafe archive_entry_size(entry)
    guard let byteCount = UInt64(exactly: claimed) else {
      throw damaged("member \(name.quoted) has a negative size", reading: subject)
    }
    var member = BackupMember(name: name, kind: .other, byteCount: byteCount)
    if let target = unsafe archive_entry_hardlink(entry) {
      member.kind = .hardLink
      member.linkTarget = unsafe String(cString: target)
    } else {
      switch unsafe archive_entry_filetype(entry) {
      case S_IFREG: member.kind = .file
      case S_IFDIR: member.kind = .directory
      case S_IFLNK: member.kind = .symbolicLink
      default: member.kind = .other
      }
      member.linkTarget = unsafe archive_entry_symlink(entry).map { unsafe String(cString: $0) }
    }
    let storedByteCount = unsafe storedByteCount(entry, of: byteCount)
    member.holeByteCount = byteCount - min(storedByteCount, byteCount)
    return Header(member: member, storedByteCount: storedByteCount)
  }

  /// Gets the next block of the member's contents; false at their end.
  ///
  /// Blocks come in the order in which they are stored; those of holes do not come.
  package mutating func nextBlock(of member: BackupMember) throws(Failure) -> Bool {
    unsafe block = UnsafeRawBufferPointer(start: nil, count: 0)
    var start: UnsafeRawPointer?
    var size = 0
    var offset: Int64 = 0
    let code = unsafe archive_read_data_block(archive, &start, &size, &offset)
    guard try isUsable(code, reading: member.subject) else { return false }
    // libarchive lets negative sizes of a damaged header through to here.
    guard size >= 0, let blockOffset = UInt64(exactly: offset) else {
      throw damaged("a block has an impossible size", reading: member.subject)
    }
    unsafe block = UnsafeRawBufferPointer(start: start, count: size)
    self.blockOffset = blockOffset
    return true
  }

  /// Copies the next `count` bytes of the block to `offset` in `buffer`; traps when either has
  /// less.
  mutating func copyBlock(
    into buffer: inout MutableRawSpan, at offset: Int, count: Int
  ) {
    let source = unsafe UnsafeRawBufferPointer(rebasing: block[..<count])
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + count])
        .copyMemory(from: source)
    }
    unsafe block = UnsafeRawBufferPointer(rebasing: block[count...])
    blockOffset += UInt64(count)
  }

  /// Takes as many units of `byteCount` bytes as the rest of the block has whole, `limit` at most.
  ///
  /// Returns their position in the input's buffer, which holds them as long as it is kept; nil
  /// if there is none, or libarchive has the bytes in memory of its own.
  mutating func borrowBlock(unitsOf byteCount: Int, limit: Int) -> (LentBuffer, Range<Int>)? {
    let count = min(blockByteCount / byteCount, limit) * byteCount
    guard count > 0, let buffer = input.current,
      let range = unsafe buffer.range(of: UnsafeRawBufferPointer(rebasing: block[..<count]))
    else { return nil }
    unsafe block = UnsafeRawBufferPointer(rebasing: block[count...])
    blockOffset += UInt64(count)
    return (buffer, range)
  }

  /// Goes over what the archive stores of the member beyond its contents.
  mutating func skipRest(of member: BackupMember) throws(Failure) {
    unsafe block = UnsafeRawBufferPointer(start: nil, count: 0)
    let code = unsafe archive_read_data_skip(archive)
    _ = try isUsable(code, reading: member.subject)
  }

  /// The sum of a sparse member's data, or all of its size.
  private func storedByteCount(_ entry: OpaquePointer, of byteCount: UInt64) -> UInt64 {
    guard unsafe archive_entry_sparse_reset(entry) > 0 else { return byteCount }
    var sum: UInt64 = 0
    var offset: Int64 = 0
    var length: Int64 = 0
    while unsafe archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK {
      sum &+= UInt64(max(length, 0))
    }
    return sum
  }

  /// The meaning of a return code: true for success, false for the end; the only place that checks.
  ///
  /// - A warning is damage (a negative size, a malformed or oversized attribute), but for one: a
  ///   name that the C locale cannot show, which libarchive then gives as it is. It alone has the
  ///   error number EILSEQ.
  /// - RETRY means a header whose checksum is wrong, which libarchive would step over.
  /// - FATAL means that the input failed, that it ended before the archive did, or damage.
  ///
  /// `subject` is put together only for an error: this is called for every member and block.
  ///
  /// Source: archive_read_support_format_tar.c of libarchive 3.6.2.
  private func isUsable(
    _ code: Int32, reading subject: @autoclosure () -> String
  ) throws(Failure) -> Bool {
    switch code {
    case ARCHIVE_OK:
      return true
    case ARCHIVE_EOF:
      return false
    case ARCHIVE_WARN where unsafe archive_errno(archive) == EILSEQ:
      return true
    default:
      if let failure = input.failure { throw failure }
      if input.isAtEnd { throw cutOff(reading: subject()) }
      let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
      throw damaged(text?.lowercased() ?? "libarchive error \(code)", reading: subject())
    }
  }

  /// The error for an input that ends before the archive does.
  func cutOff(reading subject: String) -> Failure {
    Failure(
      .backupTruncated,
      "cannot read \(subject): unexpected end of archive after \(input.byteCount) bytes",
      hint: "The backup was not written or copied completely.")
  }

  /// The error for an archive that contradicts itself.
  package func damaged(_ reason: String, reading subject: String) -> Failure {
    Failure(
      .archiveDamaged, "cannot read \(subject): damaged archive near byte \(byteOffset): \(reason)")
  }
}
