import CGlibc
import Glibc

/// A thread with a name of its own, which `top -H` and a debugger show.
package struct NamedThread: Sendable {
  private let handle: pthread_t

  /// What a thread is to do, on its way there.
  private final class Work: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a thread that runs `body`; of its name the system keeps 15 bytes.
  ///
  /// Either `join` or `detach` must follow. Throws `.inputOutput` if the system gives no thread.
  package init(
    _ name: String, _ body: @escaping @Sendable () -> Void
  ) throws(Failure) {
    let work = unsafe Unmanaged.passRetained(Work(name: name, body: body))
    var handle = pthread_t()
    // Invariant: the work is retained for the thread, which takes it over; if there is no thread,
    // it is released here.
    let result = unsafe pthread_create(
      &handle, nil,
      { context in
        guard let context = unsafe context else { return nil }
        let work = unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
        // Invariant: the name is lent for the call.
        unsafe _ = pthread_setname_np(pthread_self(), String(work.name.prefix(15)))
        work.body()
        return nil
      }, work.toOpaque())
    guard result == 0 else {
      unsafe work.release()
      throw Failure(
        .resourceLimit, "cannot start a thread: \(SystemCalls.describe(result))",
        hint: "The system's limit of processes or of memory is reached.")
    }
    self.handle = handle
  }

  /// Waits for the thread's end. Called once, from another thread.
  package func join() { _ = pthread_join(handle, nil) }

  /// Leaves the thread to end by itself.
  package func detach() { _ = pthread_detach(handle) }
}
