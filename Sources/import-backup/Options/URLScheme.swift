import PostgresFormat
import System

/// The beginning of a URL, `s3://`: something that this program does not read or write itself.
struct URLScheme {
  /// In lower case, without what follows it.
  let name: String

  /// The scheme of a word that looks like a URL; nil of any other word. (RFC 3986, section 3.1)
  ///
  /// A directory of such a name is given as `./s3://`.
  init?(of word: String) {
    guard let end = word.firstRange(of: "://")?.lowerBound else { return nil }
    let scheme = word[..<end].utf8
    guard let first = scheme.first, Self.isLetter(first),
      scheme.allSatisfy({
        Self.isLetter($0) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0)
      })
    else { return nil }
    name = word[..<end].lowercased()
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }

  /// Throws if a word, which may be the place of an object store, looks like one without both slashes.
  ///
  /// - Parameter subject: what messages call it.
  static func requireBothSlashes(_ word: String, _ subject: String) throws(Failure) {
    let name = word.dropFirst("s3:".count)
    guard word.prefix("s3:".count).lowercased() == "s3:", !name.hasPrefix("//") else { return }
    throw Failure(
      .urlUnsupported, "\(subject) is neither a path nor an S3 URL: \(word.quoted)",
      hint:
        "A bucket is given as s3://\(escaped(name.drop { $0 == "/" }.utf8)), and a directory of "
        + "this name as ./\(escaped(word.utf8)).")
  }

  /// What to do with the URL of a receipt.
  static let hintForReceipt =
    "A receipt is a local file: copy it from a bucket first, with 'aws s3 cp' for example. An import to a "
    + "bucket writes one there by itself."

  /// What to do with a URL to write a backup to.
  var hintForExport: String {
    switch name {
    case "file": "Give the path, without 'file://'."
    case "s3": "Write to standard output, and pipe that to 'aws s3 cp - URL'; or copy a local file."
    default: "Write to a local file, and copy that."
    }
  }

  /// What to do with a URL to read from.
  var hintForInput: String {
    switch name {
    case "file": "Give the path, without 'file://'."
    case "http", "https":
      "Download it first, or pipe a tar in with 'curl --fail URL | import-backup - ...'."
    case "s3":
      "Copy it to a local file first, or pipe a tar in with "
        + "'aws s3 cp URL - | import-backup - ...'."
    default: "Copy it to a local file or directory first, or pipe a tar to standard input."
    }
  }

  /// What to do with the URL of a timeline.
  var hintForTimeline: String {
    switch name {
    case "file": "Give the path, without 'file://'."
    case "gs": Self.googleHint
    case "az", "abfs", "abfss", "wasb", "wasbs":
      "Azure's store is not supported. Copy the timeline to a local directory first, with 'azcopy "
        + "copy' for example."
    default: "Copy it to a local directory first."
    }
  }

  private static let googleHint =
    "Google's store has an interface for S3: give s3://BUCKET/PREFIX and '--endpoint-url "
    + "https://storage.googleapis.com', with an HMAC key as AWS_ACCESS_KEY_ID and "
    + "AWS_SECRET_ACCESS_KEY."

  /// What to do with a URL to write to.
  var hintForOutput: String {
    switch name {
    case "file": "Give the path, without 'file://'."
    case "gs": Self.googleHint
    case "http", "https":
      "Give s3://BUCKET/PREFIX, and the URL of the server with '--endpoint-url'."
    default:
      "Write to a local directory first. Then copy its files to the same names in the bucket, "
        + "index_part.json last."
    }
  }
}
