import PostgresFormat
import Synchronization
import System

/// A directory of this run's own, in which the backup is recovered.
///
/// ```
/// PARENT/import-backup-recovery-0123456789abcdef     mode 0700; 0711 without a sandbox
///   data/                    the copy: what the import reads in the end
///   tablespaces/OID/         where the links in data/pg_tblspc lead to
///   channel/                 the pipes by which the server asks for WAL
///   archive/                 WAL that a command has fetched for it
///   passwd                   the names of the users in the sandbox
///   input, postgres.log      what the server reads and what it says
///   postgresql.conf, …       what the backup's own server would have read
/// ```
///
/// Of these the server can change `data` and `tablespaces`. What is in them is read and removed name
/// by name from open directories, so that no link that it left leads out.
///
/// Removed with its contents when it is released, unless it is to be kept.
final class ScratchDirectory: Sendable {
  /// Absolute, without links.
  let path: String
  /// The free space that is left where it is.
  let reserve: SpaceReserve
  private let isKept: Bool
  private let isRemoved = Atomic(false)

  var data: String { path + "/data" }
  var tablespaces: String { path + "/tablespaces" }
  var channel: String { path + "/channel" }
  var archive: String { path + "/archive" }
  var users: String { path + "/passwd" }
  var log: String { path + "/postgres.log" }
  var input: String { path + "/input" }
  /// A configuration file of the backup, which no server reads.
  func settings(_ name: String) -> String { path + "/" + name }
  /// The map of a backup, which a server must not find: it would make links to where it says.
  var tablespaceMap: String { path + "/tablespace_map" }

  private static let namePrefix = "import-backup-recovery-"

  /// The directory to make the scratch in, without links and dots in its path.
  ///
  /// - Throws: `.cannotCreate` if it does not exist.
  static func parent(_ path: String) throws(Failure) -> String {
    guard isDirectory(path) else {
      throw Failure(
        .outputNotFound, "directory \(path.quoted), to recover the backup in, does not exist",
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
      guard error.exitCode == .cannotCreate else { throw error }
      throw Failure(
        error.code, error.message,
        hint: "Choose a writable directory with '--scratch'.")
    }
    reserve = SpaceReserve(try DirectoryHandle(path: path), option: "--scratch")
    for directory in [data, tablespaces, channel, archive]
      + DataDirectory.directories.map({ data + "/" + $0 })
    {
      try SystemCalls.makePrivateDirectory(directory)
    }
    try SystemCalls.setMode(0o755, of: channel)
  }

  deinit {
    if !isKept { try? remove() }
  }

  /// Creates a file of the copy at a path.
  func makeFile(_ path: String) throws(Failure) -> OutputFile {
    try OutputFile(creating: path, mode: 0o600, reserve: reserve)
  }

  func tablespace(_ id: UInt32) -> String { "\(tablespaces)/\(id)" }

  /// What a link in `data/pg_tblspc` points to: the same place wherever the scratch is seen from.
  static func tablespaceLink(_ id: UInt32) -> String { "../../tablespaces/\(id)" }

  /// Lets a user own what the server works on. The directory that holds it stays ours.
  ///
  /// - Parameter passable: whether the user is to reach it by its path, as without a sandbox.
  func give(to user: SystemUser, passable: Bool) throws(Failure) {
    let directory = try DirectoryHandle(path: path)
    for name in ["data", "tablespaces"].map(DirectoryHandle.name) {
      try directory.openDirectory(name).forEach { parent, name, _ throws(Failure) in
        try parent.give(name, to: user.id, user.group)
      }
      try directory.give(name, to: user.id, user.group)
    }
    if passable { try SystemCalls.setMode(0o711, of: path) }
  }

  /// Keeps every other user out from here on, but root.
  func takeBack() throws(Failure) {
    try SystemCalls.setMode(0o700, of: path)
  }

  /// Removes the directory with all that is in it.
  func remove() throws(Failure) {
    guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
    try takeBack()
    try DirectoryHandle(path: path).forEach { parent, name, status throws(Failure) in
      try parent.remove(name, isDirectory: status.kind == .directory)
    }
    try SystemCalls.removeDirectory(path)
  }

  /// Removes it when all else is done, unless it is to be kept; if that fails, a note says so, as the result
  /// is valid.
  func removeAtEnd(announce: (@Sendable (String) -> Void)?) {
    if isKept { return }
    do throws(Failure) {
      try remove()
    } catch {
      announce?("\(error.message); remove \(path.quoted) by hand")
    }
  }
}
