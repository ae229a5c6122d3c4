/// What workers take in order and hand on in any.
protocol SequencedBatch: Sendable {
  /// The batch's place in the order in which batches were filled.
  var sequence: Int { get }
}

extension Channel where Element: SequencedBatch {
  /// Hands on every batch in the order in which they were filled, until the channel ends.
  nonisolated(nonsending) func receiveInOrder(
    _ body: nonisolated(nonsending) (Element) async throws(ImportError) -> Void
  ) async throws(ImportError) {
    var early: [Int: Element] = [:]
    var next = 0
    while let batch = try await receive() {
      early[batch.sequence] = batch
      while let batch = early.removeValue(forKey: next) {
        next += 1
        try await body(batch)
      }
    }
  }
}

/// What goes round a pipeline: filled by one stage, worked on by others, emptied and used again.
protocol PipelineBatch: AnyObject, SequencedBatch {
  var sequence: Int { get set }
  var isFull: Bool { get }
  /// Empties the batch; what it has allocated stays.
  func reset()
}

/// The batches that a pipeline's first stage fills: taken empty, numbered, handed on in order.
///
/// Belongs to one stage. It waits where every batch is with a later one, which is how the fixed
/// pool bounds memory.
final class BatchFeed<Batch: PipelineBatch> {
  private let free: Channel<Batch>
  private let work: Channel<Batch>
  private var current: Batch?
  private var batchCount = 0

  /// Takes empty batches from `free` and gives full ones to `work`.
  init(free: Channel<Batch>, work: Channel<Batch>) {
    self.free = free
    self.work = work
  }

  /// The batch that is being filled, or the next one when that is full.
  nonisolated(nonsending) func open() async throws(ImportError) -> Batch {
    if let current {
      if !current.isFull { return current }
      submit()
    }
    try Interruption.check()
    guard let next = try await free.receive() else {
      throw ImportError(.bug, "the pipeline has ended before its input")
    }
    next.reset()
    next.sequence = batchCount
    batchCount += 1
    current = next
    return next
  }

  /// Hands the batch that is being filled on, full or not.
  func submit() {
    guard let full = current else { return }
    current = nil
    work.send(full)
  }

  /// Hands on what there is, and tells the next stage that nothing follows.
  func finish() {
    submit()
    work.finish()
  }
}
