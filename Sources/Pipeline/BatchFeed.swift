import System

/// What workers take in order and hand on in any.
package protocol SequencedBatch: Sendable {
  /// The batch's place in the order in which batches were filled.
  var sequence: Int { get }
}

extension Channel where Element: SequencedBatch {
  /// Hands on every batch in the order in which they were filled, until the channel ends.
  package func receiveInOrder(
    _ body: (Element) throws(Failure) -> Void
  ) async throws(Failure) {
    var order = SequenceOrder<Element>()
    while let batch = try await receive() { try order.add(batch, body) }
  }

  /// Does as `receiveInOrder` does, and blocks the calling thread where it waits.
  @available(*, noasync, message: "a task waits with receiveInOrder()")
  package func waitInOrder(
    _ body: (Element) throws(Failure) -> Void
  ) throws(Failure) {
    var order = SequenceOrder<Element>()
    while let batch = try wait() { try order.add(batch, body) }
  }
}

/// Puts batches that come in any order back in the order in which they were filled.
private struct SequenceOrder<Batch: SequencedBatch> {
  private var early: [Int: Batch] = [:]
  private var next = 0

  /// Hands on the batch and those that waited for it, or keeps it where one before it is to come.
  mutating func add(
    _ batch: Batch, _ body: (Batch) throws(Failure) -> Void
  ) throws(Failure) {
    early[batch.sequence] = batch
    while let batch = early.removeValue(forKey: next) {
      next += 1
      try body(batch)
    }
  }
}

/// What goes round a pipeline: filled by one stage, worked on by others, emptied and used again.
package protocol PipelineBatch: AnyObject, SequencedBatch {
  var sequence: Int { get set }
  var isFull: Bool { get }
  /// Empties the batch; what it has allocated stays.
  func reset()
}

/// The batches that a pipeline's first stage fills: taken empty, numbered, handed on in order.
///
/// Belongs to one stage. It waits where every batch is with a later one, which is how the fixed
/// pool bounds memory.
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

  /// The batch that is being filled, or the next one when that is full: the thread waits for it.
  @available(*, noasync, message: "a stage that fills batches has a thread of its own")
  package func open() throws(Failure) -> Batch {
    if let current {
      if !current.isFull { return current }
      submit()
    }
    try Interruption.check()
    guard let next = try free.wait() else {
      throw Failure(.bug, "the pipeline has ended before its input")
    }
    next.reset()
    next.sequence = batchCount
    batchCount += 1
    current = next
    return next
  }

  /// Hands the batch that is being filled on, full or not.
  package func submit() {
    guard let full = current else { return }
    current = nil
    work.send(full)
  }

  /// Hands on what there is, and tells the next stage that nothing follows.
  package func finish() {
    submit()
    work.finish()
  }
}
