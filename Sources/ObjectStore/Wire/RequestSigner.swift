import HTTP
import PostgresFormat
import System

/// Signs requests with AWS's signature version 4: pure, from the request to the header's lines.
///
/// ```
/// canonical request   method, path, query, header lines, their names, SHA-256 of the body
/// text to sign        AWS4-HMAC-SHA256, time, DATE/REGION/SERVICE/aws4_request, SHA-256 of the above
/// key                 HMAC chain: AWS4 + secret key, DATE, REGION, SERVICE, aws4_request
/// ```
///
/// (AWS, "Create a signed AWS API request" and "Signature Calculations for the Authorization Header")
struct RequestSigner {
  /// What is signed.
  struct Request {
    var method: HTTPRequest.Method
    /// The host, with the port if the URL has one.
    var host: String
    /// The path as it is sent, encoded.
    var path: String
    /// Names and values that are not encoded yet, in any order.
    var query: [(name: String, value: String)] = []
    /// The header's lines that are sent besides those which the signer adds.
    var headers: [HTTPHeader] = []
    /// The SHA-256 of the body in hexadecimal digits.
    var payloadHash: String
  }

  /// The SHA-256 of no bytes.
  static let emptyHash = hash("")

  let credentials: Credentials
  let region: String
  var service = "s3"

  private static let algorithm = "AWS4-HMAC-SHA256"

  private static func hash(_ text: String) -> String {
    var hash = SHA2(.sha256)
    hash.update(Array(text.utf8).bytes)
    return hash.value.hexadecimal
  }

  /// The query as it is signed and sent: sorted, every name with an equals sign.
  static func query(_ query: [(name: String, value: String)]) -> String {
    query.map { (PercentEncoding.query($0.name), PercentEncoding.query($0.value)) }
      .sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  /// All lines of the header that are to be sent, `Host` among them, the signature last.
  func headers(of request: Request, at time: UTCTime) -> [HTTPHeader] {
    let timeText = time.basicText
    var headers = request.headers
    headers.append(HTTPHeader("Host", request.host))
    headers.append(HTTPHeader("x-amz-content-sha256", request.payloadHash))
    headers.append(HTTPHeader("x-amz-date", timeText))
    if let token = credentials.sessionToken {
      headers.append(HTTPHeader("x-amz-security-token", token.revealed))
    }
    let lines = headers.map { ($0.name.lowercased(), $0.value) }.sorted { $0 < $1 }
    let names = lines.map { $0.0 }.joined(separator: ";")
    let canonical = [
      request.method.rawValue, request.path, Self.query(request.query),
      lines.map { "\($0.0):\($0.1)\n" }.joined(), names, request.payloadHash,
    ].joined(separator: "\n")

    let day = String(timeText.prefix(8))
    let scope = [day, region, service, "aws4_request"]
    let text = [Self.algorithm, timeText, scope.joined(separator: "/"), Self.hash(canonical)]
      .joined(separator: "\n")
    let key = scope.reduce(Array("AWS4\(credentials.secretKey.revealed)".utf8)) {
      hmacSHA256($0, $1)
    }
    let signature = hmacSHA256(key, text).hexadecimal
    let scopeText = scope.joined(separator: "/")
    headers.append(
      HTTPHeader(
        "Authorization",
        "\(Self.algorithm) Credential=\(credentials.keyID)/\(scopeText), SignedHeaders=\(names), "
          + "Signature=\(signature)"))
    return headers
  }
}
