import PostgresFormat
import Synchronization
import System

/// A directory of this run's own, in which a copy of the backup is recovered.
///
/// ```
/// PARENT/import-backup-recovery-0123456789abcdef     mode 0700, or 0711
///   data/                    the copy: what the import reads in the end
///   tablespaces/OID/         where the links in data/pg_tblspc lead to
///   input, postgres.log      what the server reads and what it says
/// ```
///
/// Removed with its contents when it is released, unless it is to be kept.
final class ScratchDirectory: Sendable {
  /// Absolute, without links.
  let path: String
  private let isKept: Bool
  private let isRemoved = Atomic(false)

  var data: String { path + "/data" }
  var log: String { path + "/postgres.log" }
  var input: String { path + "/input" }
  /// The map of a backup, which a server must not find: it would make links to where it says.
  var tablespaceMap: String { path + "/tablespace_map" }

  private static let namePrefix = "import-backup-recovery-"

  /// The directory to make the scratch in, without links and dots in its path.
  ///
  /// - Throws: `.cannotCreate` if it does not exist.
  static func parent(_ path: String) throws(Failure) -> String {
    guard isDirectory(path) else {
      throw Failure(
        .cannotCreate, "directory \(path.quoted), to recover the backup in, does not exist",
        hint: "Create it, or choose another one with '--scratch'.")
    }
    return try SystemCalls.resolved(path)
  }

  /// Makes the directory in `parent`, and those that every data directory has.
  init(in parent: String, keep: Bool) throws(Failure) {
    let number = UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    path = try Self.parent(parent) + "/" + Self.namePrefix + number
    isKept = keep
    do throws(Failure) {
      try SystemCalls.makePrivateDirectory(path)
    } catch {
      guard error.code == .cannotCreate else { throw error }
      throw Failure(
        error.code, error.message,
        hint: "Choose a writable directory with '--scratch'.")
    }
    for name in ["/data", "/tablespaces"] + DataDirectory.directories.map({ "/data/" + $0 }) {
      try SystemCalls.makePrivateDirectory(path + name)
    }
  }

  deinit {
    if !isKept { try? remove() }
  }

  func tablespace(_ id: UInt32) -> String { "\(path)/tablespaces/\(id)" }

  /// Lets a user own the copy and pass through the directory that holds it, which stays ours: what
  /// is written there by name later is out of that user's reach.
  ///
  /// A directory is given away after all that is in it, so that nobody else is in there while it is
  /// changed by name.
  func give(to user: UInt32, _ group: UInt32) throws(Failure) {
    for copy in [data, path + "/tablespaces"] {
      try SystemCalls.forEach(below: copy) { path, _ throws(Failure) in
        try SystemCalls.give(path, to: user, group)
      }
    }
    try SystemCalls.setMode(0o711, of: path)
  }

  /// Keeps every other user out from here on, but root.
  func takeBack() throws(Failure) {
    try SystemCalls.setMode(0o700, of: path)
  }

  /// Removes the directory with all that is in it.
  func remove() throws(Failure) {
    guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
    try takeBack()
    try SystemCalls.forEach(below: path) { path, isDirectory throws(Failure) in
      if isDirectory {
        try SystemCalls.removeDirectory(path)
      } else {
        try SystemCalls.unlink(path)
      }
    }
  }

  /// Removes it when all else is done; if that fails, a note says so, as the result is valid.
  func removeAtEnd(announce: (@Sendable (String) -> Void)?) {
    do throws(Failure) {
      try remove()
    } catch {
      announce?("\(error.message); remove \(path.quoted) by hand")
    }
  }
}
