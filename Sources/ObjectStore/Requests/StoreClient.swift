import HTTP
import PostgresFormat
import System

/// One bucket of an object store, and the requests to it.
///
/// Each request is signed; if it fails in a way that may pass, it is signed and sent again
/// (`RetryPolicy`). Used by any number of threads. Throws `.inputOutput` if the store does not answer,
/// and codes of their own for what it refuses (`StoreProblem`).
package final class StoreClient: Sendable {
  /// The bucket; its prefix is where the caller's keys begin.
  package let location: StoreLocation
  private let endpoint: StoreEndpoint
  private let credentials: CredentialSource
  let client: HTTPClient
  private let policy: RetryPolicy

  /// Looks up endpoint, region and credentials; nothing is sent to the store yet.
  package convenience init(
    _ location: StoreLocation, _ options: StoreOptions, policy: RetryPolicy = RetryPolicy()
  ) throws(Failure) {
    let settings = try AWSSettings(options)
    var httpOptions = HTTPOptions()
    httpOptions.caBundle = settings.caBundle
    self.init(
      location,
      endpoint: try StoreEndpoint(
        bucket: location.bucket, endpointURL: settings.endpointURL, region: settings.region),
      credentials: CredentialSource(settings), client: HTTPClient(httpOptions), policy: policy)
  }

  init(
    _ location: StoreLocation, endpoint: StoreEndpoint, credentials: CredentialSource,
    client: HTTPClient, policy: RetryPolicy
  ) {
    self.location = location
    self.endpoint = endpoint
    self.credentials = credentials
    self.client = client
    self.policy = policy
  }

  /// The same bucket with another policy; credentials and connections are shared.
  package func with(_ policy: RetryPolicy) -> StoreClient {
    StoreClient(
      location, endpoint: endpoint, credentials: credentials, client: client, policy: policy)
  }

  /// The SHA-256 of no bytes.
  static let emptyHash = SHA2(.sha256).value.hexadecimal

  /// What is to be done, before it is signed.
  struct Operation {
    var method: HTTPRequest.Method
    var key = ""
    var query: [(name: String, value: String)] = []
    var headers: [HTTPHeader] = []
    var body: HTTPRequest.Body?
    var payloadHash = StoreClient.emptyHash
    /// The verb of messages: `read`.
    var verb: String
  }

  /// An answer, or what is wrong with it in the store's words.
  enum Outcome {
    case done(HTTPResponse)
    case refused(StoreProblem, Failure)
  }

  private func request(for operation: Operation, signedWith credentials: Credentials) -> HTTPRequest
  {
    let path = endpoint.path(of: operation.key)
    let query = operation.query.isEmpty ? "" : "?" + PercentEncoding.query(operation.query)
    var headers = operation.headers
    headers.append(HTTPHeader("x-amz-content-sha256", operation.payloadHash))
    if let token = credentials.sessionToken {
      headers.append(HTTPHeader("x-amz-security-token", token.revealed))
    }
    var request = HTTPRequest(
      operation.method, "\(endpoint.scheme)://\(endpoint.host)\(path)\(query)", headers: headers,
      body: operation.body)
    request.signature = .init(
      keyID: credentials.keyID, secretKey: credentials.secretKey, region: endpoint.region)
    return request
  }

  /// Signs and sends until there is an answer that does not pass.
  func perform(
    _ operation: Operation,
    _ send: (HTTPRequest) throws(TransferError) -> HTTPResponse
  ) throws(Failure) -> Outcome {
    var backoff = Backoff(policy)
    var hasRefreshed = false
    while true {
      let used = try credentials.current()
      let request = request(for: operation, signedWith: used)
      var failure: Failure
      switch Result(catching: { () throws(TransferError) in try send(request) }) {
      case .success(let response):
        if response.isSuccess { return .done(response) }
        let problem = StoreProblem(response)
        failure = problem.failure(
          "\(operation.verb) \(url(of: operation.key).quoted)", location: location,
          endpoint: endpoint)
        failure.message = used.redacted(failure.message)
        if problem.kind == .expired && !hasRefreshed {
          hasRefreshed = true
          credentials.forget()
          continue
        }
        guard problem.mayPass else { return .refused(problem, failure) }
      case .failure(let error):
        failure = error.failure
        if failure.code == .serverUnreachable, endpoint.host.hasSuffix(".amazonaws.com") {
          failure.hint =
            (failure.hint.map { $0 + " " } ?? "")
            + "For a store other than AWS's, give its URL with '--endpoint-url'."
        }
        guard error.mayPass else { throw failure }
      }
      guard try backoff.wait() else {
        failure.message += " (after \(backoff.attemptCount) attempts)"
        throw failure
      }
    }
  }

  /// The URL of an object, for messages.
  package func url(of key: String) -> String {
    "s3://" + location.bucket + (key.isEmpty ? "" : "/" + key)
  }
}

// MARK: Reading

extension StoreClient {
  /// A piece of an object.
  package struct Piece: Sendable {
    /// How many bytes came.
    package var byteCount: Int
    /// How long the whole object is.
    package var objectByteCount: UInt64
    /// What changes when the object is written again; nil if the store does not say it.
    package var entityTag: String?
    /// Whether the store says when the object was written.
    package var hasTime = false
  }

  /// Reads `count` bytes of an object from `offset` into `bytes` from `start`; fewer only at the
  /// object's end. Nil if no object has the key.
  package func get(
    _ key: String, into bytes: inout [UInt8], from start: Int = 0, count: Int, at offset: UInt64
  ) throws(Failure) -> Piece? {
    precondition(count > 0)
    let range = "bytes=\(offset)-\(offset + UInt64(count) - 1)"
    let operation = Operation(
      method: .get, key: key, headers: [HTTPHeader("Range", range)], verb: "read")
    let outcome = try perform(operation) { request throws(TransferError) in
      try client.send(request, into: &bytes, from: start, count: count)
    }
    switch outcome {
    case .done(let response):
      guard let length = Self.objectByteCount(of: response, offset: offset),
        UInt64(response.byteCount) == min(UInt64(count), length - min(offset, length))
      else {
        throw Failure(
          .storeFailed,
          "cannot read \(url(of: key).quoted): the store sent other bytes than those asked for",
          hint: "The store does not serve ranges of objects as S3 does.")
      }
      return Piece(
        byteCount: response.byteCount, objectByteCount: length, entityTag: response["ETag"],
        hasTime: response["Last-Modified"] != nil)
    case .refused(let problem, let failure):
      switch problem.kind {
      case .noSuchKey: return nil
      // An object that ends before the range: an empty one, for a range from its start.
      case .invalidRange: return Piece(byteCount: 0, objectByteCount: offset, entityTag: nil)
      default: throw failure
      }
    }
  }

  /// The length of an object of which a part was sent, from `Content-Range: bytes 0-99/1234`; or of one
  /// that was sent as a whole.
  private static func objectByteCount(of response: HTTPResponse, offset: UInt64) -> UInt64? {
    guard response.status == 206 else { return offset == 0 ? UInt64(response.byteCount) : nil }
    guard let range = response["Content-Range"], range.hasPrefix("bytes \(offset)-"),
      let slash = range.lastIndex(of: "/")
    else { return nil }
    return UInt64(range[range.index(after: slash)...])
  }
}

// MARK: Listing

/// An object of a listing.
package struct ListedObject: Equatable, Sendable {
  /// Its whole key.
  package var key: String
  /// Its length.
  package var byteCount: UInt64
  /// What changes when it is written again, without quotes; nil if the store does not say it.
  package var entityTag: String?

  /// An object of a key and a length.
  package init(key: String, byteCount: UInt64, entityTag: String? = nil) {
    self.key = key
    self.byteCount = byteCount
    self.entityTag = entityTag
  }
}

extension StoreClient {
  /// The longest page of a listing that is read: 1,000 keys of 1,024 bytes, all of them encoded.
  private static let pageLimit = 16 << 20

  /// Calls `body` for every object whose key begins with `prefix`, in the order of the keys' bytes;
  /// with `delimiter`, only for those without it after the prefix.
  ///
  /// - Parameter directory: gets what begins the keys that have the delimiter, up to it and with it.
  ///
  /// A request for each 1,000 keys. Memory: one such page.
  package func list(
    _ prefix: String, delimiter: String? = nil,
    directory: (String) throws(Failure) -> Void = { _ in },
    _ body: (ListedObject) throws(Failure) -> Void
  ) throws(Failure) {
    var token: String?
    repeat {
      var query = [
        (name: "encoding-type", value: "url"), ("list-type", "2"), ("prefix", prefix),
      ]
      if let delimiter { query.append(("delimiter", delimiter)) }
      if let token { query.append(("continuation-token", token)) }
      let page = try page(of: Operation(method: .get, query: query, verb: "list"))
      for object in page.objects { try body(object) }
      for name in page.directories { try directory(name) }
      token = page.nextToken
    } while token != nil
  }

  private func page(of operation: Operation) throws(Failure) -> ListingPage {
    let outcome = try perform(operation) { request throws(TransferError) in
      try client.send(request, limit: Self.pageLimit)
    }
    switch outcome {
    case .done(let response):
      guard let page = ListingPage(response.body) else {
        throw Failure(
          .storeFailed, "cannot list \(location.description.quoted): the answer is not a listing",
          hint: "Check that the endpoint is an S3 service.")
      }
      return page
    case .refused(let problem, let failure):
      guard problem.kind == .noSuchKey else { throw failure }
      // A listing has no key that could be missing.
      throw Failure(
        .bucketNotFound,
        "cannot list \(location.description.quoted): \(escaped(problem.code.utf8))",
        hint: "Check that bucket \(location.bucket.quoted) exists, and that the endpoint is an S3 "
          + "service.")
    }
  }
}

/// A page of a listing. (AWS, `ListObjectsV2`)
package struct ListingPage {
  /// The objects of the page.
  package private(set) var objects: [ListedObject] = []
  /// What begins keys that have the delimiter, up to it and with it.
  package private(set) var directories: [String] = []
  /// What the next page is asked for with; nil after the last.
  let nextToken: String?

  /// Reads the XML of a page; nil if it is something else.
  package init?(_ document: [UInt8]) {
    guard let root = XMLElement(document: document), root.name == "ListBucketResult" else {
      return nil
    }
    let isEncoded = root["EncodingType"]?.text == "url"
    func decoded(_ text: String) -> String { isEncoded ? PercentEncoding.decoded(text) : text }
    let isTruncated = root["IsTruncated"]?.text == "true"
    nextToken = isTruncated ? root["NextContinuationToken"]?.text : nil
    if isTruncated && nextToken == nil { return nil }
    for element in root.children {
      switch element.name {
      case "Contents":
        guard let key = element["Key"]?.text,
          let byteCount = element["Size"].flatMap({ UInt64($0.text) })
        else { return nil }
        objects.append(
          ListedObject(
            key: decoded(key), byteCount: byteCount,
            entityTag: element["ETag"].flatMap { StoreClient.tag($0.text) }))
      case "CommonPrefixes":
        guard let prefix = element["Prefix"]?.text else { return nil }
        directories.append(decoded(prefix))
      default: break
      }
    }
  }
}
