import CGlibc
@unsafe @preconcurrency import Glibc
import PostgresFormat

/// Another program, run to its end in a session of its own.
///
/// It has no terminal, and no open file of this process but its standard streams. A signal from the
/// terminal reaches this program alone, which then ends the other in order.
package enum ChildProcess {
  /// How the program ended.
  package struct Result {
    /// The exit code, or 128 and the number of the signal that ended it.
    package var exitCode: Int32
    /// The beginning of its standard output, at most 64 KiB.
    package var output: [UInt8]
    /// The process's number, which is nobody's any more.
    package var number: pid_t
  }

  /// How long a program that was asked to end may take before it is killed.
  private static let timeToEnd = Duration.seconds(5)

  /// Which of this process's environment variables a program gets.
  package enum Environment: Sendable {
    /// All of them, for a command of the user's own.
    case all
    /// Those that every program needs and that hold no secrets; for a server of Postgres, which
    /// takes settings from others. (Postgres, `guc.c`, `InitializeGUCOptionsFromEnvironment`)
    case minimal

    fileprivate func contains(_ name: some StringProtocol) -> Bool {
      switch self {
      case .all: true
      case .minimal: ["PATH", "LANG", "TZ"].contains(String(name))
      }
    }
  }

  /// Runs the program given by the first word, a path, and waits for its end.
  ///
  /// It reads the file `input` and adds to the file `log` what it writes to standard error. Of its
  /// standard output `outputLimit` bytes are kept. `started` gets its number. `check` is called at least
  /// every 200 ms; what it throws ends the program.
  ///
  /// - Throws: `.unsupported` if it cannot be started; the error of a signal or of `check`, when it
  ///   has ended.
  package static func run(
    _ words: [[UInt8]], environment: Environment = .minimal, input: String = "/dev/null",
    log: String, outputLimit: Int = 64 << 10, started: ((pid_t) -> Void)? = nil,
    check: () throws(Failure) -> Void = {}
  ) throws(Failure) -> Result {
    var ends: [Int32] = [-1, -1]
    // Invariant: the array has room for the two descriptors that the call fills in.
    guard unsafe pipe(&ends) == 0 else {
      throw Failure(.resourceLimit, "cannot create a pipe: \(SystemCalls.describe(errno))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let output = ends[0]
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
    defer { close(output) }
    let number = try spawn(words, environment, input: input, output: ends[1], log: log)
    started?(number)
    var process = Running(number: number, output: output, outputLimit: outputLimit)
    do throws(Failure) {
      while true {
        try Interruption.check()
        try check()
        if let code = wait(for: &process) {
          return Result(exitCode: code, output: process.text, number: number)
        }
      }
    } catch {
      end(&process)
      throw error
    }
  }

  /// A process that has not been seen to end.
  private struct Running {
    let number: pid_t
    /// The end of the pipe that its standard output is read from.
    let output: Int32
    let outputLimit: Int
    /// What has been read of it.
    var text: [UInt8] = []
    var isOutputAtEnd = false
  }

  /// Starts the process, which from then on alone has the pipe's writing end, `output`.
  private static func spawn(
    _ words: [[UInt8]], _ variables: Environment, input: String, output: Int32, log: String
  ) throws(Failure) -> pid_t {
    defer { close(output) }
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var number: pid_t = 0
    // Invariant: both are initialised before they are used and destroyed after. The strings of the
    // arrays are copies of our own, which outlive the call and are freed after it.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_addopen(
      &actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var all = sigset_t()
    var none = sigset_t()
    unsafe sigfillset(&all)
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | newSession))

    var arguments = unsafe words.map { unsafe copy($0) }
    unsafe arguments.append(nil)
    var environment = unsafe copies(of: variables)
    unsafe environment.append(nil)
    defer {
      for index in unsafe arguments.indices { unsafe free(arguments[index]) }
      for index in unsafe environment.indices { unsafe free(environment[index]) }
    }
    let result = unsafe posix_spawn(
      &number, arguments[0]!, &actions, &attributes, arguments, environment)
    guard result == 0 else {
      throw Failure(
        .postgresCannotRun, "cannot run '\(escaped(words[0]))': \(SystemCalls.describe(result))")
    }
    return number
  }

  /// `POSIX_SPAWN_SETSID` of glibc, which Swift's module leaves out. (`spawn.h`)
  private static let newSession: Int32 = 0x80

  private static func copy(_ word: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    unsafe (word + [0]).withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe strdup($0.baseAddress!) }
    }
  }

  /// Copies of this process's environment variables that a program may have.
  private static func copies(of environment: Environment) -> [UnsafeMutablePointer<CChar>?] {
    var variables: [UnsafeMutablePointer<CChar>?] = unsafe []
    var next = unsafe environ
    // Invariant: the array ends in nil, and nothing here changes the environment.
    while let variable = unsafe next.pointee {
      let name = unsafe String(cString: variable).prefix { $0 != "=" }
      if environment.contains(name) { unsafe variables.append(strdup(variable)) }
      unsafe next += 1
    }
    return unsafe variables
  }

  /// Takes output for at most 200 ms; gives the exit code if the process has ended.
  ///
  /// A program that it leaves behind may hold the pipe open after it. One that has closed its
  /// output ends at once as a rule, of which nothing tells without waiting for it for ever.
  private static func wait(for process: inout Running) -> Int32? {
    if process.isOutputAtEnd {
      _ = poll(nil, 0, 10)
    } else {
      var event = pollfd(fd: process.output, events: Int16(POLLIN), revents: 0)
      // Invariant: one structure is lent for the call.
      if unsafe poll(&event, 1, 200) > 0 { drain(&process) }
    }
    var status: Int32 = 0
    var result: pid_t
    repeat {
      result = unsafe waitpid(process.number, &status, WNOHANG)
    } while result < 0 && errno == EINTR
    guard result == process.number else { return nil }
    drain(&process)  // what it wrote before it ended
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }

  /// Reads the available output, and does not wait for more.
  private static func drain(_ process: inout Running) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      // Invariant: the array is lent for the call, which writes at most its length.
      let count = unsafe read(process.output, &bytes, bytes.count)
      if count > 0 {
        if process.text.count < process.outputLimit { process.text += bytes[..<count] }
      } else if count == 0 || errno != EINTR {
        process.isOutputAtEnd = count == 0 || errno != EAGAIN
        return
      }
    }
  }

  /// Asks the process to end, and kills it and its group if it does not.
  private static func end(_ process: inout Running) {
    kill(-process.number, SIGTERM)
    let deadline = ContinuousClock.now + timeToEnd
    while ContinuousClock.now < deadline {
      guard wait(for: &process) != nil else { continue }
      kill(-process.number, SIGKILL)
      return
    }
    kill(-process.number, SIGKILL)
    while wait(for: &process) == nil {}
  }
}
