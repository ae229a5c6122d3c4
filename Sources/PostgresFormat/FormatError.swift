/// Why bytes cannot be decoded.
///
/// Thrown by the pure format code, which knows neither paths nor exit codes. The caller, which
/// reads the bytes, adds the file or the member to the message.
public struct FormatError: Error, Equatable, Sendable {
  /// What is wrong; nil if the bytes are damaged, incomplete or contradictory, which has the code
  /// of the file that they are of: the caller knows it.
  public var code: ErrorCode?

  /// What is wrong: lower case, no final period, subjects in single quotes.
  public var message: String

  /// What to do about it: full sentences, or nil if there is nothing to do.
  public var hint: String?

  /// An error with this code.
  public init(_ code: ErrorCode?, _ message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }

  /// An error about damaged bytes.
  public static func damaged(_ message: String, hint: String? = nil) -> Self {
    Self(nil, message, hint: hint)
  }
}
