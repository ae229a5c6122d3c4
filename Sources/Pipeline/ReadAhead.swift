import Dispatch
import Synchronization
import System

/// Reads a source in a thread of its own, a fixed number of buffers ahead.
///
/// Reading and decompressing run beside the work on what was read. The memory is bounded by
/// the number of buffers of `bufferSize` bytes, those that are lent included. Owned and called by
/// one thread; when it goes, the reading thread ends after the read it is in, which nobody waits
/// for.
package final class ReadAhead {
  /// The bytes of a buffer, as many as a pipe is made to hold.
  package static let bufferSize = FileSource.pipeByteCount

  /// The least number of buffers: one that is lent, and three that are read ahead or kept.
  package static let leastBufferCount = 4

  private let queue: Queue
  /// What ends the wait for the next buffer, besides signals.
  private let failure: FirstFailure

  /// Reads all of a source that fits into all buffers but one, in the caller's thread.
  ///
  /// For fuzzing, where a thread for each run would take most of its time. Blocks for ever where
  /// the source is longer.
  package init(wholeOf source: any ByteSource) {
    failure = FirstFailure()
    queue = Queue(bufferCount: Self.leastBufferCount)
    queue.produce { () throws(Failure) in source }
  }

  /// Starts to read what `open` gives.
  ///
  /// `open` runs in the reading thread: that may block, and neither an open(2) nor a read(2) that
  /// does keeps the caller from noticing a signal.
  package init(
    bufferCount: Int = leastBufferCount, failure: FirstFailure = FirstFailure(),
    open: @escaping @Sendable () throws(Failure) -> any ByteSource
  ) {
    self.failure = failure
    queue = Queue(bufferCount: max(bufferCount, Self.leastBufferCount))
    // A serial queue has a thread of its own as long as its block runs; signals are blocked there.
    DispatchQueue(label: "import-backup.read-ahead").async { [queue] in
      queue.produce(from: open)
    }
  }

  deinit {
    queue.pool.close()
  }

  /// Lends the next buffer; nil at the end of the source.
  ///
  /// All buffers but the last are full. Who keeps buffers must let go of all but one before there
  /// are three others. Throws what the source threw, after all that it gave before, and
  /// the `failure` or that of a signal within a fifth of a second of it. Not to be called again
  /// after the end or an error.
  package func next() throws(Failure) -> LentBuffer? {
    repeat {
      try Interruption.check()
      try failure.check()
    } while !queue.wait()
    return try queue.take()
  }
}

extension ReadAhead {
  /// What the reading thread has read, in order.
  private final class Queue: Sendable {
    let pool: BufferPool
    private let elements = Mutex<[Result<LentBuffer?, Failure>]>([])
    private let filled = DispatchSemaphore(value: 0)

    init(bufferCount: Int) {
      pool = BufferPool(bufferCount: bufferCount, bufferSize: ReadAhead.bufferSize)
    }

    /// Waits a fifth of a second at most; false where there is nothing yet.
    func wait() -> Bool {
      filled.wait(timeout: .now() + .milliseconds(200)) == .success
    }

    func take() throws(Failure) -> LentBuffer? {
      try elements.withLock { $0.removeFirst() }.get()
    }

    /// Fills buffer after buffer, up to the end or an error, which come last.
    func produce(from open: () throws(Failure) -> any ByteSource) {
      var source: (any ByteSource)?
      while true {
        var element: Result<LentBuffer?, Failure> = .success(nil)
        do throws(Failure) {
          if source == nil { source = try open() }
          if let source { element = .success(try pool.fill(from: source)) }
        } catch {
          element = .failure(error)
        }
        elements.withLock { $0.append(element) }
        filled.signal()
        guard case .success(.some) = element else { return }
      }
    }
  }
}
