import CCurl
import PostgresFormat
import Synchronization
import System

/// Sends requests to servers, each on the caller's thread, and keeps connections open between them.
///
/// Redirects are not followed. TLS trusts the system's authorities, or those of the options. Nothing
/// is tried twice, but for what libcurl does by itself (`HTTPRequest.isSentOnce`). A signal that ends
/// the program ends a request within 100 ms. Memory: some 100 KiB a request that is under way at once.
package final class HTTPClient: Sendable {
  private let options: HTTPOptions
  private let idle = Mutex<[HTTPConnection]>([])

  /// More connections than this are closed when they are idle.
  private static let idleLimit = 32

  /// A client that has not connected yet.
  package init(_ options: HTTPOptions = HTTPOptions()) { self.options = options }

  /// Sends a request; the body of the answer, `limit` bytes at most, comes with it.
  ///
  /// Any status is an answer. Throws if there is none.
  package func send(
    _ request: HTTPRequest, limit: Int = 1 << 20
  ) throws(TransferError) -> HTTPResponse {
    let transfer = unsafe Transfer(.memory(limit: limit), upload: request.body)
    return try perform(request, transfer)
  }

  /// Sends a request; the body of a successful answer goes to the beginning of `bytes`, `count` bytes
  /// at most, and any other comes with the answer.
  package func send(
    _ request: HTTPRequest, into bytes: inout [UInt8], from start: Int = 0, count: Int
  ) throws(TransferError) -> HTTPResponse {
    precondition(start >= 0 && count >= 0 && count <= bytes.count - start)
    // Invariant: the buffer is lent for the call, during which the transfer has it.
    return try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(TransferError) in
      let room = unsafe UnsafeMutableRawBufferPointer(
        UnsafeMutableBufferPointer(rebasing: buffer[start..<start + count]))
      let transfer = unsafe Transfer(.buffer, upload: request.body, destination: room)
      return try perform(request, transfer)
    }
  }

  private func perform(
    _ request: HTTPRequest, _ transfer: Transfer
  ) throws(TransferError) -> HTTPResponse {
    do throws(Failure) { try CurlLibrary.load() } catch { throw TransferError(.permanent, error) }
    try Self.check(request)
    let server = Self.server(of: request.url)
    guard let connection = idle.withLock({ $0.popLast() }) ?? HTTPConnection() else {
      throw TransferError(
        .permanent, Failure(.outOfMemory, "there is no memory for a connection to \(server.quoted)")
      )
    }
    let code: CURLcode
    do throws(Failure) {
      code = try connection.perform(request, transfer, options)
    } catch {
      throw TransferError(.permanent, error)
    }
    defer {
      idle.withLock { if $0.count < Self.idleLimit { $0.append(connection) } }
    }
    if let failure = transfer.failure { throw TransferError(.permanent, failure) }
    guard !transfer.isTooLong else {
      throw TransferError(
        .tooLong,
        Failure(.serverFailed, "the answer of \(server.quoted) is longer than it may be"))
    }
    guard code == CURLE_OK else {
      throw TransferError(
        code, server: server, text: connection.text(of: code), systemError: connection.systemError)
    }
    return HTTPResponse(
      status: transfer.status, headers: transfer.headers, body: transfer.body,
      byteCount: transfer.byteCount)
  }

  /// Throws if a line of the header would become two.
  private static func check(_ request: HTTPRequest) throws(TransferError) {
    for header in request.headers
    where (header.name + header.value).utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw TransferError(
        .permanent,
        Failure(
          .badOption, "the value of header \(header.name.quoted) has control characters",
          hint: "Check the tokens and keys that the program was given."))
    }
  }

  /// Host and port of a URL, for messages.
  private static func server(of url: String) -> String {
    let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
    return String(rest.prefix { !"/?#".contains($0) })
  }
}

/// A connection and what is set of it for the next request.
private final class HTTPConnection: @unchecked Sendable {
  // Invariant: it belongs to one thread at a time, the one that took it out of the client's list.

  private var handle: EasyHandle

  init?() {
    guard let handle = EasyHandle() else { return nil }
    self.handle = handle
  }

  func text(of code: CURLcode) -> String { handle.text(of: code) }
  var systemError: Int32 { handle.systemError }

  func perform(
    _ request: HTTPRequest, _ transfer: Transfer, _ options: HTTPOptions
  ) throws(Failure) -> CURLcode {
    handle.reset()
    set(options)
    handle.set(CURLOPT_URL, request.url)
    if let signature = request.signature {
      // With the path as it is, libcurl refuses to sign, from 8.14 on at the latest.
      handle.set(CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):s3")
      handle.set(CURLOPT_USERNAME, signature.keyID)
      handle.set(CURLOPT_PASSWORD, signature.secretKey.revealed)
    } else {
      handle.set(CURLOPT_PATH_AS_IS, 1)
    }
    set(request.method, bodyByteCount: request.body?.byteCount)
    if request.isSentOnce { handle.set(CURLOPT_FRESH_CONNECT, 1) }
    handle.set(CURLOPT_USERAGENT, "import-backup")
    handle.set(headers: request.headers)
    transfer.attach(to: handle)
    return try withExtendedLifetime(transfer) { () throws(Failure) in try handle.perform() }
  }

  private func set(_ options: HTTPOptions) {
    handle.set(CURLOPT_NOSIGNAL, 1)
    handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
    handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    handle.set(CURLOPT_TCP_KEEPALIVE, 1)
    handle.set(CURLOPT_BUFFERSIZE, 256 << 10)
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, options.connectTimeout.milliseconds)
    handle.set(CURLOPT_LOW_SPEED_LIMIT, options.leastRate)
    handle.set(CURLOPT_LOW_SPEED_TIME, max(1, options.stallTimeout.milliseconds / 1000))
    if let timeout = options.timeout { handle.set(CURLOPT_TIMEOUT_MS, timeout.milliseconds) }
    if let bundle = options.caBundle {
      handle.set(CURLOPT_CAINFO, bundle)
      // The system's directory of authorities would be trusted as well.
      handle.unset(CURLOPT_CAPATH)
    }
    if !options.usesProxy { handle.set(CURLOPT_PROXY, "") }
  }

  private func set(_ method: HTTPRequest.Method, bodyByteCount: Int?) {
    if let bodyByteCount {
      handle.set(CURLOPT_UPLOAD, 1)
      handle.set(CURLOPT_INFILESIZE_LARGE, size: bodyByteCount)
      handle.set(CURLOPT_UPLOAD_BUFFERSIZE, 512 << 10)
      // Long bodies wait for the server's consent, which not every server gives.
      handle.set(CURLOPT_EXPECT_100_TIMEOUT_MS, 300)
    }
    switch method {
    case .get where bodyByteCount == nil: handle.set(CURLOPT_HTTPGET, 1)
    case .head: handle.set(CURLOPT_NOBODY, 1)
    default: handle.set(CURLOPT_CUSTOMREQUEST, method.rawValue)
    }
  }
}

extension Duration {
  /// The time in whole milliseconds.
  fileprivate var milliseconds: Int { Int(self / .milliseconds(1)) }
}
