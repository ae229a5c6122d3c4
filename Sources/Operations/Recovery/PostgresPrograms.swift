import PostgresFormat
import System

/// The programs of one installed Postgres, and the sandbox that they run in.
struct PostgresPrograms {
  let directory: String
  private(set) var sandbox: Sandbox
  /// As `postgres --version` says it: `15.8 (Debian 15.8-0+deb12u1)`.
  private(set) var versionText = ""
  private(set) var majorVersion = 0

  /// What to do if a program is missing or broken.
  static let hint =
    "Give the directory of the programs of a complete Postgres with '--recover-with'."

  /// Finds the version by running `postgres`; `log` gets what it says else.
  ///
  /// - Throws: `.unsupported` if it does not exist or does not run.
  init(in directory: String, sandbox: Sandbox, log: String) throws(Failure) {
    try Self.requirePresent(in: directory)
    self.directory = try SystemCalls.resolved(directory)
    self.sandbox = sandbox
    self.sandbox.addPrograms(in: self.directory)
    let result = try ChildProcess.run(words("postgres", ["--version"]), log: log)
    let text = String(decoding: result.output, as: UTF8.self)
    guard result.exitCode == 0,
      let words = text.firstIndex(of: ")").map({ text[$0...].dropFirst(2) }),
      text.hasPrefix("postgres (PostgreSQL) "), let major = Int(words.prefix(while: \.isNumber))
    else {
      throw Failure(
        .postgresCannotRun,
        "cannot run \(path("postgres").quoted): \(ServerLog.describe(result, log: log))",
        hint: Self.hint)
    }
    versionText = String(words.prefix { $0 != "\n" })
    majorVersion = major
    guard PostgresVersion(rawValue: major) != nil else {
      throw Failure(
        .unsupportedVersion,
        "Postgres version \(major) is not supported, and \(path("postgres").quoted) is "
          + "\(versionText)", hint: PostgresVersion.supportedVersionsHint)
    }
  }

  /// Throws if there is no `postgres` in the directory. If that has it in `bin`, the hint says so.
  static func requirePresent(in directory: String) throws(Failure) {
    if try hasServer(directory) { return }
    let programs = directory + (directory.hasSuffix("/") ? "bin" : "/bin")
    throw Failure(
      .postgresNotFound, "no 'postgres' in \(directory.quoted)",
      hint: try hasServer(programs) ? "Give \(programs.quoted) with '--recover-with'." : hint)
  }

  private static func hasServer(_ directory: String) throws(Failure) -> Bool {
    try SystemCalls.status(at: directory + "/postgres", followingLinks: true)?.kind == .file
  }

  func path(_ program: String) -> String { directory + "/" + program }

  /// The command line of a program in the sandbox.
  func words(_ program: String, _ arguments: [String]) -> [[UInt8]] {
    sandbox.words([path(program)] + arguments)
  }

  /// - Throws: `.unsupported` if these are not of the cluster's version.
  func require(_ version: PostgresVersion) throws(Failure) {
    guard version.rawValue == majorVersion else {
      throw Failure(
        .postgresVersionMismatch,
        "the backup is from Postgres \(version.rawValue), but \(path("postgres").quoted) is "
          + "\(versionText)",
        hint:
          "Install Postgres \(version.rawValue), and give the directory of its programs, such as "
          + "/usr/lib/postgresql/\(version.rawValue)/bin, with '--recover-with'.")
    }
  }
}

extension PostgresPrograms {
  /// Who the server shall run as, for it refuses to run as root: the user asked for, or, if this
  /// program is root, one that exists for this run only. Nil for the user of this process.
  ///
  /// The owner of a running server is refused: what a backup can make a server do, it could do to
  /// that server's cluster.
  ///
  /// - Parameter trustsBackup: whether there is no sandbox, in which a user needs no name.
  /// - Throws: `.usage` if that is root, or if only root could do it.
  static func user(named name: String?, trustsBackup: Bool) throws(Failure) -> SystemUser? {
    let own = SystemUser.ownID
    guard let name = name ?? (own == 0 && trustsBackup ? "nobody" : nil) else {
      return own == 0 ? try SystemUser.transient() : nil
    }
    guard let user = SystemUser(named: name) else {
      throw Failure(.unknownUser, "user \(name.quoted) does not exist")
    }
    if user.id == 0 {
      throw Failure(
        .recoveryAsRoot, "Postgres cannot run as root, and '--recover-as' is root",
        hint: "Leave out '--recover-as': Postgres then runs as a user of its own.")
    }
    if user.id == own { return nil }
    guard own == 0 else {
      throw Failure(.notRoot, "only root can recover the backup as user \(name.quoted)")
    }
    if !trustsBackup,
      try SystemCalls.processes().contains(where: {
        $0.owner == user.id && ["postgres", "postmaster"].contains($0.name)
      })
    {
      throw Failure(
        .userOwnsServer, "user \(name.quoted) owns a running Postgres server",
        hint: "Leave out '--recover-as': Postgres then runs as a user of its own, to which that "
          + "server's files are closed.")
    }
    return user
  }

  /// - Throws: `.usage` if the user cannot reach the contents of `directory`, and has to.
  func requireAccess(to directory: String, log: String) throws(Failure) {
    guard sandbox.isTrusted, let user = sandbox.user else { return }
    let words = sandbox.words(["/usr/bin/test", "-x", directory])
    guard try ChildProcess.run(words, log: log).exitCode == 0 else {
      throw Failure(
        .scratchNotAccessible,
        "user \(user.name.quoted) cannot enter \(directory.quoted) to recover the backup",
        hint: "Choose a directory that this user can enter with '--scratch'.")
    }
  }
}
