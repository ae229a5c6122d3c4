import HTTP
import LayerFormat
import PostgresFormat
import System

/// Sends calls to servers of the service, with the token, each in a bounded time.
///
/// Calls that only read are tried several times; any other is sent once, as whoever sends it has to
/// look what came of it before it is sent again. Used by one thread at a time.
package final class ServiceClient {
  private let token: Secret?
  private let client: HTTPClient
  /// For calls by plain HTTP: a proxy would see the token.
  private let plainClient: HTTPClient
  private let timeout: Duration

  /// How often a call that only reads is tried, with a longer and longer wait in between.
  private static let attemptLimit = 4
  private static let firstDelay = Duration.milliseconds(100)

  /// The longest message of the service's that is shown, in characters.
  private static let messageLimit = 400

  /// A client that has not connected yet.
  package init(_ options: ServiceOptions) {
    token = options.token?.secret
    timeout = options.callTimeout
    var httpOptions = HTTPOptions()
    httpOptions.caBundle = options.caBundle
    httpOptions.timeout = options.callTimeout
    // A server sends nothing until a call is done.
    httpOptions.stallTimeout = options.callTimeout
    httpOptions.connectTimeout = min(httpOptions.connectTimeout, options.callTimeout)
    client = HTTPClient(httpOptions)
    httpOptions.usesProxy = false
    plainClient = HTTPClient(httpOptions)
  }

  /// Sends a call.
  ///
  /// Throws what no other try changes: a token that is refused, a server that is not known by name, a
  /// certificate that is not trusted, a signal.
  package func send(_ call: ServiceCall) throws(Failure) -> ServiceAnswer {
    var delay = Self.firstDelay
    let end = ContinuousClock.now + timeout
    for _ in 1..<(call.method == .get ? Self.attemptLimit : 1) {
      let answer = try sendOnce(call)
      guard case .unknown = answer else { return answer }
      // A server that does not answer at all is asked twice.
      if ContinuousClock.now >= end { break }
      try Interruption.wait(delay)
      delay *= 2
    }
    return try sendOnce(call)
  }

  private func sendOnce(_ call: ServiceCall) throws(Failure) -> ServiceAnswer {
    var headers: [HTTPHeader] = []
    if let token { headers.append(HTTPHeader("Authorization", "Bearer \(token.revealed)")) }
    if call.body != nil { headers.append(HTTPHeader("Content-Type", "application/json")) }
    let body = call.body.map { Array($0.utf8) } ?? (call.method == .get ? nil : [])
    var request = HTTPRequest(
      call.method, call.url, headers: headers, body: body.map { .bytes($0) })
    request.isSentOnce = call.method != .get
    let client = call.server.scheme == "https" ? client : plainClient
    let response: HTTPResponse
    do throws(TransferError) {
      response = try client.send(request, limit: 16 << 20)
    } catch {
      return try Self.answer(to: call, without: error)
    }
    if response.isSuccess { return .done(status: response.status, body: response.body) }
    return try answer(to: call, response)
  }

  /// The answer in place of one that did not come.
  private static func answer(
    to call: ServiceCall, without error: TransferError
  ) throws(Failure) -> ServiceAnswer {
    var failure = error.failure
    failure.message = "\(call.description): \(failure.message)"
    guard error.mayPass || failure.code == .serverUnreachable else { throw failure }
    failure.code = .serviceUnavailable
    failure.hint = "Check the URL, the network, and whether the service is running."
    guard error.mayPass else { throw failure }
    return .unknown(failure, mayBeUnderWay: error.reason == .lost)
  }

  private func answer(
    to call: ServiceCall, _ response: HTTPResponse
  ) throws(Failure) -> ServiceAnswer {
    let words = message(of: response)
    let subject =
      "\(call.description) was answered with \(response.status)"
      + (words.isEmpty ? "" : ": \(words)")
    switch response.status {
    case 401, 403:
      throw Failure(
        .tokenRefused, subject,
        hint: token == nil
          ? "Give a token with '--token-file' or in the variable IMPORT_BACKUP_TOKEN."
          : "The token is not valid, or does not allow this call.")
    case 429, 500, 502, 503, 504:
      return .unknown(
        Failure(
          .serviceUnavailable, subject,
          hint: "The service cannot do this at the moment. Try again, and look into its log."),
        // A gateway, or the server itself, may have waited for this long enough.
        mayBeUnderWay: [502, 504].contains(response.status))
    default:
      return .refused(
        ServiceRefusal(
          status: response.status,
          failure: Failure(
            .serviceFailed, subject, hint: "Check that the URL is that of the right server.")))
    }
  }

  /// The service's own words: `msg` of its JSON object, or else what it sent.
  private func message(of response: HTTPResponse) -> String {
    struct Message: Decodable { var msg: String }
    let decoded = try? StrictJSON(response.body, of: "the answer").decode(Message.self).msg
    var text = decoded ?? String(decoding: response.body, as: UTF8.self)
    // Some servers repeat what they were sent.
    if let token { text = text.replacing(token.revealed, with: "(secret)") }
    return escaped(text.prefix(Self.messageLimit).utf8)
      + (text.count > Self.messageLimit ? "…" : "")
  }
}

extension ServiceClient {
  /// The answer to a call that reads one thing; nil if there is none (404, or another status that says
  /// so).
  func read<Value: Decodable>(
    _ call: ServiceCall, as type: Value.Type = Value.self, absent: Set<Int> = [404]
  ) throws(Failure) -> Value? {
    switch try send(call) {
    case .done(_, let body): return try Self.decode(body, of: call)
    case .refused(let refusal) where absent.contains(refusal.status): return nil
    case .refused(let refusal): throw refusal.failure
    case .unknown(let failure, _): throw failure
    }
  }

  /// Reads the fields of an answer.
  static func decode<Value: Decodable>(
    _ body: [UInt8], of call: ServiceCall, as type: Value.Type = Value.self
  ) throws(Failure) -> Value {
    do throws(FormatError) {
      return try StrictJSON(body, of: "the answer", mayBeArray: true).decode(type)
    } catch {
      throw Failure(
        .serviceFailed, "\(call.description): \(error.message)",
        hint: "Check that the URL is that of the right server.")
    }
  }
}
