import HTTP
import PostgresFormat
import System
import Testing

@testable import ObjectStore

/// Goal: requests are signed as S3 wants it. Method: the examples that AWS publishes with their
/// signatures ("Signature Calculations for the Authorization Header: Transferring Payload in a Single
/// Chunk").
@Suite struct RequestSignerTests {
  private let signer = RequestSigner(
    credentials: Credentials(
      keyID: "AKIAIOSFODNN7EXAMPLE", secretKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
    region: "us-east-1")
  /// 2013-05-24, 00:00:00.
  private let time = UTCTime(seconds: 1_369_353_600)

  private func signature(
    _ method: HTTPRequest.Method, _ path: String, query: [(name: String, value: String)] = [],
    headers: [HTTPHeader] = [], body: String = ""
  ) -> String {
    var hash = SHA2(.sha256)
    hash.update(Array(body.utf8).bytes)
    let headers = signer.headers(
      of: .init(
        method: method, host: "examplebucket.s3.amazonaws.com", path: path, query: query,
        headers: headers, payloadHash: hash.value.hexadecimal),
      at: time)
    let line = headers.last?.value ?? ""
    let scope = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    #expect(line.hasPrefix("AWS4-HMAC-SHA256 " + scope))
    return String(line.split(separator: "=").last ?? "")
  }

  @Test func getsARange() {
    #expect(
      signature(.get, "/test.txt", headers: [HTTPHeader("Range", "bytes=0-9")])
        == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
  }

  @Test func puts() {
    #expect(
      signature(
        .put, "/" + PercentEncoding.path("test$file.text"),
        headers: [
          HTTPHeader("Date", "Fri, 24 May 2013 00:00:00 GMT"),
          HTTPHeader("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ], body: "Welcome to Amazon S3.")
        == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
  }

  @Test func getsASubresource() {
    #expect(
      signature(.get, "/", query: [("lifecycle", "")])
        == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
  }

  /// Method: the names are given in another order than the signed one.
  @Test func lists() {
    #expect(
      signature(.get, "/", query: [("prefix", "J"), ("max-keys", "2")])
        == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
  }

  /// Goal: no secret comes to a message by accident. Method: everything that prints.
  @Test func secretsAreHidden() {
    var credentials = signer.credentials
    credentials.sessionToken = Secret("TOKEN-TOKEN")
    var dumped = ""
    dump(credentials, to: &dumped)
    for text in ["\(credentials)", String(reflecting: credentials), dumped] {
      #expect(!text.contains("wJalr") && !text.contains("TOKEN"), "\(text)")
    }
  }
}
