import Pipeline
import PostgresFormat
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

  /// Whether files of pages have their contents; false for a directory that is read for its names
  /// and small files only.
  var givesPages: Bool { get }

  /// Goes to the next member, skipping what is left of the last one; nil after the last member,
  /// when the whole input has been found to be sound.
  ///
  /// Waits for the input, and throws the error of a signal soon after it.
  func nextMember() throws(Failure) -> BackupMember?

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
  func borrow(
    unitsOf byteCount: Int, limit: Int
  ) throws(Failure) -> (LentBuffer, Range<Int>)?
}

/// Whether the directory at `path` is a data directory, judged by its contents.
package func isDataDirectory(_ path: String) -> Bool {
  SystemCalls.exists(path + "/PG_VERSION")
}

/// One member of a backup: of a tar, as its header claims it, or a name in a data directory.
public struct BackupMember: Equatable, Sendable {
  /// The name as it is in the archive, never empty; what is not UTF-8 in it becomes U+FFFD.
  public var name: String

  /// Whether it is a file, a directory, a link or something else.
  public var kind: MemberKind

  /// The size of the contents, holes included. A claim: it may be anything up to 8 EiB.
  public var byteCount: UInt64

  /// How much of the contents are zeros that nobody has stored, as the header says.
  var holeByteCount: UInt64 = 0

  /// What a link points to, as it is in the archive.
  public var linkTarget: String?

  /// The length of the whole pages in the contents.
  package var wholePagesByteCount: UInt64 {
    byteCount - byteCount % UInt64(PageHeader.pageByteCount)
  }

  /// Whether the contents end at the end of a page.
  var endsAtPage: Bool { byteCount == wholePagesByteCount }

  /// What messages call the member.
  package var subject: String { "member \(name.quoted)" }

  /// The path of the member in the data directory; nil for the directory itself and above.
  package func path(strippingComponents count: Int) throws(Failure) -> MemberPath? {
    do throws(FormatError) {
      return try MemberPath(Array(name.utf8).bytes, strippingComponents: count)
    } catch {
      throw Failure(error, in: subject, damage: .badMemberName)
    }
  }

  /// A member without holes; `linkTarget` is nil unless it is a link.
  public init(name: String, kind: MemberKind, byteCount: UInt64, linkTarget: String? = nil) {
    self.name = name
    self.kind = kind
    self.byteCount = byteCount
    self.linkTarget = linkTarget
  }
}
