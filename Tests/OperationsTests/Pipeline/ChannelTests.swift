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

  /// Goal: who receives an element sees all that its sender has done to it, also where it is sent
  /// in the moment in which the receiver begins to wait. Method: a few counters go round between
  /// two tasks, each of which adds to them; the thread sanitizer looks on.
  @Test func handingOn() async throws {
    let rounds = 20_000
    let there = Channel((0..<2).map { _ in Counter() })
    let back = Channel<Counter>()
    async let other: Void = {
      while let counter = try await there.receive() {
        counter.value += 1
        back.send(counter)
      }
    }()
    for _ in 0..<rounds {
      let counter = try #require(try await back.receive())
      counter.value += 1
      there.send(counter)
    }
    there.finish()
    try await other
    back.finish()
    var sum = 0
    while let counter = try await back.receive() { sum += counter.value }
    // The other end has added to each that was sent to it, and to the first two.
    #expect(sum == 2 * rounds + 2)
  }

  /// A stage with a thread of its own.
  private actor Stage: BlockingActor {
    nonisolated let executor = BlockingExecutor(label: "import-backup.tests.stage")

    /// Adds to all counters that come, and sends them on.
    func count(_ there: Channel<Counter>, _ back: Channel<Counter>) throws(Failure) {
      while let counter = try there.wait() {
        counter.value += 1
        back.send(counter)
      }
    }

    func sequences(_ channel: Channel<Batch>) throws(Failure) -> [Int] {
      var order: [Int] = []
      try channel.waitInOrder { batch in order.append(batch.sequence) }
      return order
    }
  }

  /// Goal: a thread that waits is handed elements as a task is, by a task and by another thread, and
  /// stops waiting when the channel ends. Method: counters go round between two threads and a task.
  @Test(.timeLimit(.minutes(10))) func handingOnToThreads() async throws {
    let rounds = 20_000
    let there = Channel((0..<2).map { _ in Counter() })
    let between = Channel<Counter>()
    let back = Channel<Counter>()
    let stages = [Stage(), Stage()]
    async let first: Void = stages[0].count(there, between)
    async let second: Void = stages[1].count(between, back)
    for _ in 0..<rounds {
      there.send(try #require(try await back.receive()))
    }
    there.finish()
    try await first
    between.finish()
    try await second
    back.finish()
    var sum = 0
    while let counter = try await back.receive() { sum += counter.value }
    #expect(sum == 2 * (rounds + 2))
  }

  /// Goal: a channel that fails ends a thread's wait with the error. Method: it fails while a thread
  /// waits for what never comes, or before that: whichever is first.
  @Test(.timeLimit(.minutes(10))) func failingWhileAThreadWaits() async throws {
    let failure = Failure(.inputOutput, "no more")
    for _ in 0..<200 {
      let channel = Channel<Counter>()
      let stage = Stage()
      async let result = outcome { () throws(Failure) in
        try await stage.count(channel, Channel())
      }
      channel.fail(failure)
      guard case .failure(failure) = await result else {
        Issue.record("the stage has not failed")
        return
      }
    }
  }

  /// Goal: elements come in order. Method: a queue that is now longer, now shorter, and rarely empty.
  @Test func order() async throws {
    let channel = Channel<Int>([0])
    var sent = 1
    var received = 0
    for round in 0..<1000 {
      for _ in 0..<(round % 7) {
        channel.send(sent)
        sent += 1
      }
      for _ in 0..<min(round % 5, sent - received) {
        #expect(try await channel.receive() == received)
        received += 1
      }
    }
    channel.finish()
    while let element = try await channel.receive() {
      #expect(element == received)
      received += 1
    }
    #expect(received == sent)
  }

  /// Goal: a channel keeps nothing that has been received, also where it is never empty, and nothing
  /// at all once it has failed: others may wait for what it holds.
  @Test func lettingGo() async throws {
    weak var first: Counter?
    weak var second: Counter?
    let channel = Channel<Counter>()
    do {
      let counters = [Counter(), Counter()]
      (first, second) = (counters[0], counters[1])
      for counter in counters { channel.send(counter) }
    }
    _ = try await channel.receive()
    #expect(first == nil)
    #expect(second != nil)
    channel.fail(Failure(.inputOutput, "no more"))
    #expect(second == nil)
    weak var third: Counter?
    do {
      let counter = Counter()
      third = counter
      channel.send(counter)
    }
    #expect(third == nil)
  }

  private struct Batch: SequencedBatch {
    let sequence: Int
  }

  /// Goal: batches are handed on in order, whatever the order in which they come, to a task and to a
  /// stage with a thread of its own.
  @Test func sequence() async throws {
    func shuffled() -> Channel<Batch> {
      let channel = Channel([3, 0, 2, 1, 6, 4, 5].map { Batch(sequence: $0) })
      channel.finish()
      return channel
    }
    var order: [Int] = []
    try await shuffled().receiveInOrder { batch in order.append(batch.sequence) }
    #expect(order == Array(0...6))
    #expect(try await Stage().sequences(shuffled()) == Array(0...6))
  }
}
