/// A text that must not appear in messages, objects or logs: a key, or a token.
///
/// Whatever prints, interpolates or reflects it gets a placeholder.
package struct Secret: Sendable, Equatable {
  /// The text itself, for the one place that needs it.
  package let revealed: String

  /// Takes a text that is to be kept secret.
  package init(_ text: String) { revealed = text }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A placeholder.
  package var description: String { "(secret)" }
  /// A placeholder.
  package var debugDescription: String { description }
  /// Nothing, so that `dump` shows nothing.
  package var customMirror: Mirror { Mirror(self, children: []) }
}
