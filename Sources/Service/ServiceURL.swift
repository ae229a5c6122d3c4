import PostgresFormat
import System

/// Where one server of the service takes calls: `http://HOST:PORT`, perhaps with a path before those
/// of the calls.
package struct ServiceURL: Sendable, Equatable, CustomStringConvertible {
  /// `https`, or `http` if the URL was given so.
  package let scheme: String
  /// A name or an address; one of IPv6 is in brackets.
  package let host: String
  /// The port; nil for that of the scheme.
  package let port: Int?
  private let path: String

  /// Reads a URL; throws `.usage` if it is not that of a server, or contains a password.
  package init(_ text: String) throws(Failure) {
    guard let end = text.firstRange(of: "://"),
      ["http", "https"].contains(text[..<end.lowerBound].lowercased())
    else { throw Self.refusal(of: text) }
    let rest = text[end.upperBound...]
    let authority = rest.prefix { $0 != "/" }
    var path = rest.dropFirst(authority.count)
    while path.last == "/" { path.removeLast() }
    guard !authority.contains("@") else {
      throw Failure(
        .badOption, "the URL of a server contains a name or a password",
        hint: "Give a token with '--token-file' or in the variable IMPORT_BACKUP_TOKEN.")
    }
    let isPath = path.utf8.allSatisfy { Self.isAlphanumeric($0) || "/-._~%".utf8.contains($0) }
    guard isPath, let (host, port) = Self.split(authority) else { throw Self.refusal(of: text) }
    scheme = text[..<end.lowerBound].lowercased()
    self.host = host
    self.port = port
    self.path = String(path)
  }

  /// A server that another one has named.
  ///
  /// Throws `.serviceFailed` if that is not the name of a server, or if it takes calls by plain HTTP
  /// only, and the other one was called by HTTPS: a token must not leave that.
  init(
    host: String, port: Int?, securePort: Int?, likeThat other: ServiceURL
  ) throws(Failure) {
    guard let port = other.scheme == "https" ? securePort : port else {
      throw Failure(
        .serviceFailed, "\(host.quoted) has no port for \(other.scheme)",
        hint: "'\(other.description)' names it, and all servers are called in the same way as that "
          + "one. If the network is safe, give its URL with http://.")
    }
    let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    do throws(Failure) {
      try self.init("\(other.scheme)://\(name):\(port)")
    } catch {
      throw Failure(
        .serviceFailed,
        "'\(other.description)' names a server \("\(host):\(port)".quoted), which cannot be one",
        hint: "Check with which host and port the server has registered.")
    }
  }

  /// Host and port, if they are what they should be.
  private static func split(_ authority: Substring) -> (String, Int?)? {
    var host = authority
    var port: Int?
    if let colon = authority.lastIndex(of: ":"), authority[colon...].last != "]" {
      guard let number = Int(authority[authority.index(after: colon)...]),
        (1...0xFFFF).contains(number)
      else { return nil }
      port = number
      host = authority[..<colon]
    }
    let name = host.first == "[" && host.last == "]" ? host.dropFirst().dropLast() : host
    let marks = name == host ? "-._" : ":."
    guard !name.isEmpty,
      name.utf8.allSatisfy({ isAlphanumeric($0) || marks.utf8.contains($0) })
    else { return nil }
    return (String(host), port)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
  }

  private static func refusal(of text: String) -> Failure {
    Failure(
      .badOption, "\(text.quoted) is not the URL of a server",
      hint: "Write it as https://HOST:PORT or http://HOST:PORT.")
  }

  /// The URL, without a slash at its end.
  package var description: String {
    "\(scheme)://\(host)\(port.map { ":\($0)" } ?? "")\(path)"
  }
}
