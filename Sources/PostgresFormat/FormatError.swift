/// Why bytes cannot be decoded.
///
/// Thrown by the pure format code, which knows neither paths nor exit codes. The caller, which
/// reads the bytes, adds the file or the member to the message.
public struct FormatError: Error, Equatable, Sendable {
  /// Whether the bytes are wrong or only not supported.
  public enum Kind: Sendable {
    /// The bytes are damaged, incomplete or contradictory.
    case damaged
    /// The bytes are valid, but cannot be imported or read here.
    case unsupported
  }

  /// The kind of error.
  public var kind: Kind

  /// What is wrong: lower case, no final period, subjects in single quotes.
  public var message: String

  /// What to do about it: full sentences, or nil if there is nothing to do.
  public var hint: String?

  /// An error of this kind.
  public init(_ kind: Kind, _ message: String, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.hint = hint
  }

  /// An error about damaged bytes.
  public static func damaged(_ message: String, hint: String? = nil) -> Self {
    Self(.damaged, message, hint: hint)
  }

  /// An error about bytes that are not supported.
  public static func unsupported(_ message: String, hint: String? = nil) -> Self {
    Self(.unsupported, message, hint: hint)
  }
}
