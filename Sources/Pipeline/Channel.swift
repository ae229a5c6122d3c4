import Synchronization
import System

/// A queue between two stages of the pipeline.
///
/// Sending never waits: what goes through is counted (batches from a fixed pool, permits), and
/// that is the bound. Receiving waits for an element; after `finish` it gives nil once the queue
/// is empty, after `fail` it throws at once, so a stage that has failed stops all others.
///
/// A task receives with `receive`, a stage that has a thread of its own with `wait`.
package final class Channel<Element: Sendable>: FailableChannel {
  private typealias Received = Result<Element?, Failure>

  /// Who waits: a task, or the thread of a `BlockingActor`.
  private enum Receiver: Sendable {
    case task(CheckedContinuation<Received, Never>)
    case thread(ThreadWait<Received>)

    func resume(returning result: Received) {
      switch self {
      case .task(let continuation): continuation.resume(returning: result)
      case .thread(let wait): wait.resume(returning: result)
      }
    }
  }

  private enum Ending {
    case finished
    case failed(Failure)
  }

  private struct State {
    /// What was sent; nil in the places of what has been taken, which the channel lets go at once.
    var elements: [Element?] = []
    /// The index of the first element that has not been taken.
    var first = 0
    var waiting: [Receiver] = []
    var ending: Ending?

    /// How many places in front may be empty before the others move up.
    private static var slackLimit: Int { 64 }

    mutating func take() -> Element? {
      guard first < elements.count else { return nil }
      let element = elements[first].take()
      first += 1
      // A queue that is never empty must not grow either.
      if first == elements.count || first >= Self.slackLimit {
        elements.removeSubrange(..<first)
        first = 0
      }
      return element
    }
  }

  private let state = Mutex(State())

  package init(_ elements: [Element] = []) {
    state.withLock { $0.elements = elements }
  }

  package func send(_ element: Element) {
    let receiver: Receiver? = state.withLock { state in
      if case .failed = state.ending { return nil }
      if let receiver = state.waiting.popLast() { return receiver }
      state.elements.append(element)
      return nil
    }
    receiver?.resume(returning: .success(element))
  }

  package func receive() async throws(Failure) -> Element? {
    let result = await withCheckedContinuation { continuation in
      if let now = takeNow(orKeep: .task(continuation)) { continuation.resume(returning: now) }
    }
    return try result.get()
  }

  /// Receives as `receive` does, and blocks the calling thread until then.
  @available(*, noasync, message: "a task waits with receive()")
  package func wait() throws(Failure) -> Element? {
    let wait = ThreadWait<Received>()
    return try (takeNow(orKeep: .thread(wait)) ?? wait.result()).get()
  }

  /// What can be received without waiting; where there is nothing, `receiver` is resumed later.
  private func takeNow(orKeep receiver: Receiver) -> Received? {
    state.withLock { state in
      if case .failed(let error) = state.ending { return .failure(error) }
      if let element = state.take() { return .success(element) }
      if state.ending != nil { return .success(nil) }
      state.waiting.append(receiver)
      return nil
    }
  }

  /// No element follows.
  package func finish() { end(.finished, .success(nil)) }

  /// Nothing is received any more: everyone who waits, now or later, gets this error.
  ///
  /// What nobody has received, and what is sent from now on, is let go: others may wait for what it
  /// holds.
  package func fail(_ error: Failure) { end(.failed(error), .failure(error)) }

  private func end(_ ending: Ending, _ result: Result<Element?, Failure>) {
    // What is lost goes behind the lock: with it goes what it owns, whatever that does.
    let (receivers, _) = state.withLock { state -> ([Receiver], lost: [Element?]) in
      if case .failed = state.ending { return ([], []) }
      state.ending = ending
      var lost: [Element?] = []
      if case .failed = ending {
        lost = exchange(&state.elements, with: [])
        state.first = 0
      }
      return (exchange(&state.waiting, with: []), lost)
    }
    for receiver in receivers { receiver.resume(returning: result) }
  }
}
