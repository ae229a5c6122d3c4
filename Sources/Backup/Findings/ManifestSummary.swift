import PostgresFormat
import System

/// What a backup's manifest said, in the summary.
public struct ManifestSummary: Codable, Equatable, Sendable {
  /// The outcome of the comparison; the raw value is the word in the JSON object.
  public enum Result: String, Codable, Sendable {
    /// The backup holds what the manifest lists, byte for byte, and nothing else of Postgres's.
    case verified
    /// At least one file differs, is missing or is not listed: the backup is refused.
    case different
    /// Not checked, as the cluster has run since the backup was made.
    case outdated
    /// The backup has no manifest.
    case none
  }

  /// The outcome; the other fields belong to it.
  public var result: Result
  /// The manifest: a path, or its name within the backup.
  public var path: String?
  /// The files that it lists.
  public var fileCount: UInt64 = 0
  /// How many differences were found; may be more than are listed.
  public var differenceCount: UInt64 = 0
  /// At most 1,000 of the differences.
  public var differences: [ManifestDifference] = []

  /// The summary of a manifest at `path` that lists `fileCount` files, without differences.
  public init(result: Result, path: String? = nil, fileCount: UInt64 = 0) {
    self.result = result
    self.path = path
    self.fileCount = fileCount
  }

  private static let differenceLimit = 1000

  /// Counts a difference, and keeps it if it is one of the first.
  package mutating func note(_ difference: @autoclosure () -> ManifestDifference) {
    differenceCount += 1
    if differences.count < Self.differenceLimit { differences.append(difference()) }
  }

  /// Throws `.damaged`, with the differences, if there are any from the manifest at `path`.
  mutating func requireNoDifference(from path: String) throws(Failure) {
    guard differenceCount > 0 else { return }
    result = .different
    throw Failure(
      .manifestMismatch,
      "the backup differs from its manifest \(path.quoted) in \(differenceCount) "
        + (differenceCount == 1 ? "file" : "files"),
      hint: "Files were damaged, lost or changed after the backup was taken. Take a new one.",
      findings: BackupFindings(manifest: self))
  }

  /// The first 20 differences in words, a line each, and how many more there are.
  public var lines: [String] { BackupFindings.lines(differences, of: differenceCount) }
}

/// A way in which a backup is not what its manifest says.
public struct ManifestDifference: Codable, Equatable, Sendable {
  /// The kinds of difference.
  public enum Code: String, StableCode {
    case missing = "file-missing"
    case unlisted = "file-unlisted"
    case size = "file-size"
    case checksum = "file-checksum"
    case duplicate = "file-duplicate"

    /// What it means, in full sentences.
    public var meaning: String {
      switch self {
      case .missing: "The manifest lists a file that the backup does not have."
      case .unlisted: "The backup has a file of Postgres's that the manifest does not list."
      case .size: "The length of a file differs."
      case .checksum: "The length of a file is the same, but its checksum differs."
      case .duplicate: "The backup has two files of this path."
      }
    }
  }

  /// In what way the file differs.
  public var code: Code
  /// The file's path in the data directory, escaped.
  public var file: String
  /// The length in bytes that the manifest lists; nil unless the lengths differ.
  public var expectedByteCount: UInt64?
  /// The length in bytes of the file in the backup; nil unless the lengths differ.
  public var foundByteCount: UInt64?
}

extension ManifestDifference: CustomStringConvertible {
  /// `'base/5/1259' has 8192 bytes instead of 16384`
  public var description: String {
    switch code {
    case .missing: "'\(file)' is missing"
    case .unlisted: "'\(file)' is not in the manifest"
    case .size:
      "'\(file)' has \(byteWords(foundByteCount ?? 0)) instead of \(expectedByteCount ?? 0)"
    case .checksum: "the checksum of '\(file)' does not match"
    case .duplicate: "'\(file)' appears twice in the backup"
    }
  }
}
