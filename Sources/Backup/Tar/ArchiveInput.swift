import Pipeline
import System

/// The plain bytes of the archive, buffer after buffer, as libarchive asks for them.
///
/// Remembers what libarchive does not report: why reading failed, whether the archive ended too
/// early, and the offset of the last byte that is not zero.
final class ArchiveInput {
  private let readAhead: ReadAhead

  /// The buffer that libarchive has, for as long as it does not ask for the next one.
  package private(set) var current: LentBuffer?

  /// Why the last buffer could not be had.
  package private(set) var failure: Failure?

  /// Whether more bytes were requested than there are.
  package private(set) var isAtEnd = false

  /// The number of bytes returned so far.
  package private(set) var byteCount: UInt64 = 0

  /// The offset after the last returned byte that is not zero.
  private(set) var endOfLastNonzeroByte: UInt64 = 0

  /// Where a header must have ended; nil outside of headers.
  private var headerEnd: UInt64?

  /// The most bytes that the headers of one member may take together.
  ///
  /// libarchive keeps a sparse member's map in memory, at twelve times its length in the archive.
  /// The longest one that a relation segment can have, a hole at every second block of 4 KiB, is
  /// of 2.2 MiB.
  private static let headerLimit: UInt64 = 4 << 20

  /// The input that `readAhead` reads and decompresses.
  package init(_ readAhead: ReadAhead) {
    self.readAhead = readAhead
  }

  /// The next bytes, held until the next call; nil at the end, and after a failure.
  package func next() -> LentBuffer? {
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
      let meaningful = buffer.withBytes { $0.byteCountBeforeTrailingZeros }
      if meaningful > 0 { endOfLastNonzeroByte = byteCount + UInt64(meaningful) }
      byteCount += UInt64(buffer.byteCount)
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

  /// Reads what is left, to the end of the input and whatever it checks there.
  package func drain() throws(Failure) {
    while next() != nil {}
    if let failure { throw failure }
  }
}
