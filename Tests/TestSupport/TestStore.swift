import Foundation
import Synchronization

/// Objects in memory, and what S3 answers about them: just what timelines need.
///
/// Signatures are not checked: the real servers of the tests do that.
public struct TestStore: Sendable {
  /// The bucket's name.
  public static let bucket = "timelines"
  /// The bytes of each object, by key.
  public var objects: [String: [UInt8]]
  /// How many keys a page of a listing has.
  public var pageSize = 1000
  /// Whether a conditional PUT of a key that exists is refused.
  public var honoursConditions = true
  /// Whether an object keeps what it was put with besides its bytes.
  public var keepsMetadata = true
  /// Whether an answer has the tag of its object.
  public var givesTags = true
  /// Longer keys are answered with 500.
  public var keyLimit = 1024
  /// What objects were put with besides their bytes.
  private var metadata: [String: [String: String]] = [:]
  /// When objects were put, in seconds since 1970; the others are older.
  public var times: [String: Int] = [:]
  private static let oldTime = 1_000_000_000

  /// The variables for programs that are to find a store at this URL, and nothing of the machine's own
  /// settings.
  public static func environment(
    _ url: String, keyID: String = "key-id", secretKey: String = "the-secret"
  ) -> [String: String] {
    var variables = [
      "AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": secretKey,
      "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent",
    ]
    for name in [
      "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION", "ENDPOINT_URL", "CA_BUNDLE",
      "CONFIG_FILE", "SHARED_CREDENTIALS_FILE", "WEB_IDENTITY_TOKEN_FILE", "ROLE_ARN",
      "CONTAINER_CREDENTIALS_FULL_URI", "CONTAINER_CREDENTIALS_RELATIVE_URI",
    ] { variables["AWS_" + name] = "" }
    return variables
  }

  /// A bucket with these objects.
  public init(_ objects: [String: [UInt8]]) { self.objects = objects }

  /// Answers a request of path style.
  public func answer(_ request: TestServer.Request) -> TestServer.Reply {
    let path = request.path.removingPercentEncoding ?? ""
    let root = "/" + Self.bucket
    guard path == root || path.hasPrefix(root + "/") else {
      return Self.error(404, "NoSuchBucket")
    }
    if request.query["list-type"] == "2" { return list(request.query) }
    guard let object = objects[String(path.dropFirst(root.count + 1))] else {
      return Self.error(404, "NoSuchKey")
    }
    let key = String(path.dropFirst(root.count + 1))
    var tag = givesTags ? ["ETag": "\"\(Self.tag(of: object))\""] : [:]
    tag["Last-Modified"] = Self.date(times[key] ?? Self.oldTime)
    tag["Date"] = Self.date(Int(Date().timeIntervalSince1970))
    tag.merge(metadata[key] ?? [:]) { $1 }
    if request.method == "HEAD" {
      return .answer(
        status: 200, headers: tag.merging(["Content-Length": "\(object.count)"]) { $1 })
    }
    guard let range = request.headers["range"] else {
      return .answer(status: 200, headers: tag, body: object)
    }
    let bounds = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
    guard bounds.count == 2, bounds[0] < object.count else {
      return Self.error(416, "InvalidRange")
    }
    let piece = object[bounds[0]...min(bounds[1], object.count - 1)]
    let place = "bytes \(bounds[0])-\(bounds[0] + piece.count - 1)/\(object.count)"
    return .answer(
      status: 206, headers: tag.merging(["Content-Range": place]) { $1 }, body: Array(piece))
  }

  private static func tag(of object: [UInt8]) -> String {
    "\(object.count)-\(object.prefix(999).reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) })"
  }

  private static func date(_ seconds: Int) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
  }

  /// Answers a request of path style, which may also change what is there.
  public mutating func handle(_ request: TestServer.Request) -> TestServer.Reply {
    let root = "/" + Self.bucket + "/"
    let path = request.path.removingPercentEncoding ?? ""
    guard path.hasPrefix(root), ["PUT", "DELETE"].contains(request.method) else {
      return answer(request)
    }
    let key = String(path.dropFirst(root.count))
    if key.utf8.count > keyLimit { return Self.error(500, "InternalError") }
    if request.method == "DELETE" {
      objects[key] = nil
      return .answer(status: 204)
    }
    if request.headers["if-none-match"] != nil, honoursConditions, objects[key] != nil {
      return Self.error(412, "PreconditionFailed")
    }
    objects[key] = request.body
    times[key] = Int(Date().timeIntervalSince1970)
    metadata[key] = keepsMetadata ? request.headers.filter { $0.key.hasPrefix("x-amz-meta-") } : [:]
    return .answer(
      status: 200, headers: givesTags ? ["ETag": "\"\(Self.tag(of: request.body))\""] : [:])
  }

  /// An error as S3 writes it.
  public static func error(
    _ status: Int, _ code: String, _ more: String = "", message: String = "m",
    headers: [String: String] = [:]
  ) -> TestServer.Reply {
    let xml =
      "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>\(message)</Message>\(more)</Error>"
    return .answer(status: status, headers: headers, body: Array(xml.utf8))
  }

  private func list(_ query: [String: String]) -> TestServer.Reply {
    let prefix = query["prefix"] ?? ""
    let delimiter = query["delimiter"]
    var entries: [String] = []
    for key in objects.keys.sorted(by: { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
    where key.hasPrefix(prefix) {
      let object = objects[key] ?? []
      let time = Date(timeIntervalSince1970: Double(times[key] ?? Self.oldTime))
      var entry = Self.element(
        "Contents", "Key", key,
        "<Size>\(object.count)</Size><LastModified>\(time.ISO8601Format())</LastModified>"
          + (givesTags ? "<ETag>&quot;\(Self.tag(of: object))&quot;</ETag>" : ""))
      if let delimiter, let end = key.dropFirst(prefix.count).firstRange(of: delimiter) {
        entry = Self.element("CommonPrefixes", "Prefix", String(key[..<end.upperBound]), "")
      }
      if entries.last != entry { entries.append(entry) }
    }
    let start = query["continuation-token"].flatMap { Int($0.dropFirst(2)) } ?? 0
    let end = min(start + pageSize, entries.count)
    let next = end < entries.count ? "<NextContinuationToken>=/\(end)</NextContinuationToken>" : ""
    let xml = """
      <?xml version="1.0" encoding="UTF-8"?>
      <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>\
      <IsTruncated>\(end < entries.count)</IsTruncated>\(next)\(entries[start..<end].joined())\
      </ListBucketResult>
      """
    return .answer(status: 200, body: Array(xml.utf8))
  }

  private static func element(
    _ element: String, _ name: String, _ key: String, _ more: String
  ) -> String {
    let encoded = key.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    return "<\(element)><\(name)>\(encoded)</\(name)>\(more)</\(element)>"
  }
}

/// A bucket that requests change.
public final class WritableStore: Sendable {
  private let store: Mutex<TestStore>

  /// A bucket that is like this at first.
  public init(_ store: TestStore = TestStore([:])) { self.store = Mutex(store) }

  /// What it holds now.
  public var objects: [String: [UInt8]] { store.withLock { $0.objects } }

  /// Answers a request, and does it.
  public func answer(_ request: TestServer.Request) -> TestServer.Reply {
    store.withLock { $0.handle(request) }
  }

  /// Does something to it.
  public func change(_ body: (inout TestStore) -> Void) { store.withLock { body(&$0) } }
}
