import CCurl
import PostgresFormat
import System

/// Why a request got no answer, or not all of one.
package struct TransferError: Error {
  /// What a caller decides by.
  package enum Reason: Sendable {
    /// There is no connection; nothing was sent.
    case unreachable
    /// The connection was lost, or stood still: nobody knows whether the server did what it was
    /// asked for.
    case lost
    /// The answer is longer than the caller allows.
    case tooLong
    /// Anything else, which is the same when it is tried again.
    case permanent
  }

  /// What a caller decides by.
  package let reason: Reason
  /// The same for a person.
  package let failure: Failure

  /// Whether it may be different when it is tried again.
  package var mayPass: Bool { reason == .lost || reason == .unreachable }
}

extension TransferError {
  /// Takes what libcurl says of a transfer to or from `server`, a host and perhaps a port.
  ///
  /// - Parameters:
  ///   - text: libcurl's own words of this error.
  ///   - systemError: the errno value of the last call that failed; 0 if none did.
  init(_ code: CURLcode, server: String, text: String, systemError: Int32) {
    let server = server.quoted
    let reasonText = systemError == 0 ? escaped(text.utf8) : SystemCalls.describe(systemError)
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
      // A name that does not exist stays so; one that cannot be looked up at the moment is rare.
      reason = .permanent
      failure = Failure(
        .serverUnreachable, "cannot find the address of \(server)",
        hint: "Check the name of the server, and the network.")
    case CURLE_COULDNT_CONNECT:
      reason = .unreachable
      failure = Failure(
        .serverUnreachable, "cannot connect to \(server): \(reasonText)",
        hint: "Check the address of the server, and the network.")
    case CURLE_OPERATION_TIMEDOUT:
      reason = .lost
      failure = Failure(
        .connectionLost, "\(server) does not answer in time, or is too slow",
        hint: "Try again, and check the network.")
    case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR,
      CURLE_HTTP2, CURLE_HTTP2_STREAM:
      reason = .lost
      failure = Failure(
        .connectionLost, "the connection to \(server) was lost: \(reasonText)",
        hint: "Try again, and check the network.")
    case CURLE_SSL_CONNECT_ERROR:
      reason = .permanent
      failure = Failure(
        .certificateRefused, "no safe connection to \(server): \(escaped(text.utf8))",
        hint:
          "Check that the server speaks TLS at this port. If it does not, give its URL with http://."
      )
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR:
      reason = .permanent
      failure = Failure(
        .certificateRefused, "no safe connection to \(server): \(escaped(text.utf8))",
        hint: "If the server's certificate is from an authority of your own, give that with "
          + "'--ca-bundle'.")
    case CURLE_SSL_CACERT_BADFILE:
      reason = .permanent
      failure = Failure(
        .certificateRefused, "cannot use the file of '--ca-bundle': \(escaped(text.utf8))",
        hint: "Give a file with certificates in PEM format.")
    default:
      reason = .permanent
      failure = Failure(.serverFailed, "no answer from \(server): \(escaped(text.utf8))")
    }
  }

  /// A reason of our own.
  init(_ reason: Reason, _ failure: Failure) {
    self.reason = reason
    self.failure = failure
  }
}
