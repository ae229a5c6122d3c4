import Synchronization
import System

/// What goes round a pipeline: filled by one stage, worked on by others, emptied and used again.
package protocol PipelineBatch: AnyObject, Sendable {
  /// The batch's place in the order in which batches were filled.
  var sequence: Int { get set }
  /// Whether nothing more fits.
  var isFull: Bool { get }
  /// Empties the batch; what it has allocated stays.
  func reset()
}

/// The shape of every pipeline here: one stage fills batches, workers work on them in any order, and
/// one stage drains them in the order in which they were filled.
///
/// ```
///            filled                 done
///     fill ─────────► work × jobs ─────────► drain
///       ▲                                      │
///       └──────────────── free ────────────────┘
/// ```
///
/// Batches come from a fixed pool and go round, which bounds memory: the slowest stage holds all
/// others back.
package struct BatchPipeline<Batch: PipelineBatch>: Sendable {
  /// What the threads are called; workers are numbered.
  package struct Names: Sendable {
    let fill: String
    let work: String
    let drain: String

    /// Names of up to 15 bytes, that of the workers of up to 11.
    package init(fill: String, work: String, drain: String) {
      self.fill = fill
      self.work = work
      self.drain = drain
    }
  }

  private let group: StageGroup
  private let jobs: Int
  private let names: Names
  /// Batches that are empty.
  private let free: Channel<Batch>
  /// Batches that wait for a worker.
  private let filled: Channel<Batch>
  private let done: Channel<Batch>

  /// A pipeline of `batches` and as many workers as there are `jobs`, that fails with `group`.
  package init(_ group: StageGroup, _ names: Names, jobs: Int, batches: [Batch]) {
    self.group = group
    self.names = names
    self.jobs = jobs
    free = group.channel(capacity: batches.count, batches)
    filled = group.channel(capacity: batches.count)
    done = group.channel(capacity: batches.count)
  }

  /// Runs all stages to their end, and gives what `fill` returns, or throws the first failure.
  ///
  /// - Parameters:
  ///   - stages: what runs beside these on threads of their own.
  ///   - fill: fills batches by way of the feed, which is finished after it.
  ///   - work: called once by each worker, with the batches that it gets.
  ///   - drain: called with each batch, in order; the batch goes back to the pool after it. It runs
  ///     while the calling thread waits, so it may use what belongs to that.
  package func run<Filled: Sendable>(
    beside stages: [Stage] = [],
    fill: @escaping @Sendable (BatchFeed<Batch>) throws(Failure) -> Filled,
    work: @escaping @Sendable (BatchWork<Batch>) throws(Failure) -> Void,
    drain: (Batch) throws(Failure) -> Void
  ) throws(Failure) -> Filled {
    let result = StageResult<Filled>()
    let filling = Stage(names.fill) { () throws(Failure) in
      let feed = BatchFeed(free: free, work: filled)
      result.set(try fill(feed))
      try feed.finish()
    }
    let workers = RunningCount(jobs)
    let working = (1...jobs).map { number in
      Stage("\(names.work)-\(number)") { () throws(Failure) in
        try work(BatchWork(filled: filled, done: done))
        if workers.endOne() { done.finish() }
      }
    }
    try group.run(stages + [filling] + working, beside: names.drain) { () throws(Failure) in
      var early: [Int: Batch] = [:]
      var next = 0
      while let batch = try done.receive() {
        early[batch.sequence] = batch
        while let batch = early.removeValue(forKey: next) {
          next += 1
          try drain(batch)
          try free.send(batch)
        }
      }
    }
    return try result.get()
  }
}

/// The batches that a worker gets, whichever come next.
package struct BatchWork<Batch: PipelineBatch>: Sendable {
  fileprivate let filled: Channel<Batch>
  fileprivate let done: Channel<Batch>

  /// Hands on each batch after `body` until no more come.
  package func each(_ body: (Batch) throws(Failure) -> Void) throws(Failure) {
    while let batch = try filled.receive() {
      try body(batch)
      try done.send(batch)
    }
  }
}

/// The batches that a pipeline's first stage fills: taken empty, numbered, handed on in order.
///
/// Belongs to one stage. It waits while every batch is with a later one, which is how the fixed pool
/// bounds memory.
package final class BatchFeed<Batch: PipelineBatch> {
  private let free: Channel<Batch>
  private let work: Channel<Batch>
  private var current: Batch?
  private var batchCount = 0

  /// Takes empty batches from `free` and gives full ones to `work`.
  package init(free: Channel<Batch>, work: Channel<Batch>) {
    self.free = free
    self.work = work
  }

  /// The batch that is being filled, or the next one if that is full.
  package func open() throws(Failure) -> Batch {
    if let current {
      if !current.isFull { return current }
      try submit()
    }
    try Interruption.check()
    guard let next = try free.receive() else {
      throw Failure(.bug, "the pipeline has ended before its input")
    }
    next.reset()
    next.sequence = batchCount
    batchCount += 1
    current = next
    return next
  }

  /// Hands on the batch that is being filled, full or not.
  package func submit() throws(Failure) {
    guard let full = current else { return }
    current = nil
    try work.send(full)
  }

  /// Hands on what there is, and says that nothing follows.
  package func finish() throws(Failure) {
    try submit()
    work.finish()
  }
}

/// How many stages that do the same work have not ended yet.
package final class RunningCount: Sendable {
  private let count: Atomic<Int>

  /// So many, all of which are to run.
  package init(_ count: Int) { self.count = Atomic(count) }

  /// Whether the one that ends is the last.
  package func endOne() -> Bool {
    count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
  }
}
