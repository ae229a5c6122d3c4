import PostgresFormat
import System

/// Files in Postgres's directories that Postgres does not write there: all are counted, so that one
/// run names them all.
package struct UnexpectedFiles: Sendable {
  private var count = 0
  private var names: [String] = []
  /// Whether each of them is a file of Postgres, compressed by itself.
  private var areCompressed = true

  private static let nameLimit = 1000
  private static let endings = ["gz", "lz4", "zst", "bz2", "xz"]

  /// No file yet.
  package init() {}

  /// Whether there are none.
  package var isEmpty: Bool { count == 0 }

  /// Adds a file by its path in the data directory.
  package mutating func add(_ path: MemberPath) {
    count += 1
    if names.count < Self.nameLimit { names.append(path.description) }
    let parts = path.bytes.split(separator: UInt8(ascii: "."))
    let ending = String(decoding: parts.last ?? [], as: UTF8.self)
    areCompressed = areCompressed && Self.endings.contains(ending)
  }

  /// The error that names them; nil if there are none.
  package var failure: Failure? {
    guard let first = names.first else { return nil }
    if areCompressed {
      return Failure(
        .foreignBackup, "the files of the cluster are compressed one by one, such as '\(first)'",
        hint: ForeignBackup.table[0].hint)
    }
    let hint =
      "If \(count == 1 ? "it does" : "they do") not belong to Postgres, move "
      + "\(count == 1 ? "it" : "them") away, or exclude \(count == 1 ? "it" : "them") from the tar "
      + "with --exclude."
    guard count > 1 else {
      return Failure(.unexpectedFile, "unexpected file '\(first)'", hint: hint)
    }
    return Failure(
      .unexpectedFile, "\(count) unexpected files in Postgres's directories", hint: hint,
      findings: BackupFindings(unexpectedFiles: names, unexpectedFileCount: count))
  }
}
