import Dispatch

/// Runs an actor's work on a thread that may block.
///
/// Swift's own threads are as many as there are processors: one of them that waits for a disk or
/// a pipe would be one less that compresses. An actor that reads or writes has an executor of
/// its own instead. An import holds five of the 255 threads that Dispatch has for such queues.
package final class BlockingExecutor: SerialExecutor {
  private let queue: DispatchQueue

  package init(label: String) {
    queue = DispatchQueue(label: label)
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    // Invariant: each job is run exactly once, by the serial queue that stands for this executor.
    let job = UnownedJob(job)
    queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}

/// An actor whose work may block: it has a thread of its own.
///
/// While it waits it takes no other call, so that what others ask meanwhile is `nonisolated`.
package protocol BlockingActor: Actor {
  nonisolated var executor: BlockingExecutor { get }
}
