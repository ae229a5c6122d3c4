import System

/// A server's mark on the data directory that it runs in: `postmaster.pid`, whose first line is
/// the server's process id, negative for one in single-user mode, and whose second is the path of
/// the directory.
///
/// A server that stops takes the file away; one that crashed leaves it, and so does a copy of the
/// directory. Every process of a server has the data directory as its working directory, whatever
/// path it knows it by, also in another container. (Postgres, `src/backend/utils/init/miscinit.c`,
/// `CreateLockFile` and `ChangeToDataDir`)
package enum ServerLock {
  private static let name = "postmaster.pid"

  /// Throws `.unsupported` if a server seems to be running in the directory, and
  /// `.cannotOpen` if the file may not be read.
  ///
  /// A process whose working directory may not be known counts, unless the file is of another
  /// directory. As for Postgres, this process and its parent are no server: in a container of its own
  /// each has a small id that comes again. A backup that was taken from a running cluster may hold
  /// the server's mark, and says by its `backup_label` that it is one.
  package static func requireNone(in directory: DirectoryHandle) throws(Failure) {
    let name = DirectoryHandle.name(Self.name)
    guard try directory.status(of: DirectoryHandle.name("backup_label")) == nil,
      let status = try directory.status(of: name)
    else { return }
    guard status.kind == .file else { throw unreadable("is not a file") }
    let lines = try directory.openFile(name).firstLines(2)
    guard let number = Int32(lines[0].trimmingPrefix("-")), number > 0 else {
      throw unreadable("contains no process id")
    }
    let path = lines.count > 1 ? lines[1] : nil
    guard let process = try server(number, path, in: directory) else { return }
    throw Failure(
      .serverRunning, "a server is running in the data directory: process \(process)",
      hint: "Stop the cluster with 'pg_ctl stop' first, or let it run and import a backup that "
        + "pg_basebackup takes, with '--recover-with'. If that process is not a Postgres server, remove "
        + "'\(Self.name)'.")
  }

  /// The process that works in the directory, in words; nil if there is none.
  private static func server(
    _ number: Int32, _ path: String?, in directory: DirectoryHandle
  ) throws(Failure) -> String? {
    let isOwn = try path.map { path throws(Failure) in try directory.isDirectory(at: path) } ?? true
    if SystemCalls.isProcessAlive(number) {
      switch directory.isWorkingDirectory(of: number) {
      case true: return "\(number), according to '\(name)'"
      case nil where isOwn: return "\(number), according to '\(name)'"
      default: break
      }
    }
    // A server in another container has another number here.
    return try SystemCalls.processes()
      .first { process in
        ["postgres", "postmaster"].contains(process.name)
          && directory.isWorkingDirectory(of: process.number) == true
      }
      .map { "\($0.number), which has it as its working directory" }
  }

  /// The error of a file that a server has made but not filled, or that is not from Postgres.
  private static func unreadable(_ reason: String) -> Failure {
    Failure(
      .serverRunning, "a server may be starting in the data directory: '\(name)' \(reason)",
      hint: "Stop the cluster with 'pg_ctl stop' first. If no server is running, remove '\(name)'.")
  }
}
