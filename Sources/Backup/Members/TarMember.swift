import PostgresFormat
import System

/// One member of a backup: of a tar, as its header claims it, or a name in a data directory.
public struct TarMember: Equatable, Sendable {
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

  /// What messages call the member.
  package var subject: String { "member \(name.quoted)" }

  /// The path of the member in the data directory; nil for the directory itself and above.
  package func path(strippingComponents count: Int) throws(Failure) -> MemberPath? {
    do throws(FormatError) {
      return try MemberPath(Array(name.utf8).bytes, strippingComponents: count)
    } catch {
      throw Failure(error, in: subject)
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
