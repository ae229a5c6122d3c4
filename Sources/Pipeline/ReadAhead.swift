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

  private let pool: BufferPool
  /// What has been read, in order; an error or the end comes last.
  private let filled: Channel<Result<LentBuffer?, Failure>>
  /// What ends the wait for the next buffer, besides signals.
  private let failure: FirstFailure

  private init(bufferCount: Int, failure: FirstFailure) {
    self.failure = failure
    pool = BufferPool(bufferCount: bufferCount, bufferSize: Self.bufferSize)
    filled = Channel(capacity: bufferCount + 1)
  }

  /// Reads all of a source that fits into all buffers but one, in the caller's thread.
  ///
  /// For fuzzing, where a thread for each run would take most of its time. Blocks for ever if the
  /// source is longer.
  package convenience init(wholeOf source: any ByteSource) {
    self.init(bufferCount: Self.leastBufferCount, failure: FirstFailure())
    Self.produce(from: { () throws(Failure) in source }, pool, filled)
  }

  /// Starts to read what `open` gives, on a thread called `read`.
  ///
  /// `open` runs on that thread: that may block, and neither an open(2) nor a read(2) that does keeps
  /// the caller from noticing a signal.
  package convenience init(
    bufferCount: Int = leastBufferCount, failure: FirstFailure = FirstFailure(),
    open: @escaping @Sendable () throws(Failure) -> any ByteSource
  ) throws(Failure) {
    self.init(bufferCount: max(bufferCount, Self.leastBufferCount), failure: failure)
    let thread = try NamedThread("read") { [pool, filled] in
      Self.produce(from: open, pool, filled)
    }
    thread.detach()
  }

  deinit { pool.close() }

  /// Fills buffer after buffer, up to the end or an error, which come last.
  private static func produce(
    from open: () throws(Failure) -> any ByteSource, _ pool: BufferPool,
    _ filled: Channel<Result<LentBuffer?, Failure>>
  ) {
    var source: (any ByteSource)?
    while true {
      var element: Result<LentBuffer?, Failure> = .success(nil)
      do throws(Failure) {
        if source == nil { source = try open() }
        if let source { element = .success(try pool.fill(from: source)) }
      } catch {
        element = .failure(error)
      }
      try? filled.send(element)  // which nothing makes fail
      guard case .success(.some) = element else { return }
    }
  }

  /// Lends the next buffer; nil at the end of the source.
  ///
  /// All buffers but the last are full. Who keeps buffers must release all but one before there are
  /// three others. Throws what the source threw, after all that it gave before, and the `failure` or
  /// that of a signal within a fifth of a second of it. Not to be called again after the end or an
  /// error.
  package func next() throws(Failure) -> LentBuffer? {
    while true {
      try Interruption.check()
      try failure.check()
      if case .some(.some(let element)) = try filled.receive(within: .milliseconds(200)) {
        return try element.get()
      }
    }
  }
}
