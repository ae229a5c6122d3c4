import HTTP
import PostgresFormat
import System

/// One call of the service's, complete but for its token.
package struct ServiceCall: Sendable, Equatable {
  /// `GET`, `PUT` or `POST`: nothing here deletes.
  package let method: HTTPRequest.Method
  /// The server.
  package let server: ServiceURL
  /// The path, from its slash on; it needs no encoding.
  package let path: String
  /// The body: a JSON object; nil for none.
  package let body: String?

  init(
    _ method: HTTPRequest.Method, _ server: ServiceURL, _ path: String, body: String? = nil
  ) {
    self.method = method
    self.server = server
    self.path = path
    self.body = body
  }

  /// The whole URL.
  package var url: String { server.description + path }

  /// Method and URL, for messages.
  package var description: String { "\(method.rawValue) \(url)" }
}

/// What came of a call.
package enum ServiceAnswer: Sendable {
  /// A status of success, and the body.
  case done(status: Int, body: [UInt8])
  /// Any other status.
  case refused(ServiceRefusal)
  /// Nobody knows whether it was done, or the server could not do it at the moment: it may be
  /// different when it is tried again. Gives the error for the case that it is not, and whether the
  /// server may still be doing it.
  case unknown(Failure, mayBeUnderWay: Bool)
}

/// An answer that is no success.
package struct ServiceRefusal: Sendable {
  /// The status.
  package let status: Int
  /// The error: the call, the status and the service's own message.
  package let failure: Failure
}
