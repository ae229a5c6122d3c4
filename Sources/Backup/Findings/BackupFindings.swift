import PostgresFormat
import System

/// Everything that the checks of a backup found, for who wants more than an error's one line.
///
/// The JSON object of an import that they ended holds it.
public struct BackupFindings: FailureFindings, Codable, Equatable {
  /// What the pages' checksums said; nil if they did not end the import.
  public var pageChecksums: PageChecksumSummary?
  /// What the manifest said; nil if it did not end the import.
  public var manifest: ManifestSummary?
  /// The first files, at most 1,000, in Postgres's directories that Postgres does not write there;
  /// nil if they did not end the import.
  public var unexpectedFiles: [String]?
  /// How many there are; may be more than are listed.
  public var unexpectedFileCount: Int?

  /// How many findings of a kind a person is shown.
  private static let shownCount = 20

  /// The first 20 in words, a line each, and how many more there are.
  public var lines: [String] {
    (pageChecksums?.lines ?? []) + (manifest?.lines ?? [])
      + Self.lines(
        (unexpectedFiles ?? []).map { "'\($0)'" }, of: UInt64(unexpectedFileCount ?? 0))
  }

  /// The first 20 findings, a line each, and a last line with how many of `count` are not shown.
  package static func lines(
    _ findings: [some CustomStringConvertible], of count: UInt64
  ) -> [String] {
    let shown = findings.prefix(shownCount).map { $0.description }
    let rest = count - UInt64(shown.count)
    return shown + (rest > 0 ? ["and \(rest) more"] : [])
  }
}

extension PageChecksumSummary {
  /// The first 20 damaged pages in words, a line each, and how many more there are.
  public var lines: [String] { BackupFindings.lines(damagedPages, of: damagedPageCount) }
}

/// What becomes of pages whose checksum does not match their contents.
public enum PageChecksumMode: String, CaseIterable, Sendable {
  /// The backup is refused.
  case verify
  /// They are reported, and imported as they are.
  case warn
  /// Nobody looks.
  case skip
}

/// What the data checksums of a cluster said, in the summary.
public struct PageChecksumSummary: Codable, Equatable, Sendable {
  /// The outcome of the check; the raw value is the word in the JSON object.
  public enum Result: String, Codable, Sendable {
    /// Every page is as it was written.
    case verified
    /// At least one page has a checksum that does not match its contents.
    case damaged
    /// The cluster has no data checksums, or the backup is a pageserver's own.
    case none
    /// Not looked at.
    case skipped
  }

  /// The outcome; the other fields belong to it.
  public var result: Result
  /// Pages of relations that were looked at; 0 if there is nothing to compare with.
  public var pageCount: UInt64 = 0
  /// How many pages are damaged; may be more than are listed.
  public var damagedPageCount: UInt64 = 0
  /// The damaged pages in the order of the backup, at most 65,536 of them.
  public var damagedPages: [DamagedPage] = []

  /// A summary without a list of damaged pages.
  public init(result: Result, pageCount: UInt64 = 0, damagedPageCount: UInt64 = 0) {
    self.result = result
    self.pageCount = pageCount
    self.damagedPageCount = damagedPageCount
  }
}

/// A page that a server of its cluster would not read.
public struct DamagedPage: Codable, Equatable, Sendable {
  /// The ways in which a page and its checksum do not match.
  public enum Code: String, StableCode {
    case wrong = "checksum-wrong"
    case missing = "checksum-missing"
    case unused = "checksum-unused"

    /// What it means, in full sentences.
    public var meaning: String {
      switch self {
      case .wrong: "The stored checksum of a page is not that of its contents."
      case .missing: "A page whose header is zeros, but not all of it, has no checksum."
      case .unused: "A page whose header is zeros has a checksum."
      }
    }
  }

  /// In what way the page is damaged.
  public var code: Code
  /// The file's path in the data directory.
  public var file: String
  /// The block's number in its fork, counted across segments.
  public var block: UInt32
  /// The stored checksum of the page; 0 for none.
  public var found: UInt16
  /// The checksum of its contents; nil if it has none, or is not in use but not empty.
  public var expected: UInt16?

  /// A page of a file with the checksum that was found, and the one of its contents.
  public init(file: String, block: UInt32, found: UInt16, expected: UInt16?) {
    code = expected != nil ? .wrong : found == 0 ? .missing : .unused
    self.file = file
    self.block = block
    self.found = found
    self.expected = expected
  }
}

extension DamagedPage: CustomStringConvertible {
  /// `base/5/16384, block 5: calculated checksum 9F01 but block contains 12AB`
  public var description: String {
    let place = "\(escaped(file.utf8)), block \(block)"
    if let expected {
      return "\(place): calculated checksum \(expected.hexadecimal(4)) but block contains "
        + found.hexadecimal(4)
    }
    return found == 0
      ? "\(place): the block has no checksum but is not all zeros"
      : "\(place): the header is zeros but block contains \(found.hexadecimal(4))"
  }
}
