import PostgresFormat
import System

/// Where programs run that do what the backup says: on its own, without a network, another process
/// or another file than the copy.
///
/// A backup's catalogs can run code: a view over a function, an index's expression, an extension's
/// replay. So its server gets file systems, process numbers, shared memory and a network of its own
/// (namespaces(7)), has no privileges and can get none, no terminal, no environment that may hold
/// secrets, and no open file of this process. When bwrap(1) ends, or this program, the kernel ends
/// all that the server has started.
///
/// ```
/// /usr, /lib…              read only: programs and libraries
/// /recovery/data           the copy                 the only places
/// /recovery/tablespaces    its tablespaces          that can be written to
/// /recovery/channel        two pipes, by which the server asks for WAL
/// ```
struct Sandbox {
  /// Who the programs run as; nil for the user of this process.
  let user: SystemUser?
  /// Whether there is none: the backup is the user's own, and trusted.
  let isTrusted: Bool
  private let scratch: ScratchDirectory
  /// Files and directories of the programs, besides the system's own, that they may read.
  private var readable: [String] = []

  /// - Throws: `.unsupported` if the machine lets this process make none.
  init(
    for user: SystemUser?, in scratch: ScratchDirectory, trustsBackup: Bool
  ) throws(Failure) {
    self.user = user
    self.scratch = scratch
    isTrusted = trustsBackup
    guard !isTrusted else { return }
    let named = user ?? SystemUser.own
    let users = try OutputFile(creating: scratch.users, mode: 0o644)
    let entry = "\(named.name):x:\(named.id):\(named.group)::/:/bin/false\n"
    try users.write(Array(entry.utf8).bytes, at: 0)
    try users.close()
    try SystemCalls.setMode(0o644, of: scratch.users)  // whatever this process's mask is
    try requireWorking()
  }

  /// The directory that holds the copy, as the programs see it.
  var directory: String { isTrusted ? scratch.path : Self.place }
  private static let place = "/recovery"

  /// Lets programs read what a Postgres that is installed in this directory needs: its libraries,
  /// and what is installed beside it.
  mutating func addPrograms(in directory: String) {
    let installation = SystemCalls.parent(of: directory)
    readable = [directory] + ["lib", "lib64", "share"].map { installation + "/" + $0 }
    readable += libraries(of: directory + "/postgres")
    readable.removeAll { $0.hasPrefix("/usr/") || !SystemCalls.exists($0) }
  }

  /// The command line that runs a program, an absolute path, in the sandbox.
  func words(_ program: [String]) -> [[UInt8]] {
    ((isTrusted ? [] : launcher) + privileges + program).map { Array($0.utf8) }
  }

  /// The system calls that start a process cannot change its user and limits; setpriv(1) and
  /// prlimit(1) can, which Debian always has.
  private var privileges: [String] {
    var words = ["/usr/bin/prlimit", "--core=0", "--nofile=4096", "--nproc=4096", "--"]
    words += ["/usr/bin/setpriv", "--no-new-privs"]
    if let user {
      words += ["--reuid=\(user.id)", "--regid=\(user.group)", "--clear-groups"]
      words += ["--inh-caps=-all", "--bounding-set=-all"]
    }
    return words + ["--"]
  }

  private static let program = "/usr/bin/bwrap"

  /// bwrap(1) with its options, up to the program to run.
  ///
  /// Root needs no user namespace, and keeps what it takes to become another user. The directories
  /// above a mount's are made by bwrap, and only root could pass through them without a mode.
  private var launcher: [String] {
    var words = [Self.program, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if user == nil {
      words.append("--unshare-user")
    } else {
      for name in ["SETUID", "SETGID", "SETPCAP"] { words += ["--cap-add", "CAP_" + name] }
    }
    for name in ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"] {
      // Most systems have links to what is in /usr.
      if let target = SystemCalls.linkTarget(of: name) {
        words += ["--symlink", target, name]
      } else if SystemCalls.exists(name) {
        words += ["--ro-bind", name, name]
      }
    }
    var parents: Set<String> = []
    func bind(_ option: String, _ source: String, _ target: String) {
      for parent in MadeDirectories.chain(to: SystemCalls.parent(of: target))
      where parents.insert(parent).inserted && parent != "/usr" {
        words += ["--perms", "0755", "--dir", parent]
      }
      words += [option, source, target]
    }
    words += ["--proc", "/proc", "--dev", "/dev"]
    bind("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache")
    bind("--ro-bind-try", "/etc/alternatives", "/etc/alternatives")
    bind("--ro-bind", scratch.users, "/etc/passwd")
    for path in readable { bind("--ro-bind", path, path) }
    bind("--bind", scratch.data, Self.place + "/data")
    bind("--bind", scratch.tablespaces, Self.place + "/tablespaces")
    bind("--bind", scratch.channel, Self.place + "/channel")
    return words + ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]
  }

  /// The libraries that a program is linked with and that are not the system's; the programs of
  /// some packages have theirs in a directory of their own.
  private func libraries(of program: String) -> [String] {
    guard !isTrusted,
      let result = try? ChildProcess.run(
        ["/usr/bin/ldd", program].map { Array($0.utf8) }, log: "/dev/null")
    else { return [] }
    // `	libpq.so.5 => /opt/pg/lib/libpq.so.5 (0x00007f…)`
    return String(decoding: result.output, as: UTF8.self).split(separator: "\n").compactMap {
      let words = $0.split(separator: " ")
      guard let arrow = words.firstIndex(of: "=>"), arrow + 1 < words.count,
        words[arrow + 1].hasPrefix("/")
      else { return nil }
      return Self.withoutDots(words[arrow + 1])
    }
  }

  /// An absolute path without `.` and `..`, links left as they are.
  private static func withoutDots(_ path: some StringProtocol) -> String {
    var names: [String.SubSequence] = []
    for name in String(path).split(separator: "/") where name != "." {
      if name == ".." { _ = names.popLast() } else { names.append(name) }
    }
    return names.map { "/" + $0 }.joined()
  }

  /// Runs a program that does nothing.
  private func requireWorking() throws(Failure) {
    let hint =
      "A backup can contain programs, so Postgres recovers it in a sandbox. Install bubblewrap; in "
      + "a container, allow it to create namespaces. If the backup is your own, '--trust-backup' "
      + "runs Postgres without a sandbox."
    guard SystemCalls.exists(Self.program) else {
      throw Failure(.sandboxUnavailable, "cannot make a sandbox: no '\(Self.program)'", hint: hint)
    }
    let result = try ChildProcess.run(words(["/usr/bin/true"]), log: scratch.log)
    guard result.exitCode == 0 else {
      throw Failure(
        .sandboxUnavailable,
        "cannot make a sandbox: \(ServerLog.describe(result, log: scratch.log))", hint: hint)
    }
  }
}
