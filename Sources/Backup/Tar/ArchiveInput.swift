import Pipeline
import System

/// The plain bytes of the archive, buffer after buffer, as libarchive asks for them.
///
/// Remembers what libarchive does not report: why reading failed, and whether the archive ended too
/// early; and finds the archive that follows another one, at which libarchive does not look.
final class ArchiveInput {
  private let readAhead: ReadAhead
  private let sizeLimit: SizeLimit?

  /// The buffer that libarchive has, for as long as it does not ask for the next one.
  package private(set) var current: LentBuffer?

  /// Why the last buffer could not be had.
  package private(set) var failure: Failure?

  /// Whether more bytes were requested than there are.
  package private(set) var isAtEnd = false

  /// The number of bytes returned so far.
  package private(set) var byteCount: UInt64 = 0

  /// Where in the current buffer the next archive starts, until that has been given out.
  private var startInCurrent: Int?

  /// Where a header must have ended; nil outside of headers.
  private var headerEnd: UInt64?

  /// The most bytes that the headers of one member may take together.
  ///
  /// libarchive keeps a sparse member's map in memory, at twelve times its length in the archive.
  /// The longest one that a relation segment can have, a hole at every second block of 4 KiB, is
  /// of 2.2 MiB.
  private static let headerLimit: UInt64 = 4 << 20

  /// The input that `readAhead` reads and decompresses, at most `sizeLimit`.
  package init(_ readAhead: ReadAhead, sizeLimit: SizeLimit? = nil) {
    self.readAhead = readAhead
    self.sizeLimit = sizeLimit
  }

  /// The next bytes of the archive, held until the next call, and where in them they start; nil at
  /// the end, and after a failure.
  func nextOfArchive() -> (buffer: LentBuffer, start: Int)? {
    if let start = startInCurrent.take(), let current { return (current, start) }
    return next().map { ($0, 0) }
  }

  /// The next bytes, held until the next call; nil at the end, and after a failure.
  private func next() -> LentBuffer? {
    current = nil
    if isAtEnd || failure != nil { return nil }
    if let headerEnd, byteCount >= headerEnd {
      failure = Failure(
        .archiveDamaged,
        "damaged archive: the header of a member has more than \(Self.headerLimit >> 20) MiB, "
          + "up to byte \(byteCount)")
      return nil
    }
    do throws(Failure) {
      guard let buffer = try readAhead.next() else {
        isAtEnd = true
        return nil
      }
      byteCount += UInt64(buffer.byteCount)
      try sizeLimit?.require(byteCount)
      current = buffer
      return buffer
    } catch {
      failure = error
      return nil
    }
  }

  /// Says that what is asked for next is the header of a member, which begins at `offset`.
  func beginHeader(at offset: UInt64) { headerEnd = offset + Self.headerLimit }

  /// Says that the header has ended.
  func endHeader() { headerEnd = nil }

  /// Looks behind an archive for the next one, to the end of the input if there is none, and
  /// whatever is checked there.
  ///
  /// `end` is where libarchive found a block of zeros, or nothing. Of what follows, libarchive has
  /// seen no more than the next block, which is in the current buffer.
  func findNextArchive(after end: UInt64) throws(Failure) -> Ending {
    var found: Int?
    while let buffer = current {
      let start = byteCount - UInt64(buffer.byteCount)
      let from = end > start ? Int(end - start) : 0
      found = buffer.withBytes { Self.firstNonzeroBlock(of: $0, from: from) }
      if let found {
        let offset = start + UInt64(found)
        let isArchive = buffer.withBytes { isTarHeader($0.extracting(droppingFirst: found)) }
        guard isArchive, offset >= end + Self.endMarkByteCount else { return .garbage }
        startInCurrent = found
        return .archive(at: offset)
      }
      _ = next()
    }
    if let failure { throw failure }
    return byteCount < end + Self.endMarkByteCount ? .cutOff : .end
  }

  /// What is behind an archive.
  enum Ending: Equatable {
    /// Nothing but its end mark, and zeros.
    case end
    /// Not even a whole end mark.
    case cutOff
    /// The header of another one.
    case archive(at: UInt64)
    /// Something else.
    case garbage
  }

  /// Two blocks of zeros.
  private static let endMarkByteCount: UInt64 = 1024
  private static let blockByteCount = 512

  /// The first block from an offset on, which is a whole number of blocks, that is not all zeros.
  private static func firstNonzeroBlock(of bytes: RawSpan, from start: Int) -> Int? {
    stride(from: start, to: bytes.byteCount, by: blockByteCount).first { offset in
      !bytes.extracting(offset..<min(offset + blockByteCount, bytes.byteCount)).isZero
    }
  }
}
