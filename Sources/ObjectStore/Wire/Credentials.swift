import HTTP
import System

/// What requests are signed with.
struct Credentials: Sendable {
  /// The access key's id, which is sent with every request.
  var keyID: String
  /// The key itself, which never leaves the program.
  var secretKey: Secret
  /// What goes with a key that is valid for a time only.
  var sessionToken: Secret?
  /// When they end; nil if they do not.
  var end: UTCTime?

  /// A text from a server without what is secret: some repeat the header's lines in their errors.
  func redacted(_ text: String) -> String {
    [secretKey, sessionToken].compactMap { $0?.revealed }.filter { !$0.isEmpty }
      .reduce(text) { $0.replacing($1, with: "(secret)") }
  }
}
