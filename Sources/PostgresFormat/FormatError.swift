/// Why bytes cannot be what they claim to be.
///
/// Thrown by the pure format code, which knows neither paths nor exit codes: who reads the bytes
/// adds the file or the member to the message.
public struct FormatError: Error, Equatable, Sendable {
  public enum Kind: Sendable {
    /// The bytes are damaged, incomplete or contradict each other.
    case damaged
    /// The bytes are sound, but nothing that can be imported or read here.
    case unsupported
  }

  public var kind: Kind

  /// Lower case, no final period, subjects in single quotes.
  public var message: String

  /// What to do about it: full sentences, or nil where there is nothing to do.
  public var hint: String?

  public init(_ kind: Kind, _ message: String, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.hint = hint
  }

  public static func damaged(_ message: String, hint: String? = nil) -> Self {
    Self(.damaged, message, hint: hint)
  }

  public static func unsupported(_ message: String, hint: String? = nil) -> Self {
    Self(.unsupported, message, hint: hint)
  }
}
