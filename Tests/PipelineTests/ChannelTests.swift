import Testing

@testable import Pipeline
@testable import System

/// The queue between two stages, and what it hands on.
struct ChannelTests {
  /// What is handed on: two stages touch it, never at the same time.
  private final class Counter: @unchecked Sendable {
    // Invariant: who has received it, and has not sent it on, is alone with it.
    var value = 0
  }

  /// Goal: who receives an element sees all that its sender has done to it, also if it is sent in the
  /// moment in which the receiver begins to wait. Method: a few counters go round between three
  /// threads, each of which adds to them; the thread sanitizer looks on.
  @Test(.timeLimit(.minutes(10))) func handingOn() throws {
    let rounds = 20_000
    let there = Channel(capacity: 2, (0..<2).map { _ in Counter() })
    let between = Channel<Counter>(capacity: 1)
    let back = Channel<Counter>(capacity: 2)
    func adding(from source: Channel<Counter>, to target: Channel<Counter>) -> Stage {
      Stage("add") { () throws(Failure) in
        while let counter = try source.receive() {
          counter.value += 1
          try target.send(counter)
        }
        target.finish()
      }
    }
    let sum = try StageGroup().run(
      [adding(from: there, to: between), adding(from: between, to: back)], beside: "add"
    ) { () throws(Failure) in
      for _ in 0..<rounds {
        guard let counter = try back.receive() else { break }
        counter.value += 1
        try there.send(counter)
      }
      there.finish()
      var sum = 0
      while let counter = try back.receive() { sum += counter.value }
      return sum
    }
    // Each stage has added to each that was sent, and to the first two.
    #expect(sum == 3 * rounds + 4)
  }

  /// Goal: no more is in a channel than its capacity. Method: a sender that counts what it has sent,
  /// and a receiver that looks at the count before it takes each element.
  @Test(.timeLimit(.minutes(10))) func capacity() throws {
    let capacity = 3
    let channel = Channel<Int>(capacity: capacity)
    let counter = Counter()
    let most = try StageGroup().run(
      [
        Stage("send") { () throws(Failure) in
          for number in 1...1000 { try channel.send(number) }
          channel.finish()
        }
      ], beside: "receive"
    ) { () throws(Failure) in
      while let number = try channel.receive() { counter.value = number }
      return counter.value
    }
    #expect(most == 1000)
    for number in 0..<capacity { try Channel<Int>(capacity: capacity).send(number) }
    let full = Channel(capacity: capacity, Array(0..<capacity))
    let sent = Channel<Int>(capacity: 1)
    let thread = try NamedThread("send") {
      try? full.send(capacity)
      try? sent.send(1)
    }
    // Nothing is sent as long as nothing is received, however long that takes.
    if case .some = try sent.receive(within: .milliseconds(50)) {
      Issue.record("sent into a channel that is full")
    }
    #expect(try full.receive() == 0)
    #expect(try sent.receive() == 1)
    thread.join()
  }

  /// Goal: a channel that fails ends the wait of those who receive and of those who send. Method: it
  /// fails while several threads wait, or before that: whichever is first.
  @Test(.timeLimit(.minutes(10)), arguments: [true, false])
  func failingWhileThreadsWait(sends: Bool) throws {
    let failure = Failure(.readFailed, "no more")
    for _ in 0..<200 {
      let channel = Channel<Int>(capacity: 1, sends ? [0] : [])
      let errors = Channel<Failure>(capacity: 3)
      let threads = try (0..<3).map { _ in
        try NamedThread("wait") {
          do throws(Failure) {
            if sends { try channel.send(1) } else { _ = try channel.receive() }
          } catch {
            try? errors.send(error)
          }
        }
      }
      channel.fail(failure)
      for thread in threads { thread.join() }
      errors.finish()
      for _ in threads { #expect(try errors.receive() == failure) }
    }
  }

  /// Goal: the end of a channel reaches everyone who receives. Method: three threads wait, and the
  /// channel finishes with one element left.
  @Test(.timeLimit(.minutes(10))) func finishing() throws {
    let channel = Channel<Int>(capacity: 1)
    let received = Channel<Int>(capacity: 4)
    let threads = try (0..<3).map { _ in
      try NamedThread("wait") {
        while let number = try? channel.receive() { try? received.send(number) }
        try? received.send(-1)
      }
    }
    try channel.send(7)
    channel.finish()
    for thread in threads { thread.join() }
    received.finish()
    var all: [Int] = []
    while let number = try received.receive() { all.append(number) }
    #expect(all.sorted() == [-1, -1, -1, 7])
  }

  /// Goal: elements come in order. Method: a queue that is now longer, now shorter, and rarely empty,
  /// whose places are used many times over.
  @Test func order() throws {
    let channel = Channel(capacity: 12, [0])
    var sent = 1
    var received = 0
    for round in 0..<1000 {
      for _ in 0..<min(round % 7, 12 - (sent - received)) {
        try channel.send(sent)
        sent += 1
      }
      for _ in 0..<min(round % 5, sent - received) {
        #expect(try channel.receive() == received)
        received += 1
      }
    }
    channel.finish()
    while let element = try channel.receive() {
      #expect(element == received)
      received += 1
    }
    #expect(received == sent)
  }

  /// Goal: a pool gives what came back last. Method: send and receive in turn.
  @Test func lastInFirstOut() throws {
    let pool = Channel(capacity: 3, [1, 2, 3], order: .lastInFirstOut)
    #expect(try pool.receive() == 3)
    #expect(try pool.receive() == 2)
    try pool.send(4)
    #expect(try pool.receive() == 4)
    #expect(try pool.receive() == 1)
  }

  /// Goal: a channel keeps nothing that has been received, also while it is never empty, and nothing
  /// at all once it has failed: others may wait for what it holds.
  @Test func releasing() throws {
    weak var first: Counter?
    weak var second: Counter?
    let channel = Channel<Counter>(capacity: 3)
    do {
      let counters = [Counter(), Counter()]
      (first, second) = (counters[0], counters[1])
      for counter in counters { try channel.send(counter) }
    }
    _ = try channel.receive()
    #expect(first == nil)
    #expect(second != nil)
    let failure = Failure(.readFailed, "no more")
    channel.fail(failure)
    #expect(second == nil)
    weak var third: Counter?
    do {
      let counter = Counter()
      third = counter
      #expect(throws: failure) { try channel.send(counter) }
    }
    #expect(third == nil)
  }
}
