import PostgresFormat
import System

/// Where the requests for one bucket go, and which region they are signed for.
struct StoreEndpoint: Sendable, Equatable {
  /// `https`, or `http` if the endpoint was given so.
  let scheme: String
  /// The host, with the port if there is one.
  let host: String
  /// What the path of every request begins with, encoded: the bucket, if the host does not have it.
  let basePath: String
  /// The region to sign for.
  let region: String

  /// Takes what was said; AWS's own service, for want of an endpoint.
  ///
  /// A bucket of AWS is part of the host, unless its name has a dot, which no certificate is valid
  /// for. With an endpoint it is the first part of the path, as stores of one host want it.
  ///
  /// Throws `.usage` if the endpoint is not the URL of a server.
  init(bucket: String, endpointURL: String?, region: String) throws(Failure) {
    self.region = region
    guard let endpointURL else {
      scheme = "https"
      let domain = "s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
      let isInHost = !bucket.contains(".") && !bucket.contains("_")
      host = isInHost ? bucket + "." + domain : domain
      basePath = isInHost ? "" : "/" + PercentEncoding.path(bucket)
      return
    }
    guard let end = endpointURL.firstRange(of: "://"),
      ["http", "https"].contains(endpointURL[..<end.lowerBound].lowercased())
    else { throw Self.refusal(of: endpointURL) }
    let rest = endpointURL[end.upperBound...]
    let name = rest.prefix { $0 != "/" }
    var path = rest.dropFirst(name.count)
    while path.last == "/" { path.removeLast() }
    guard !name.isEmpty, rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      !rest.contains(where: { "?#@\\".contains($0) })
    else { throw Self.refusal(of: endpointURL) }
    guard !name.lowercased().contains(".core.windows.net") else {
      throw Failure(
        .urlUnsupported, "the endpoint \(endpointURL.quoted) is one of Azure's, which is not S3",
        hint:
          "Write to a local directory, and copy that with 'azcopy copy', index_part.json last; to "
          + "read, copy to a local directory first.")
    }
    scheme = endpointURL[..<end.lowerBound].lowercased()
    host = Self.withoutUsualPort(String(name), scheme: scheme)
    basePath = path + "/" + PercentEncoding.path(bucket)
  }

  /// What curl sends as the host: a port that the scheme has anyway is left out.
  private static func withoutUsualPort(_ host: String, scheme: String) -> String {
    let port = scheme == "http" ? ":80" : ":443"
    return host.hasSuffix(port) ? String(host.dropLast(port.count)) : host
  }

  private static func refusal(of url: String) -> Failure {
    // What is before an @ may be a secret.
    let shown = url.lastIndex(of: "@").map { "..." + url[$0...] } ?? url
    return Failure(
      .badOption, "the endpoint \(shown.quoted) is not the URL of a server",
      hint: "Write it as https://HOST or http://HOST:PORT.")
  }

  /// The encoded path of a key, or of the bucket itself for none.
  func path(of key: String) -> String {
    key.isEmpty && !basePath.isEmpty ? basePath : basePath + "/" + PercentEncoding.path(key)
  }
}
