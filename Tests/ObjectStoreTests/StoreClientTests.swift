import HTTP
import PostgresFormat
import Synchronization
import System
import TestSupport
import Testing

@testable import ObjectStore

/// Goal: a request ends right whatever the server does. Method: a server that answers as it is told.
@Suite struct StoreClientTests {
  /// A client without waits to speak of.
  static func client(
    _ url: String, attempts: Int = 4, prefix: String = "", stall: Duration = .seconds(30)
  ) throws -> StoreClient {
    let variables = ["AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "the-secret"]
    var policy = RetryPolicy()
    policy.attemptLimit = attempts
    policy.firstDelay = .milliseconds(1)
    var options = HTTPOptions()
    options.stallTimeout = stall
    let location = try StoreLocation("s3://\(TestStore.bucket)/\(prefix)")
    return StoreClient(
      location,
      endpoint: try StoreEndpoint(bucket: location.bucket, endpointURL: url, region: "us-east-1"),
      credentials: CredentialSource(try AWSSettings(StoreOptions()) { variables[$0] }),
      client: HTTPClient(options), policy: policy)
  }

  private static let contents = [UInt8]("0123456789".utf8)
  private static let store = TestStore(["key": contents, "empty": []])

  /// A server that gives these replies first, and after that those of the store.
  private static func server(_ replies: [TestServer.Reply]) throws -> TestServer {
    let next = Atomic<Int>(0)
    return try TestServer { request in
      let index = next.add(1, ordering: .relaxed).oldValue
      return index < replies.count ? replies[index] : store.answer(request)
    }
  }

  private static func get(_ client: StoreClient, _ key: String = "key") throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 4)
    guard let piece = try client.get(key, into: &bytes, count: 4, at: 3) else { return nil }
    #expect(piece.objectByteCount == 10)
    return Array(bytes[..<piece.byteCount])
  }

  // MARK: What passes

  private static let passing: [TestServer.Reply] = [
    TestStore.error(500, "InternalError"), TestStore.error(503, "SlowDown"),
    TestStore.error(400, "RequestTimeout"), TestStore.error(429, "TooManyRequests"),
    .answer(status: 502), .answer(status: 503), .answer(status: 504),
    // Of an error as well as of the object itself, after some bytes of it.
    .cut(status: 206, body: [1, 2, 3, 4], after: 2, reset: false),
    .cut(status: 206, body: [1, 2, 3, 4], after: 2, reset: true),
    .cut(status: 503, body: [1, 2, 3, 4], after: 0, reset: false),
  ]

  /// Method: each once, and twice in a row; and every one is signed.
  @Test(arguments: passing.indices) func triedAgain(index: Int) throws {
    let reply = Self.passing[index]
    for replies in [[reply], [reply, reply]] {
      let server = try Self.server(replies)
      #expect(try Self.get(try Self.client(server.url)) == Array("3456".utf8))
      #expect(server.received.count == replies.count + 1)
      for request in server.received {
        #expect(request.headers["authorization"]?.contains("Signature=") == true)
        #expect(request.headers["authorization"]?.contains("/us-east-1/s3/aws4_request") == true)
        #expect(
          request.headers["x-amz-content-sha256"]
            == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(request.headers["range"] == "bytes=3-6")
        #expect(!request.headers.values.contains { $0.contains("the-secret") })
      }
    }
  }

  /// Goal: there is an end to it, which says how often it was tried. Method: more of them than that.
  @Test(arguments: passing.indices) func givenUp(index: Int) throws {
    let server = try Self.server(Array(repeating: Self.passing[index], count: 9))
    let client = try Self.client(server.url)
    let error = #expect(throws: Failure.self) { try Self.get(client) }
    #expect(server.received.count == 4)
    #expect(error?.message.hasSuffix(" (after 4 attempts)") == true, "\(error?.message ?? "")")
    #expect(error?.exitCode == .inputOutput)
    #expect(error?.hint != nil)
  }

  /// Method: a server that says nothing.
  /// Goal: a store that sends a few bytes a second is given up. Method: all of its answers are so; the whole
  /// object would take hours.
  @Test func trickle() throws {
    let body = [UInt8](repeating: 7, count: 1 << 20)
    let server = try TestServer { _ in
      .trickle(
        status: 206, headers: ["Content-Range": "bytes 0-1048575/1048576"], body: body)
    }
    let client = try Self.client(server.url, attempts: 1, stall: .seconds(1))
    var bytes = [UInt8](repeating: 0, count: body.count)
    let error = #expect(throws: Failure.self) {
      _ = try client.get("key", into: &bytes, count: body.count, at: 0)
    }
    #expect(error?.code == .connectionLost && error?.message.contains("too slow") == true)
    #expect(bytes.contains(7), "nothing came at all")
  }

  @Test func silence() throws {
    let server = try Self.server([.silence])
    #expect(try Self.get(try Self.client(server.url, stall: .seconds(1))) == Array("3456".utf8))
  }

  /// Method: a port that nobody listens on any more.
  @Test func unreachable() throws {
    var server: TestServer? = try Self.server([])
    let url = try #require(server?.url)
    server = nil
    let error = #expect(throws: Failure.self) { try Self.get(try Self.client(url)) }
    #expect(error?.code == .serverUnreachable)
    #expect(error?.message.contains("Connection refused (after 4 attempts)") == true)
  }

  // MARK: What does not

  private static let refused: [(TestServer.Reply, ErrorCode, String, String)] = [
    (
      TestStore.error(403, "AccessDenied"), .storeAccessDenied,
      "cannot read 's3://timelines/key': AccessDenied: m", "s3:GetObject"
    ),
    (TestStore.error(403, "InvalidAccessKeyId"), .credentialsRefused, "InvalidAccessKeyId", "key"),
    (TestStore.error(403, "SignatureDoesNotMatch"), .credentialsRefused, "Signature", "secret key"),
    (
      TestStore.error(404, "NoSuchBucket"), .bucketNotFound, "bucket 'timelines' does not exist", ""
    ),
    (TestStore.error(400, "InvalidBucketName"), .bucketNotFound, "InvalidBucketName", "hyphens"),
    (
      TestStore.error(
        403, "RequestTimeTooSkewed", headers: ["Date": "Thu, 01 Jan 2037 00:00:00 GMT"]),
      .clockSkew, "minutes behind the store's)", "Set the clock"
    ),
    (
      TestStore.error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
      .wrongRegion, "(signed for region 'us-east-1')", "'--region eu-west-3'"
    ),
    (
      .answer(status: 301, headers: ["x-amz-bucket-region": "eu-west-1"]), .wrongRegion,
      "status 301", "'--region eu-west-1'"
    ),
    (
      .answer(status: 307, headers: ["Location": "http://127.0.0.1:1/"]), .wrongRegion,
      "status 307", "--endpoint-url"
    ),
    (.answer(status: 403, body: Array("<html>no".utf8)), .storeAccessDenied, "status 403", ""),
    (.answer(status: 418), .storeFailed, "status 418", "S3 service"),
    (.answer(status: 200, body: Array("01".utf8)), .storeFailed, "other bytes than those", ""),
    (
      .answer(status: 206, headers: ["Content-Range": "bytes 4-7/10"], body: [1, 2, 3, 4]),
      .storeFailed, "other bytes than those", ""
    ),
    (
      .answer(status: 206, headers: ["Content-Range": "bytes 3-6/10"], body: [1, 2, 3, 4, 5]),
      .serverFailed, "longer than it may be", ""
    ),
  ]

  /// Goal: each has its code, its words and its hint, at once. Method: a table.
  @Test(arguments: refused.indices) func notTriedAgain(index: Int) throws {
    let (reply, code, message, hint) = Self.refused[index]
    let server = try Self.server([reply])
    let client = try Self.client(server.url)
    let error = #expect(throws: Failure.self) { try Self.get(client) }
    #expect(server.received.count == 1)
    #expect(error?.code == code, "\(error?.message ?? "")")
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    #expect(hint.isEmpty || error?.hint?.contains(hint) == true, "\(error?.hint ?? "")")
  }

  @Test func objects() throws {
    let server = try Self.server([])
    let client = try Self.client(server.url)
    #expect(try Self.get(client, "missing") == nil)
    var bytes = [UInt8](repeating: 7, count: 20)
    let whole = try client.get("key", into: &bytes, from: 5, count: 15, at: 0)
    #expect(whole?.byteCount == 10 && whole?.entityTag != nil)
    #expect(bytes == [7, 7, 7, 7, 7] + Self.contents + [7, 7, 7, 7, 7])
    let empty = try client.get("empty", into: &bytes, count: 15, at: 0)
    #expect(empty?.byteCount == 0 && empty?.objectByteCount == 0)
  }

  // MARK: Listings

  /// Method: 25 keys with odd names in pages of 10, also as directories.
  @Test func listing() throws {
    var store = TestStore([:])
    for number in 0..<25 { store.objects["a/\(number % 5) +&<é/\(number)"] = [1] }
    store.objects["b"] = []
    store.pageSize = 10
    let server = try TestServer { [store] in store.answer($0) }
    let client = try Self.client(server.url)
    var found: [String] = []
    try client.list("a/") { found.append($0.key) }
    #expect(Set(found) == Set(store.objects.keys).subtracting(["b"]))
    #expect(found.count == 25)
    #expect(server.received.count == 3)
    var directories: [String] = []
    found = []
    try client.list(
      "", delimiter: "/", directory: { directories.append($0) }, { found.append($0.key) })
    #expect(directories == ["a/"] && found == ["b"])
  }

  /// Method: what is no listing, or only a part of one.
  @Test(arguments: [
    "", "<", "<html></html>",
    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
    "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult><Prefix>&b;</Prefix></ListBucketResult>",
    String(repeating: "<a>", count: 1000),
  ])
  func noListing(document: String) throws {
    #expect(ListingPage(Array(document.utf8)) == nil)
    let server = try Self.server([.answer(status: 200, body: Array(document.utf8))])
    let client = try Self.client(server.url)
    let error = #expect(throws: Failure.self) { try client.list("") { _ in } }
    #expect(error?.code == .storeFailed)
  }

  // MARK: Files

  /// Goal: an object reads as the file would. Method: random ranges, short ones and long ones, of
  /// objects around the length of a window.
  @Test(arguments: [0, 1, 131_071, 131_072, 131_073, 700_001]) func files(byteCount: Int) throws {
    var generator = SeededGenerator(state: UInt64(byteCount))
    let contents = generator.bytes(byteCount)
    let store = TestStore(["dir/file": contents, "dir/": [], "dir/sub/x": [1]])
    let server = try TestServer { store.answer($0) }
    let directory = StoredDirectory(try Self.client(server.url, prefix: "dir/"))
    #expect(directory.path == "s3://timelines/dir")
    #expect(try directory.names() == ["file", "sub"])
    #expect(try directory.contents(of: "file", limit: byteCount) == contents)
    let (file, length) = try directory.open("file")
    #expect(length == UInt64(byteCount))
    for _ in 0..<50 {
      let offset = Int.random(in: 0...byteCount + 10, using: &generator)
      let count = Int.random(
        in: 0...(Bool.random(using: &generator) ? 9000 : 300_000), using: &generator)
      var bytes = [UInt8](repeating: 0, count: count)
      let got = try file.read(into: &bytes, count: count, at: UInt64(offset))
      #expect(bytes.prefix(got).elementsEqual(contents.dropFirst(offset).prefix(count)))
    }
    #expect { try directory.open("other") } throws: { ($0 as? Failure)?.code == .missingFile }
  }

  /// Goal: what is read from end to end takes few requests, also with another file in between, and a
  /// lookup fetches little. Method: 24 MiB in reads of 8 KiB, and then one page of 400 objects.
  @Test func requests() throws {
    let long = [UInt8](repeating: 5, count: 24 << 20)
    var store = TestStore(["long": long])
    for number in 0..<400 { store.objects["\(number)"] = Array(long.prefix(1 << 20)) }
    let server = try TestServer { [store] in store.answer($0) }
    let directory = StoredDirectory(try Self.client(server.url))
    var bytes = [UInt8](repeating: 0, count: 8192)
    let (file, byteCount) = try directory.open("long")
    let (other, _) = try directory.open("0")
    for offset in stride(from: 0, to: byteCount, by: 8192) {
      #expect(try file.read(into: &bytes, count: 8192, at: offset) == 8192)
      if offset % 65_536 == 0 { _ = try other.read(into: &bytes, count: 100, at: offset % 131_072) }
    }
    #expect(server.received.count < 15)
    let before = server.received.count
    for number in 1..<400 {
      let (file, _) = try directory.open("\(number)")
      _ = try file.read(into: &bytes, count: 8192, at: 700_000)
    }
    #expect(server.received.count - before == 2 * 399)
    let sent = server.received.suffix(2 * 399).compactMap { request in
      request.headers["range"]?.split(whereSeparator: { "=-".contains($0) }).compactMap { Int($0) }
    }
    #expect(sent.allSatisfy { $0[1] - $0[0] < 131_072 })
  }

  /// Goal: an object that is written again meanwhile is noticed. Method: another one of the same length.
  @Test func changedFile() throws {
    let isChanged = Atomic<Bool>(false)
    let server = try TestServer { request in
      let byte: UInt8 = isChanged.load(ordering: .relaxed) ? 1 : 2
      return TestStore(["file": [UInt8](repeating: byte, count: 4_000_000)]).answer(request)
    }
    let (file, _) = try StoredDirectory(try Self.client(server.url)).open("file")
    var bytes = [UInt8](repeating: 0, count: 10)
    #expect(try file.read(into: &bytes, count: 10, at: 200_000) == 10)
    isChanged.store(true, ordering: .relaxed)
    let error = #expect(throws: Failure.self) {
      try file.read(into: &bytes, count: 10, at: 3_900_000)
    }
    #expect(error?.code == .storeFailed)
    #expect(error?.message.contains("changed or disappeared") == true)
  }
}
