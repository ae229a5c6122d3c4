import PostgresFormat
import System

/// Postgres in single-user mode on a scratch copy, in a sandbox: no socket, no other process, and no
/// setting of the backup's own.
struct SingleUserServer {
  let programs: PostgresPrograms
  let scratch: ScratchDirectory
  /// For how long a server may do nothing.
  let idleLimit: Duration

  /// The settings that hold for every session.
  ///
  /// They are on the command line, where no file can overrule them; the backup's files are not
  /// copied, and the server is told that its file is an empty one. What is lost in a power failure
  /// is a copy that is removed in the end: so nothing is made durable. A dynamic shared memory
  /// segment is a file of the scratch, which goes with it whatever becomes of the server.
  private static let settings = [
    "config_file": "/dev/null", "listen_addresses": "", "unix_socket_directories": "",
    "shared_preload_libraries": "", "session_preload_libraries": "", "local_preload_libraries": "",
    "archive_mode": "off", "archive_command": "", "primary_conninfo": "", "hot_standby": "off",
    "fsync": "off", "full_page_writes": "off", "dynamic_shared_memory_type": "mmap",
    "lc_messages": "C", "exit_on_error": "on", "jit": "off", "search_path": "",
  ]

  /// Runs a session in a database: each line of `commands` is one.
  ///
  /// Any error ends it, and with it the server. `control` says what the cluster demands of its
  /// server; `others` overrule that. By `channel` it gets WAL that the copy does not have. `position`
  /// is told of the server, and says how far its replay is.
  ///
  /// - Throws: if the server cannot be started, does nothing for too long, or leaves too little free
  ///   space.
  func run(
    in database: [UInt8], commands: [UInt8], control: ControlFile, others: [String: String],
    channel: RestoreChannel? = nil, position: ReplayPosition? = nil
  ) throws(Failure) -> ChildProcess.Result {
    let directory = programs.sandbox.directory
    var settings = Self.settings
    for (name, value) in control.serverSettings { settings[name] = value }
    // A server that recovers from an archive has to have a command: one that finds nothing.
    settings["restore_command"] =
      channel == nil ? "false" : RestoreChannel.setting(in: directory + "/channel")
    for (name, value) in others { settings[name] = value }

    try SystemCalls.unlink(scratch.input)  // of the session before
    let input = try OutputFile(creating: scratch.input, mode: 0o600)
    try input.write(commands.bytes, at: 0)
    try input.close()

    var words = programs.words("postgres", ["--single", "-D", directory + "/data"])
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
      words += [Array("-c".utf8), Array("\(name)=\(value)".utf8)]
    }
    words += [Array("--".utf8), database]
    func run(_ check: () throws(Failure) -> Void) throws(Failure) -> ChildProcess.Result {
      var watch = ServerWatch(scratch, limit: idleLimit)
      return try ChildProcess.run(
        words, input: scratch.input, log: scratch.log, outputLimit: Self.outputLimit,
        started: { number in
          position?.watch(number)
          watch.process = number
        }
      ) { () throws(Failure) in
        try check()
        try scratch.reserve.check()
        try watch.check(
          position: { position?.current() }, isWaitingForUser: channel?.isFetching == true)
      }
    }
    do throws(Failure) {
      guard let channel else { return try run {} }
      return try channel.serve(during: run)
    } catch {
      if programs.sandbox.isTrusted { removeSharedMemory() }
      throw error
    }
  }

  /// More than the names of all databases and tablespaces of a cluster take.
  private static let outputLimit = 64 << 20

  /// Removes the segment by which a server that was killed kept others from its directory; a sandbox
  /// has shared memory of its own, which goes with it.
  ///
  /// Line 7 of `postmaster.pid` has its key and its number; that file no longer exists after a server that
  /// ended in order. (Postgres, `pidfile.h`, `sysv_shmem.c`)
  private func removeSharedMemory() {
    guard
      let bytes = try? SystemCalls.contents(of: scratch.data + "/postmaster.pid", limit: 4096)
    else { return }
    let lines = String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 7, let server = Int32(lines[0]),
      let number = lines[6].split(separator: " ").last.flatMap({ Int32($0) })
    else { return }
    // A number may have become another segment's: so the process that made it has to be that server,
    // which single-user mode writes negative.
    SystemCalls.removeSharedMemory(number, madeBy: -server)
  }
}

extension ControlFile {
  /// What a server on this cluster has to be started with, so that it can replay what the cluster
  /// did and leaves the same demands behind.
  fileprivate var serverSettings: [String: String] {
    var settings = Dictionary(
      uniqueKeysWithValues: self.settings.map { ($0.name, String($0.value)) })
    settings["wal_level"] = walLevel
    // Two segments are the least, and the most must not be less. (Postgres, `xlog.c`, `ReadControlFile`)
    let walSize = max(64, 2 * walSegmentSize >> 20)
    settings["min_wal_size"] = "\(walSize)MB"
    settings["max_wal_size"] = "\(max(1024, walSize))MB"
    settings["max_replication_slots"] = "1000"
    return settings
  }
}

/// What a server has said, as messages show it.
enum ServerLog {
  private static let lineCount = 10
  private static let byteLimit: UInt64 = 16 << 10

  /// How a program has ended, and the last lines of its log, one below the other.
  static func describe(_ result: ChildProcess.Result, log: String) -> String {
    let ending =
      result.exitCode > 128
      ? "signal \(result.exitCode - 128)" : "exit code \(result.exitCode)"
    return ending + describe(lastLines(of: log))
  }

  /// The last lines as the end of a sentence; nothing if there are none.
  static func describe(_ lastLines: [String]) -> String {
    lastLines.isEmpty
      ? "" : "; its last lines:\n" + lastLines.map { "  " + $0 }.joined(separator: "\n")
  }

  /// The last lines of a log, control characters escaped; none if it cannot be read.
  static func lastLines(of log: String) -> [String] {
    let bytes = try? tail(of: log)
    let lines = (bytes ?? []).split(separator: UInt8(ascii: "\n"))
    return lines.suffix(lineCount).map { escaped($0) }
  }

  /// When the last transaction was committed that was replayed; nil if the log does not say it.
  /// (Postgres, `xlogrecovery.c`, `PerformWalRecovery`)
  static func lastCommit(in log: String) -> String? {
    let mark = "last completed transaction was at log time "
    let bytes = try? tail(of: log)
    return (bytes ?? []).split(separator: UInt8(ascii: "\n")).lazy.map { escaped($0) }
      .compactMap { line in line.firstRange(of: mark).map { String(line[$0.upperBound...]) } }
      .last
  }

  private static func tail(of log: String) throws(Failure) -> [UInt8] {
    try SystemCalls.lastBytes(of: log, limit: byteLimit)
  }
}
