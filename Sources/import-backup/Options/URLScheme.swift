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
