import PostgresFormat
import System

/// A place in an object store: `s3://BUCKET[/PREFIX]`.
public struct StoreLocation: Sendable, Equatable {
  /// The bucket's name.
  public let bucket: String
  /// What the keys begin with, without slashes around it; empty for the whole bucket.
  public let prefix: String

  /// The beginning of a location.
  private static let scheme = "s3://"

  /// Whether a word is meant to be such a place, well-formed or not.
  public static func isMeant(by word: String) -> Bool {
    word.prefix(scheme.count).lowercased() == scheme
  }

  /// Reads a URL; throws `.usage` if it has no bucket, or one that no store has.
  public init(_ url: String) throws(Failure) {
    precondition(Self.isMeant(by: url))
    let rest = url.dropFirst(Self.scheme.count)
    bucket = String(rest.prefix { $0 != "/" })
    var prefix = rest.dropFirst(bucket.count)
    while prefix.first == "/" { prefix.removeFirst() }
    while prefix.last == "/" { prefix.removeLast() }
    self.prefix = String(prefix)
    // S3's own rule, and underscores, which other stores allow. (AWS, "General purpose bucket
    // naming rules")
    let isName = bucket.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
        || ".-_".utf8.contains(byte)
    }
    guard isName, (2...255).contains(bucket.utf8.count), bucket.first != "." else {
      throw Failure(
        .badOption, "\(url.quoted) does not name a bucket",
        hint:
          "Write it as s3://BUCKET/PREFIX, such as s3://backups/pageserver. A bucket's name has 2 to 255 "
          + "letters, digits, dots, hyphens and underscores.")
    }
    // Keys are no paths, but libcurl resolves such names before it signs.
    if let name = prefix.split(separator: "/").first(where: { [".", ".."].contains($0) }) {
      throw Failure(
        .badOption, "\(url.quoted) contains the name \(String(name).quoted)",
        hint: "In an object store it does not mean a directory. Write the prefix without it.")
    }
  }

  init(bucket: String, prefix: String) {
    self.bucket = bucket
    self.prefix = prefix
  }

  /// The beginning of the keys of everything below it: empty, or with a slash at its end.
  package var keyPrefix: String { prefix.isEmpty ? "" : prefix + "/" }
}

extension StoreLocation: CustomStringConvertible {
  /// The URL, without a slash at its end.
  public var description: String {
    Self.scheme + bucket + (prefix.isEmpty ? "" : "/" + prefix)
  }
}
