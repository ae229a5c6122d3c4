import Foundation
import Glibc
import Synchronization

/// An HTTP server on this machine that answers as a test wants, wrong answers included.
///
/// A thread a connection; connections stay open between requests.
public final class TestServer: Sendable {
  /// What a client sent.
  public struct Request: Sendable {
    /// The method: `GET`.
    public var method: String
    /// The path, still encoded.
    public var path: String
    /// Names and values of the query, decoded.
    public var query: [String: String]
    /// The header's lines, by name in lower case.
    public var headers: [String: String]
    /// The body.
    public var body: [UInt8]
  }

  /// What the server does about it.
  public enum Reply: Sendable {
    /// An answer.
    case answer(status: Int, headers: [String: String] = [:], body: [UInt8] = [])
    /// As many bytes of that answer's body, and then the end of the connection; with `reset`, in the
    /// way that is an error at once.
    case cut(status: Int, headers: [String: String] = [:], body: [UInt8], after: Int, reset: Bool)
    /// Nothing, for as long as the server lives or the client waits.
    case silence
    /// An answer of which a byte of the body comes now and then, some 20 a second, for as long as the
    /// client waits.
    case trickle(status: Int, headers: [String: String] = [:], body: [UInt8])
  }

  /// What a test gives: it is called on the connections' threads.
  public typealias Handler = @Sendable (Request) -> Reply

  /// What the server does before it has read the body of a request.
  public enum EarlyReply: Sendable {
    /// Reads it, as usual.
    case none
    /// Reads it, but does not say that it will.
    case noConsent
    /// Answers, and ends the connection.
    case answer(Reply)
    /// Ends the connection in the middle of the body, in the way that is an error at once.
    case reset
    /// Reads nothing more, for as long as the server lives or the client waits.
    case hang
    /// Reads some bytes now and then, some 2,000 a second, for as long as the client sends.
    case trickle
  }

  private let listener: Int32
  private let handler: Handler
  private let early: @Sendable (Request) -> EarlyReply
  private let requests = Mutex<[Request]>([])
  private let isOver = Atomic<Bool>(false)
  /// The port that it listens on.
  public let port: UInt16

  /// The URL of the server.
  public var url: String { "http://127.0.0.1:\(port)" }
  /// Everything that has been sent so far.
  public var received: [Request] { requests.withLock { $0 } }

  /// Starts to listen on a free port.
  ///
  /// - Parameter early: is asked once the header of a request has come, which has no body yet.
  public init(
    early: @escaping @Sendable (Request) -> EarlyReply = { _ in .none },
    _ handler: @escaping Handler
  ) throws {
    self.handler = handler
    self.early = early
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // Invariant: the address is lent for the calls, with its length.
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    guard isBound else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { return }
        guard let server = self else {
          close(connection)
          return
        }
        Thread.detachNewThread { [weak server] in
          Connection(connection).serve { request in
            server?.early(request) ?? .none
          } handle: { request in
            guard let server, !server.isOver.load(ordering: .relaxed) else { return nil }
            server.requests.withLock { $0.append(request) }
            return server.handler(request)
          } isOver: {
            server?.isOver.load(ordering: .relaxed) ?? true
          }
        }
      }
    }
  }

  deinit {
    isOver.store(true, ordering: .relaxed)
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }
}

/// One connection of a client.
private struct Connection {
  private let number: Int32
  private var input: [UInt8] = []

  init(_ number: Int32) { self.number = number }

  /// Answers requests until the client closes the connection, or a reply does.
  consuming func serve(
    _ early: (TestServer.Request) -> TestServer.EarlyReply,
    handle: (TestServer.Request) -> TestServer.Reply?, isOver: () -> Bool
  ) {
    var connection = self
    defer { close(connection.number) }
    while var request = connection.nextHead() {
      let reply: TestServer.Reply
      let first = early(request)
      switch first {
      case .answer(.answer(let status, let headers, let body)):
        connection.send(Self.head(status, headers, byteCount: body.count) + body)
        connection.readRest(of: request)
        return
      case .answer(let other): reply = other
      case .reset:
        connection.reset()
        return
      case .hang: reply = .silence
      case .trickle:
        connection.readSlowly(isOver)
        return
      case .none, .noConsent:
        if case .none = first, request.headers["expect"] != nil {
          connection.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        guard connection.readBody(of: &request), let answer = handle(request) else { return }
        reply = answer
      }
      switch reply {
      case .answer(let status, let headers, let body):
        let head = Self.head(status, headers, byteCount: body.count)
        connection.send(head + (request.method == "HEAD" ? [] : body))
      case .cut(let status, let headers, let body, let count, let reset):
        connection.send(Self.head(status, headers, byteCount: body.count) + body.prefix(count))
        if reset { connection.reset() }
        return
      case .silence:
        while !isOver() && !connection.isClosed() { usleep(20_000) }
        return
      case .trickle(let status, let headers, let body):
        connection.send(Self.head(status, headers, byteCount: body.count))
        for byte in body where !isOver() && !connection.isClosed() {
          connection.send([byte])
          usleep(50_000)
        }
        return
      }
    }
  }

  /// Has the connection end in the way that is an error at once.
  private func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    // Invariant: the structure is lent for the call, with its length.
    unsafe setsockopt(
      number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  private static func head(_ status: Int, _ headers: [String: String], byteCount: Int) -> [UInt8] {
    var lines = ["HTTP/1.1 \(status) Status"]
    if headers["Content-Length"] == nil { lines.append("Content-Length: \(byteCount)") }
    lines += headers.map { "\($0.key): \($0.value)" }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  /// Whether the client has gone.
  private func isClosed() -> Bool {
    var byte: UInt8 = 0
    return unsafe recv(number, &byte, 1, Int32(Int(MSG_PEEK) | Int(MSG_DONTWAIT))) == 0
  }

  private func send(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      // Invariant: the array is lent for the call, which reads no further than its end.
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          number, buffer.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      done += count
    }
  }

  private mutating func readSlowly(_ isOver: () -> Bool) {
    send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
    while !isOver() && receive(atMost: 100) {
      input = []
      usleep(50_000)
    }
  }

  private mutating func receive(atMost limit: Int = 1 << 16) -> Bool {
    var piece = [UInt8](repeating: 0, count: limit)
    // Invariant: the array is lent for the call, with its length.
    let count = unsafe recv(number, &piece, piece.count, 0)
    guard count > 0 else { return false }
    input += piece.prefix(count)
    return true
  }

  /// The next request without its body; nil at the end.
  private mutating func nextHead() -> TestServer.Request? {
    let mark = Array("\r\n\r\n".utf8)
    while input.firstRange(of: mark) == nil { if !receive() { return nil } }
    guard let end = input.firstRange(of: mark) else { return nil }
    let lines = String(decoding: input[..<end.lowerBound], as: UTF8.self)
      .components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ").map(String.init)
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    input.removeSubrange(..<end.upperBound)
    let parts = words[1].split(separator: "?", maxSplits: 1).map(String.init)
    var query: [String: String] = [:]
    for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
      let pair = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      query[String(pair[0])] = pair.count > 1 ? pair[1].removingPercentEncoding ?? "" : ""
    }
    return TestServer.Request(
      method: words[0], path: parts[0], query: query, headers: headers, body: [])
  }

  /// Reads the body of a request; false if the client has gone.
  private mutating func readBody(of request: inout TestServer.Request) -> Bool {
    let count = request.headers["content-length"].flatMap { Int($0) } ?? 0
    while input.count < count { if !receive() { return false } }
    request.body = Array(input.prefix(count))
    input.removeFirst(count)
    return true
  }

  /// Reads what the client still sends, so that the answer reaches it.
  private mutating func readRest(of request: TestServer.Request) {
    shutdown(number, Int32(SHUT_WR))
    while receive() { input = [] }
  }
}
