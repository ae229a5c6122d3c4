import Glibc
import Synchronization

/// The signals that ask the program to stop, as a flag that long work looks at.
///
/// The handler does nothing but set the flag, so that the work ends by an error at a place of its
/// own choosing, with temporary files removed. A second signal of the same kind kills at once: the
/// output is safe at any moment, since the index is written last.
public enum Interruption {
  private static let received = Atomic<Int32>(0)

  /// Catches SIGINT and SIGTERM from here on, and ignores SIGPIPE, so that a closed pipe is a
  /// write error.
  ///
  /// Called once, by the executable, before it starts any work.
  public static func install() {
    // The flag comes to be here, not on first use within the handler, where a lazy initialiser
    // could deadlock.
    received.store(0, ordering: .relaxed)
    // Invariant: the handler captures nothing and only stores to an atomic.
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { signal in
      Interruption.received.store(signal, ordering: .relaxed)
    }
    action.sa_flags = SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND))
    unsafe sigaction(SIGINT, &action, nil)
    unsafe sigaction(SIGTERM, &action, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Throws `.interrupted` or `.terminated` when a signal has come.
  ///
  /// Costs one load: called once a batch or buffer, and at least every 200 ms where work waits.
  public static func check() throws(ImportError) {
    switch received.load(ordering: .relaxed) {
    case 0: return
    case SIGTERM: throw ImportError(.terminated, "terminated by a signal")
    default: throw ImportError(.interrupted, "interrupted by a signal")
    }
  }
}
