import System

/// A server's mark on the data directory that it runs in: `postmaster.pid`, whose first line is
/// the server's process id, negative for one in single-user mode.
///
/// A server that stops takes the file away; one that crashed leaves it. (Postgres,
/// `src/backend/utils/init/miscinit.c`, `CreateLockFile`)
package enum ServerLock {
  private static let name = "postmaster.pid"

  /// Throws `.unsupported` if a server seems to be running in the directory, and
  /// `.cannotOpen` if the file may not be read.
  ///
  /// A process of another user counts as alive. As for Postgres, this process and its parent are
  /// no server: in a container of its own each has a small id that comes again.
  package static func requireNone(in directory: DirectoryHandle) throws(Failure) {
    let name = Array(Self.name.utf8CString)
    guard let status = try directory.status(of: name) else { return }
    guard status.kind == .file else { throw unreadable("is not a file") }
    let line = try directory.openFile(name).firstLine()
    guard let number = Int32(line.trimmingPrefix("-")), number > 0 else {
      throw unreadable("contains no process id")
    }
    guard SystemCalls.isProcessAlive(number) else { return }
    throw Failure(
      .serverRunning,
      "a server is running in the data directory: process \(number), according "
        + "to '\(Self.name)'",
      hint: "Stop the cluster with 'pg_ctl stop' first. If that process is not a Postgres server, "
        + "remove '\(Self.name)'.")
  }

  /// The error of a file that a server has made but not filled, or that is not from Postgres.
  private static func unreadable(_ reason: String) -> Failure {
    Failure(
      .serverRunning, "a server may be starting in the data directory: '\(name)' \(reason)",
      hint: "Stop the cluster with 'pg_ctl stop' first. If no server is running, remove '\(name)'.")
  }
}
