import PostgresFormat
import System

/// The programs of one installed Postgres, and the user that they run as.
struct PostgresPrograms {
  let directory: String
  /// Nil for the user of this process.
  let user: SystemUser?
  /// As `postgres --version` says it: `15.8 (Debian 15.8-0+deb12u1)`.
  private(set) var versionText = ""
  private(set) var majorVersion = 0

  /// What to do if a program is missing or broken.
  static let hint =
    "Give the directory of the programs of a complete Postgres with '--recover-with'."

  /// Finds the version by running `postgres`; `log` gets what it says else.
  ///
  /// - Throws: `.unsupported` if it does not exist or does not run.
  init(in directory: String, user: SystemUser?, log: String) throws(Failure) {
    let program = directory + "/postgres"
    guard try SystemCalls.status(at: program, followingLinks: true) != nil else {
      throw Failure(
        .unsupported, "no 'postgres' in \(directory.quoted)", hint: Self.hint)
    }
    self.directory = try SystemCalls.resolved(directory)
    self.user = user
    let result = try ChildProcess.run(words("postgres", ["--version"]), log: log)
    let text = String(decoding: result.output, as: UTF8.self)
    guard result.exitCode == 0,
      let words = text.firstIndex(of: ")").map({ text[$0...].dropFirst(2) }),
      text.hasPrefix("postgres (PostgreSQL) "), let major = Int(words.prefix(while: \.isNumber))
    else {
      throw Failure(
        .unsupported,
        "cannot run \(path("postgres").quoted): \(ServerLog.describe(result, log: log))",
        hint: Self.hint)
    }
    versionText = String(words.prefix { $0 != "\n" })
    majorVersion = major
  }

  func path(_ program: String) -> String { directory + "/" + program }

  /// The command line of a program as the user.
  ///
  /// The server refuses to run as root, and posix_spawn(3) cannot change the user: setpriv(1) of
  /// util-linux can, which Debian always has.
  func words(_ program: String, _ arguments: [String]) -> [[UInt8]] {
    var words: [String] = []
    if let user {
      words = ["setpriv", "--reuid=\(user.id)", "--regid=\(user.group)", "--clear-groups", "--"]
    }
    return (words + [path(program)] + arguments).map { Array($0.utf8) }
  }

  /// - Throws: `.unsupported` if these are not of the cluster's version.
  func require(_ version: PostgresVersion) throws(Failure) {
    guard version.rawValue == majorVersion else {
      throw Failure(
        .unsupported,
        "the backup is from Postgres \(version.rawValue), but \(path("postgres").quoted) is "
          + "\(versionText)",
        hint: "Give the programs of Postgres \(version.rawValue) with --recover-with "
          + "/usr/lib/postgresql/\(version.rawValue)/bin.")
    }
  }
}

extension PostgresPrograms {
  /// Who the server shall run as: the one asked for, or, if this program is root, the owner of
  /// the directory that the scratch is made in.
  ///
  /// - Throws: `.usage` if that is still root, or if only root could do it.
  static func user(
    named name: String?, owning directory: String
  ) throws(Failure) -> SystemUser? {
    let own = SystemUser.ownID
    if let name {
      guard let user = SystemUser(named: name) else {
        throw Failure(.usage, "user \(name.quoted) does not exist")
      }
      if user.id == 0 { throw rootRefused("'--recover-as' is root") }
      if user.id == own { return nil }
      guard own == 0 else {
        throw Failure(.usage, "only root can recover the backup as user \(name.quoted)")
      }
      return user
    }
    guard own == 0 else { return nil }
    guard let owner = try SystemCalls.status(at: directory, followingLinks: true)?.owner, owner != 0
    else { throw rootRefused("\(directory.quoted) belongs to root") }
    guard let user = SystemUser(id: owner) else {
      throw rootRefused("\(directory.quoted) belongs to user \(owner), who has no name")
    }
    return user
  }

  private static func rootRefused(_ reason: String) -> Failure {
    Failure(
      .usage, "Postgres cannot run as root, and \(reason)",
      hint:
        "Give the user to run Postgres as with '--recover-as', such as postgres or nobody, or a "
        + "directory of such a user with '--scratch'.")
  }

  /// - Throws: `.usage` if the user cannot reach the contents of `directory`.
  func requireAccess(to directory: String, log: String) throws(Failure) {
    guard let user else { return }
    let words = words("", []).dropLast() + ["test", "-x", directory].map { Array($0.utf8) }
    guard try ChildProcess.run(Array(words), log: log).exitCode == 0 else {
      throw Failure(
        .usage, "user \(user.name.quoted) cannot enter \(directory.quoted) to recover the backup",
        hint: "Choose a directory that this user can enter with '--scratch'.")
    }
  }
}
