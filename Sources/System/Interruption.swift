import Glibc
import Synchronization

/// The signals that ask the program to stop, as a flag that long work looks at.
///
/// The handler does nothing but set the flag, so that the work ends by an error at a place of its
/// own choosing, with temporary files removed. A SIGINT or SIGTERM that comes later than a second after
/// the first signal kills at once: the output is safe at any moment, since the index is written last. What
/// comes sooner is the same request twice: timeout(1) signals its command, and then the group that this
/// is in. A second SIGHUP does nothing: when a terminal closes, its shell and the kernel send one each.
///
/// SIGUSR1 asks for a line of progress, and does nothing else.
public enum Interruption {
  private static let received = Atomic<Int32>(0)
  /// When the first signal came, in milliseconds of the monotonic clock; 0 before.
  private static let firstTime = Atomic<Int>(0)
  private static let repeatMilliseconds = 1000
  private static let isProgressRequested = Atomic<Bool>(false)
  /// Whether this thread does something that has to come to its end.
  @TaskLocal private static var isDeferred = false
  /// What else ends waits of this thread.
  @TaskLocal private static var ending: (@Sendable () -> Failure?)?

  /// Catches SIGHUP, SIGINT and SIGTERM from here on, and ignores SIGPIPE, so that a closed pipe is
  /// a write error.
  ///
  /// A signal that is ignored when the program starts stays so: whoever started it wants that, as
  /// nohup(1) does of SIGHUP and a shell script of SIGINT for what it starts in the background.
  ///
  /// Called once, by the executable, before it starts any work.
  public static func install() {
    // The flag comes to be here, not on first use within the handler, where a lazy initialiser
    // could deadlock.
    received.store(0, ordering: .relaxed)
    firstTime.store(0, ordering: .relaxed)
    // Invariant: the handler captures nothing, and calls what signal-safety(7) allows.
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { number in
      var time = timespec()
      unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
      let now = time.tv_sec * 1000 + time.tv_nsec / 1_000_000 + 1
      let (isFirst, first) = Interruption.firstTime.compareExchange(
        expected: 0, desired: now, ordering: .relaxed)
      if number != SIGHUP && !isFirst && now - first > Interruption.repeatMilliseconds {
        signal(number, SIG_DFL)
        raise(number)  // at the end of this handler
      }
      Interruption.received.store(number, ordering: .relaxed)
    }
    action.sa_flags = SA_RESTART
    for number in [SIGHUP, SIGINT, SIGTERM] { catchSignal(number, &action) }
    ignoreBrokenPipes()
  }

  /// Catches SIGUSR1 from here on, unless it is ignored.
  ///
  /// Called once, by the executable, as soon as it starts: the signal would kill it.
  public static func catchProgressRequests() {
    isProgressRequested.store(false, ordering: .relaxed)  // see `install`
    // Invariant: the handler captures nothing and only stores to an atomic.
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in
      Interruption.isProgressRequested.store(true, ordering: .relaxed)
    }
    action.sa_flags = SA_RESTART
    catchSignal(SIGUSR1, &action)
  }

  /// Whether SIGUSR1 has come since the last call.
  package static func takeProgressRequest() -> Bool {
    isProgressRequested.exchange(false, ordering: .relaxed)
  }

  private static func catchSignal(_ number: Int32, _ action: inout sigaction) {
    var former = sigaction()
    var mask = sigset_t()
    // Invariant: the structures are lent for the calls, which fill and read them.
    unsafe sigaction(number, nil, &former)
    let isIgnored =
      unsafe unsafeBitCast(former.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
    if !isIgnored { unsafe sigaction(number, &action, nil) }
    // A mask is inherited by accident, from the thread that started the program; with it, a signal
    // would wait for ever.
    unsafe sigemptyset(&mask)
    unsafe sigaddset(&mask, number)
    unsafe _ = pthread_sigmask(SIG_UNBLOCK, &mask, nil)
  }

  /// Has a pipe whose reader has exited fail with EPIPE, which is reported like any other failure to
  /// write, rather than with a signal.
  public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Throws `.hungUp`, `.interrupted` or `.terminated` when a signal has come.
  ///
  /// Costs one load: called once a batch or buffer, and at least every 200 ms while work waits.
  public static func check() throws(Failure) {
    let signal = received.load(ordering: .relaxed)
    if signal == 0 || isDeferred { return }
    switch signal {
    case SIGHUP: throw Failure(.hungUp, "hung up: the terminal or session was closed")
    case SIGTERM: throw Failure(.terminated, "terminated by a signal")
    default: throw Failure(.interrupted, "interrupted by a signal")
    }
  }
}

extension Interruption {
  /// Does what has to come to its end, with signals passed over on this thread meanwhile.
  package static func deferring<Value>(
    _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try $isDeferred.withValue(true) { Result(catching: body) }.get()
  }

  /// Ends what `body` waits for in `wait`, and for the network, once `failure` gives one.
  package static func ending<Value>(
    on failure: @escaping @Sendable () -> Failure?, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try $ending.withValue(failure) { Result(catching: body) }.get()
  }

  /// Throws as `check` does, or what else ends a wait; called every 100 ms while this thread waits.
  package static func checkWait() throws(Failure) {
    try check()
    if let failure = ending?() { throw failure }
  }

  /// Waits for some time; throws as `checkWait` does.
  package static func wait(_ duration: Duration) throws(Failure) {
    let end = ContinuousClock.now + duration
    while true {
      try checkWait()
      let rest = end - ContinuousClock.now
      if rest <= .zero { return }
      usleep(UInt32(min(100_000, max(1, rest / .microseconds(1)))))
    }
  }

  /// How long a signal may take from one process of a pipeline to the next, in milliseconds.
  private static let delay: Int32 = 100

  /// What to report instead of `failure`: a signal, if that has come or comes in a
  /// moment, and `failure` is of a backup that came through a pipe.
  ///
  /// A terminal's interrupt goes to every process of a pipeline. One that writes the backup may die
  /// of it first, and what is seen here then is a backup that is cut off.
  package static func cause(of failure: Failure, reading path: String) -> Failure {
    guard failure.exitCode == .damaged, isPipe(path) else { return failure }
    do throws(Failure) {
      for _ in 0..<10 {
        try check()
        _ = poll(nil, 0, delay / 10)
      }
      try check()
    } catch {
      return error
    }
    return failure
  }

  private static func isPipe(_ path: String) -> Bool {
    var status = stat()
    // Invariant: the structure is lent for the call, which fills it.
    let result = unsafe path == "-" ? fstat(STDIN_FILENO, &status) : stat(path, &status)
    return result == 0 && [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
  }
}
