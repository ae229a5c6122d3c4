import Foundation

/// Objects in memory, and what S3 answers about them: just what reading a timeline needs.
///
/// Signatures are not checked: the real servers of the tests do that.
public struct TestStore: Sendable {
  /// The bucket's name.
  public static let bucket = "timelines"
  /// The bytes of each object, by key.
  public var objects: [String: [UInt8]]
  /// How many keys a page of a listing has.
  public var pageSize = 1000

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
    let tag = [
      "ETag":
        "\"\(object.count)-\(object.prefix(999).reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) })\""
    ]
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
      var entry = Self.element("Contents", "Key", key, "<Size>\(objects[key]?.count ?? 0)</Size>")
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
