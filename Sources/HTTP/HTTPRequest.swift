import System

/// A line of a request's or a response's header.
package struct HTTPHeader: Equatable, Sendable {
  /// The name; upper and lower case are the same.
  package var name: String
  /// The value, without spaces around it.
  package var value: String

  /// A line of these two.
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// One request, complete: it is sent as it is.
package struct HTTPRequest: Sendable {
  /// What is asked for.
  package enum Method: String, Sendable {
    /// Each is called as on the wire.
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  /// What is asked for.
  package var method: Method
  /// The whole URL, in which everything is encoded that has to be.
  package var url: String
  /// The header, but for what the client adds by itself: `Host`, `Content-Length`, `User-Agent`, and
  /// what belongs to a signature.
  package var headers: [HTTPHeader]
  /// The body; nil for none, which is another thing than an empty one.
  package var body: Body?
  /// What libcurl signs it with; nil for nothing.
  package var signature: Signature?
  /// Whether it must not reach the server twice. It then has a connection of its own, as libcurl sends a
  /// request again by itself if the server ends a connection that was open before.
  package var isSentOnce = false

  /// What is sent after the header.
  package enum Body: Sendable {
    /// These bytes.
    case bytes([UInt8])
    /// So many bytes from the beginning of a file, which must stay open and as it is.
    case file(OutputFile, byteCount: Int)

    /// Its length.
    package var byteCount: Int {
      switch self {
      case .bytes(let bytes): bytes.count
      case .file(_, let byteCount): byteCount
      }
    }
  }

  /// A request without a body, unless there is one.
  package init(_ method: Method, _ url: String, headers: [HTTPHeader] = [], body: Body? = nil) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

extension HTTPRequest {
  /// What a request to S3 is signed with, in the way of AWS's signature version 4.
  ///
  /// The path and the query of the URL must be as S3 wants them encoded, and without a name `.` or
  /// `..`, which libcurl would take away. A line `x-amz-content-sha256` with the SHA-256 of the body is
  /// the caller's: not every version of libcurl adds one.
  package struct Signature: Sendable {
    /// The access key's id.
    package var keyID: String
    /// The key.
    package var secretKey: Secret
    /// The region of the bucket.
    package var region: String

    /// A signature by this key, for a bucket of this region.
    package init(keyID: String, secretKey: Secret, region: String) {
      self.keyID = keyID
      self.secretKey = secretKey
      self.region = region
    }
  }
}

extension HTTPRequest: CustomStringConvertible {
  /// Method and URL, without the query, for messages. The header may hold secrets.
  package var description: String { "\(method.rawValue) \(url.prefix { $0 != "?" })" }
}

/// What a server answered.
package struct HTTPResponse: Sendable {
  /// The status code.
  package var status: Int
  /// The header's lines, in their order.
  package var headers: [HTTPHeader]
  /// The body, as far as it did not go into the caller's buffer.
  package var body: [UInt8]
  /// How many bytes went into the caller's buffer.
  package var byteCount: Int

  /// Whether the server did what it was asked for.
  package var isSuccess: Bool { (200..<300).contains(status) }

  /// The value of the first line of this name, in any case; nil if there is none.
  package subscript(name: String) -> String? {
    let name = name.lowercased()
    return headers.first { $0.name.lowercased() == name }?.value
  }
}

/// How a client connects.
package struct HTTPOptions: Sendable {
  /// A file with certificates of authorities to trust instead of the system's; nil for those.
  package var caBundle: String?
  /// How long connecting may take, the TLS handshake included.
  package var connectTimeout = Duration.seconds(10)
  /// How long a transfer may stand still, or be slower than `leastRate`.
  package var stallTimeout = Duration.seconds(30)
  /// The bytes a second below which a transfer counts as standing still. So a request is bounded by its
  /// size: 128 MiB by nine hours at this rate.
  package var leastRate = 4096
  /// How long a request may take; nil for any time, as long as it is not too slow.
  package var timeout: Duration?
  /// Whether the proxies of the environment are used (`https_proxy`, `no_proxy`).
  package var usesProxy = true

  /// The usual ones.
  package init() {}
}
