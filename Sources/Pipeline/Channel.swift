import Dispatch
import Synchronization
import System

/// A bounded queue between threads.
///
/// Sending waits for room and receiving for an element. After `finish` a receiver gets what is left,
/// and then nil. After `fail` sending and receiving throw at once, so that a stage that has failed
/// stops all others. The capacity is the bound on memory: what is in a channel has been counted.
package final class Channel<Element: Sendable>: StoppableChannel {
  /// In which order elements are received.
  package enum Order: Sendable {
    /// In the order in which they were sent.
    case firstInFirstOut
    /// For a pool: what was given back last is still in the processor's cache, and what is never
    /// needed is never touched.
    case lastInFirstOut
  }

  private enum Ending {
    case finished
    case failed(Failure)
  }

  private struct State {
    /// The elements, from `first` on, around the end of the array.
    var places: [Element?]
    var first = 0
    var count = 0
    var ending: Ending?

    mutating func append(_ element: Element) {
      precondition(count < places.count, "there is room for each permit")
      places[(first + count) % places.count] = element
      count += 1
    }

    mutating func take(_ order: Order) -> Element? {
      guard count > 0 else { return nil }
      count -= 1
      guard order == .firstInFirstOut else {
        return places[(first + count) % places.count].take()
      }
      defer { first = (first + 1) % places.count }
      return places[first].take()
    }
  }

  private let order: Order
  private let state: Mutex<State>
  // Both count from zero up: a semaphore must not be freed below the value it was made with.
  /// One for each element, and one once nothing more is sent.
  private let filled = DispatchSemaphore(value: 0)
  /// One for each place that is free, and one once the channel has failed.
  private let room = DispatchSemaphore(value: 0)

  /// A channel for `capacity` elements, which holds `elements` from the start.
  package init(
    capacity: Int, _ elements: [Element] = [], order: Order = .firstInFirstOut
  ) {
    precondition(capacity > 0 && elements.count <= capacity)
    self.order = order
    var state = State(places: [Element?](repeating: nil, count: capacity))
    for element in elements { state.append(element) }
    self.state = Mutex(state)
    for _ in elements { filled.signal() }
    for _ in elements.count..<capacity { room.signal() }
  }

  /// Appends an element, and waits for room if there is none.
  ///
  /// Throws the channel's failure; the element is released then. Not called after `finish`.
  package func send(_ element: Element) throws(Failure) {
    room.wait()
    let failure: Failure? = state.withLock { state in
      if case .failed(let failure) = state.ending { return failure }
      precondition(state.ending == nil, "nothing is sent after the end")
      state.append(element)
      return nil
    }
    guard let failure else {
      filled.signal()
      return
    }
    room.signal()  // for the next one who waits
    throw failure
  }

  /// Takes the next element, and waits for one; nil after the last. Throws the channel's failure.
  package func receive() throws(Failure) -> Element? {
    filled.wait()
    return try take()
  }

  /// Takes the next element as `receive` does, but gives `.none` if none comes within `timeout`.
  package func receive(within timeout: DispatchTimeInterval) throws(Failure) -> Element?? {
    guard filled.wait(timeout: .now() + timeout) == .success else { return .none }
    return .some(try take())
  }

  private func take() throws(Failure) -> Element? {
    let (element, ending) = state.withLock { state -> (Element?, Ending?) in
      if case .failed = state.ending { return (nil, state.ending) }
      let element = state.take(order)
      return (element, element == nil ? state.ending : nil)
    }
    if let element {
      room.signal()
      return element
    }
    filled.signal()  // for the next one who waits
    if case .failed(let failure) = ending { throw failure }
    return nil
  }

  /// Says that no element follows.
  package func finish() {
    let isFirst = state.withLock { state in
      guard state.ending == nil else { return false }
      state.ending = .finished
      return true
    }
    if isFirst { filled.signal() }
  }

  /// Has everyone who sends or receives, now or later, get this error.
  ///
  /// What nobody has received is released: others may wait for what it holds.
  package func fail(_ failure: Failure) {
    // Released after the lock: with it goes what it owns, whatever that does.
    let lost: [Element?]? = state.withLock { state in
      if case .failed = state.ending { return nil }
      state.ending = .failed(failure)
      state.count = 0
      return exchange(&state.places, with: [])
    }
    guard lost != nil else { return }
    filled.signal()
    room.signal()
  }
}

/// What a group of stages does with each of its channels once one of them has failed.
package protocol StoppableChannel: Sendable {
  /// Has everyone who sends or receives, now or later, get this error.
  func fail(_ failure: Failure)
}
