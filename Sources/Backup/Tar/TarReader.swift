import Pipeline
import Synchronization
import System

/// The members of a tar, read once from front to back, compressed or not.
///
/// A thread of its own reads and decompresses ahead. Whatever is not a sound, complete archive to
/// its last byte ends in an error; after one every later call throws it again. Memory is bounded by
/// the read-ahead's buffers and the decoder's window, whatever the archive claims. All calls come
/// from one thread at a time.
public final class TarReader: BackupSource {
  private let subject: String
  private let progress: InputProgress
  private let input: ArchiveInput
  private var archive: TarArchive

  private var latch = ErrorLatch()
  private var isAtEnd = false
  private let sizeLimit: SizeLimit?
  /// The holes of all members so far.
  private var holeByteCount: UInt64 = 0
  private var current: OpenMember?

  /// The member being read, and how far its contents were.
  private struct OpenMember {
    let header: TarArchive.Header

    /// The bytes given to the caller.
    var position: UInt64 = 0

    /// The end of the last block, below which no other may begin.
    var endOfLastBlock: UInt64 = 0

    /// The bytes of all blocks so far.
    var storedBytesSeen: UInt64 = 0

    /// Whether all blocks were seen, and they were as the header claims.
    var isComplete = false
  }

  /// Opens the backup at `path`, or standard input for `-`, and waits for its first bytes.
  ///
  /// Throws `.cannotOpen`, `.inputOutput` when reading fails, and `.damaged` when it is empty or no
  /// tar.
  public convenience init(path: String) throws(Failure) {
    try self.init(path: path, progress: InputProgress())
  }

  /// The same with `bufferCount` buffers of 1 MiB, those that `borrow` gives out included, until a
  /// `failure`; `progress` counts what is read. A tar that was `found` has to be a regular file. One
  /// that unpacks to more than `sizeLimit` allows ends in an error, before the file that is too large.
  package convenience init(
    path: String, _ origin: InputOrigin = .named, bufferCount: Int = ReadAhead.leastBufferCount,
    sizeLimit: SizeLimit? = nil, progress: InputProgress = InputProgress(),
    failure: FirstFailure = FirstFailure()
  ) throws(Failure) {
    let subject = inputSubject(path)
    try self.init(
      subject: subject, bufferCount: bufferCount, sizeLimit: sizeLimit, progress: progress,
      failure: failure
    ) { () throws(Failure) in
      let file = try FileSource(path: path, origin, progress: progress)
      if let byteCount = file.byteCount { progress.setInputByteCount(byteCount) }
      return try decompressed(
        file, subject: subject, path: path,
        hintIfEmpty: path == "-" ? "Check the output of the program that writes to the pipe." : nil,
        progress: progress, isCounted: true)
    }
  }

  /// Reads a backup from `source`, which messages call `name`.
  public convenience init(source: sending any ByteSource, name: String) throws(Failure) {
    let progress = InputProgress()
    let subject = name.quoted
    let handover = Mutex<(any ByteSource)?>(source)
    try self.init(
      subject: subject, bufferCount: ReadAhead.leastBufferCount, progress: progress
    ) { () throws(Failure) in
      guard let source = handover.withLock({ $0.take() }) else {
        preconditionFailure("a source is opened once")
      }
      return try decompressed(source, subject: subject, progress: progress)
    }
  }

  private convenience init(
    subject: String, bufferCount: Int, sizeLimit: SizeLimit? = nil, progress: InputProgress,
    failure: FirstFailure = FirstFailure(),
    open: @escaping @Sendable () throws(Failure) -> any ByteSource
  ) throws(Failure) {
    try self.init(
      try ReadAhead(bufferCount: bufferCount, failure: failure, open: open), subject: subject,
      sizeLimit: sizeLimit, progress: progress)
  }

  /// Reads a plain tar from `readAhead`; `subject` names it in messages.
  package init(
    _ readAhead: ReadAhead, subject: String, sizeLimit: SizeLimit? = nil,
    progress: InputProgress
  ) throws(Failure) {
    self.subject = subject
    self.progress = progress
    self.sizeLimit = sizeLimit
    input = ArchiveInput(readAhead, sizeLimit: sizeLimit)
    archive = try TarArchive(input, subject: subject)
  }

  /// The size of the input if it is a regular file, otherwise nil.
  public var inputByteCount: UInt64? { progress.inputByteCount }

  /// The bytes read from the input so far, compressed as they came; ahead of what was parsed.
  public var inputBytesRead: UInt64 { progress.inputBytesRead }

  /// Whether the input is a compressed stream.
  public var isCompressed: Bool { progress.isCompressed }

  /// Always true: a tar gives everything.
  package var givesPages: Bool { true }

  /// Goes to the next member, past the rest of the current one.
  ///
  /// Archives may follow one another, each complete with its end mark. Returns nil only after an end
  /// that was checked: the last archive's end mark is there, nothing but zeros follows it, and the
  /// compressed stream is complete.
  public func nextMember() throws(Failure) -> BackupMember? {
    try latch.run { () throws(Failure) in
      if isAtEnd { return nil }
      try finishMember()
      while true {
        let headerOffset = archive.byteOffset
        if let header = try archive.nextHeader() {
          let holes = header.member.holeByteCount
          try sizeLimit?.require(
            archive.byteOffset, header.storedByteCount, holeByteCount, holes)
          holeByteCount &+= holes
          current = OpenMember(header: header)
          return header.member
        }
        guard try beginNextArchive(after: headerOffset) else {
          isAtEnd = true
          sizeLimit?.use(input.byteCount &+ holeByteCount)
          return nil
        }
      }
    }
  }

  /// Fills `buffer` with the next bytes of the current member; holes give zeros.
  ///
  /// Returns how many: fewer than the buffer takes only at the member's end, and zero after it or
  /// without a member. Copies each byte once. Throws when the member ends before its claimed size.
  public func read(into buffer: inout MutableRawSpan) throws(Failure) -> Int {
    try latch.run { () throws(Failure) in try readMember(into: &buffer) }
  }

  /// Lends the next whole units of the current member, at most `limit`, without copying them.
  ///
  /// Returns nil if the next unit is not in one piece, or at the member's end. Throws as
  /// `read(into:)` does.
  package func borrow(
    unitsOf byteCount: Int, limit: Int
  ) throws(Failure) -> (LentBuffer, Range<Int>)? {
    try latch.run { () throws(Failure) in
      guard var member = current else { return nil }
      if archive.blockByteCount == 0 && !member.isComplete { try nextBlock(of: &member) }
      current = member
      guard archive.blockOffset == member.position,
        let (buffer, range) = archive.borrowBlock(unitsOf: byteCount, limit: limit)
      else { return nil }
      current?.position += UInt64(range.count)
      return (buffer, range)
    }
  }

  private func readMember(into buffer: inout MutableRawSpan) throws(Failure) -> Int {
    guard var member = current else { return 0 }
    let rest = member.header.member.byteCount - member.position
    let wanted = Int(min(UInt64(buffer.byteCount), rest))
    var filled = 0
    while filled < wanted {
      if archive.blockByteCount == 0 && !member.isComplete { try nextBlock(of: &member) }
      let count: Int
      if member.isComplete {
        count = wanted - filled
        buffer.clear(filled..<filled + count)
      } else if archive.blockOffset > member.position {
        count = Int(min(archive.blockOffset - member.position, UInt64(wanted - filled)))
        buffer.clear(filled..<filled + count)
      } else {
        count = min(archive.blockByteCount, wanted - filled)
        archive.copyBlock(into: &buffer, at: filled, count: count)
      }
      filled += count
      member.position += UInt64(count)
    }
    current = member
    return filled
  }

  /// Gets the next block, or completes the member; either must be as the header claims.
  private func nextBlock(of member: inout OpenMember) throws(Failure) {
    let header = member.header
    guard try archive.nextBlock(of: header.member) else {
      guard member.storedBytesSeen == header.storedByteCount else {
        throw archive.damaged(
          "its length differs from its header",
          reading: header.member.subject)
      }
      member.isComplete = true
      return
    }
    let size = UInt64(archive.blockByteCount)
    let (end, overflow) = archive.blockOffset.addingReportingOverflow(size)
    guard archive.blockOffset >= member.endOfLastBlock, !overflow, end <= header.member.byteCount
    else {
      throw archive.damaged("a block is outside the member", reading: header.member.subject)
    }
    member.endOfLastBlock = end
    member.storedBytesSeen += size
  }

  /// Reads the current member to its end, with its padding.
  private func finishMember() throws(Failure) {
    guard var member = current else { return }
    while !member.isComplete { try nextBlock(of: &member) }
    let end = archive.byteOffset
    try archive.skipRest(of: member.header.member)
    guard archive.byteOffset == end else {
      throw archive.damaged(
        "it has more data than its sparse map",
        reading: member.header.member.subject)
    }
    current = nil
  }

  /// Goes to the archive after one that ended at `offset`, where no header is; false if there is
  /// none.
  ///
  /// There must be the two blocks of zeros that end an archive, and after them nothing but zeros or
  /// another archive. libarchive says "end" at a missing mark and at half a one as well, and looks at
  /// nothing after it; told to go on with what follows, it would not miss the mark.
  private func beginNextArchive(after offset: UInt64) throws(Failure) -> Bool {
    switch try input.findNextArchive(after: offset) {
    case .end: return false
    case .cutOff: throw archive.cutOff(reading: subject)
    case .archive(let start):
      archive = try TarArchive(input, at: start, subject: subject)
      return true
    case .garbage:
      throw Failure(
        .trailingData,
        "cannot read \(subject): garbage after the end of the archive at byte \(offset)",
        hint: "The end of the backup was damaged, or something was appended to it. If pixz "
          + "compressed it, decompress it with 'pixz -d'.")
    }
  }
}
