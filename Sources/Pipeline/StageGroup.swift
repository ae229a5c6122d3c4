import Synchronization
import System

/// A part of a pipeline's work that has a thread of its own.
package struct Stage: Sendable {
  let name: String
  let body: @Sendable () throws(Failure) -> Void

  /// `name` is that of the thread, up to 15 bytes.
  package init(_ name: String, _ body: @escaping @Sendable () throws(Failure) -> Void) {
    self.name = name
    self.body = body
  }
}

/// Stages that run side by side, the channels between them, and the failure that ends all of them.
///
/// The first stage that throws makes every channel of the group fail, and with them all others; its
/// error is the one that is thrown in the end.
package final class StageGroup: Sendable {
  /// What has failed first; a stage that waits for something else than a channel looks here.
  package let failure = FirstFailure()
  private let channels = Mutex<[any StoppableChannel]>([])

  /// A group without stages and channels.
  package init() {}

  /// Makes a channel that fails with the group.
  package func channel<Element: Sendable>(
    capacity: Int, _ elements: [Element] = [],
    order: Channel<Element>.Order = .firstInFirstOut
  ) -> Channel<Element> {
    let channel = Channel(capacity: capacity, elements, order: order)
    channels.withLock { $0.append(channel) }
    do throws(Failure) { try failure.check() } catch { channel.fail(error) }
    return channel
  }

  /// Ends every stage with this error, or with the one that came before it.
  package func fail(_ error: Failure) {
    let first = failure.note(error)
    for channel in channels.withLock({ $0 }) { channel.fail(first) }
  }

  /// Runs each stage on a thread of its own, and `body` on one called `name`, to the end of all.
  ///
  /// Gives what `body` returns, or throws the failure that was first. The calling thread waits, so
  /// `body` may use what belongs to it.
  package func run<Value>(
    _ stages: [Stage], beside name: String, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    var threads: [NamedThread] = []
    var result: Value?
    do throws(Failure) {
      for stage in stages { threads.append(try start(stage)) }
      result = try onThread(named: name) { () throws(Failure) in
        do throws(Failure) { return try body() } catch {
          fail(error)  // at once: the others may wait for what does not come
          throw error
        }
      }
    } catch {
      fail(error)
    }
    for thread in threads { thread.join() }
    try failure.check()
    guard let result else { throw Failure(.bug, "a pipeline has ended without its result") }
    return result
  }

  private func start(_ stage: Stage) throws(Failure) -> NamedThread {
    try NamedThread(stage.name) { [self] in
      do throws(Failure) { try stage.body() } catch { fail(error) }
    }
  }
}

/// Runs `body` on a thread of that name, and waits for its end.
func onThread<Value>(
  named name: String, _ body: () throws(Failure) -> Value
) throws(Failure) -> Value {
  let result: Result<Value, Failure> = try withoutActuallyEscaping(body) { body throws(Failure) in
    let call = BorrowedCall(body)
    try NamedThread(name) { call.run() }.join()
    return call.result
  }
  return try result.get()
}

/// A closure that another thread runs while its owner waits.
private final class BorrowedCall<Value>: @unchecked Sendable {
  // Invariant: the thread that makes a call touches neither it nor what the closure captures until
  // the thread that runs it has been joined.
  private let body: () throws(Failure) -> Value
  private(set) var result: Result<Value, Failure> = .failure(
    Failure(.bug, "a thread has ended without its result"))

  init(_ body: @escaping () throws(Failure) -> Value) { self.body = body }

  func run() {
    do throws(Failure) { result = .success(try body()) } catch { result = .failure(error) }
  }
}

/// What a stage returns, on its way to the thread that has started it.
package final class StageResult<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  /// Nothing yet.
  package init() {}

  /// Keeps the value.
  package func set(_ value: Value) { self.value.withLock { $0 = value } }

  /// The value, once the stage has ended without an error.
  package func get() throws(Failure) -> Value {
    guard let value = value.withLock({ $0 }) else {
      throw Failure(.bug, "a stage has ended without its result")
    }
    return value
  }
}

/// The first failure of a pipeline's stages, with which all of it ends.
///
/// Stages learn of it from their channels; one that waits for something else looks here.
package final class FirstFailure: Sendable {
  private let first = Mutex<Failure?>(nil)

  /// No stage has failed yet.
  package init() {}

  /// Keeps the error, unless there is one already; returns the one that was first.
  @discardableResult
  package func note(_ error: Failure) -> Failure {
    first.withLock { first in
      let kept = first ?? error
      first = kept
      return kept
    }
  }

  /// The failure, if there is one.
  package var error: Failure? { first.withLock { $0 } }

  /// Throws the failure, if there is one.
  package func check() throws(Failure) {
    if let error { throw error }
  }
}
