import HTTP
import LayerFormat
import PostgresFormat
import System

/// How the service is called.
public struct ServiceOptions: Sendable {
  /// Where its token comes from; nil for none.
  package var token: Token?
  /// A file with certificates of authorities to trust instead of the system's; nil for those.
  package var caBundle: String?
  /// How long the service is given until everything is served; zero to look once.
  package var patience = Duration.seconds(60)
  /// How long one call may take.
  package var callTimeout = Duration.seconds(30)

  /// A call without a token.
  public init() {}

  /// How long one call may take, in seconds.
  package var callSeconds: Int { Int(callTimeout / .seconds(1)) }

  /// A bearer token, and where a shell finds it.
  package struct Token: Sendable, Equatable {
    /// Where it was given.
    package enum Source: Sendable, Equatable {
      /// In this file, which has nothing else.
      case file(String)
      /// In the variable of this name.
      case variable(String)
    }

    /// The token itself.
    package var secret: Secret
    /// Where it was given.
    package var source: Source

    /// Takes a text that was found there, without spaces around it.
    ///
    /// Throws `.usage` if it cannot be a token, without showing it. (RFC 6750, `b64token`)
    package init(_ text: String, from source: Source) throws(Failure) {
      let name =
        switch source {
        case .file(let path): "file \(path.quoted)"
        case .variable(let name): "variable \(name)"
        }
      let token = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
      let isToken = token.allSatisfy { character in
        character.isASCII
          && (character.isLetter || character.isNumber || "-._~+/=".contains(character))
      }
      guard isToken, !token.isEmpty else {
        throw Failure(
          .badOption, "\(name) does not contain a bearer token",
          hint: "It must be the token alone, without 'Bearer' before it.")
      }
      secret = Secret(String(token))
      self.source = source
    }
  }
}
