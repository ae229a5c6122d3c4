import Dispatch
import Synchronization

/// What one thread waits for until another has it.
final class ThreadWait<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let isThere = DispatchSemaphore(value: 0)

  /// Called once.
  func resume(returning value: Value) {
    self.value.withLock { $0 = value }
    isThere.signal()
  }

  /// Blocks the thread until there is a value. Called once.
  package func result() -> Value {
    while true {
      if let value = value.withLock({ $0.take() }) { return value }
      isThere.wait()
    }
  }
}
