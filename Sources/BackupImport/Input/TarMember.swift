/// One member of a tar, as its header claims it.
public struct TarMember: Equatable, Sendable {
  public enum Kind: Sendable {
    case file
    case directory
    case symbolicLink
    case hardLink
    /// Devices, FIFOs and what no tar should hold.
    case other
  }

  /// The name as it is in the archive, never empty; what is not UTF-8 in it becomes U+FFFD.
  public var name: String

  public var kind: Kind

  /// The size of the contents, holes included. A claim: it may be anything up to 8 EiB.
  public var byteCount: UInt64

  /// What a link points to, as it is in the archive.
  public var linkTarget: String?

  public init(name: String, kind: Kind, byteCount: UInt64, linkTarget: String? = nil) {
    self.name = name
    self.kind = kind
    self.byteCount = byteCount
    self.linkTarget = linkTarget
  }
}
