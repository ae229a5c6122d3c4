import Synchronization
import System

/// Reads a source in a thread of its own, a fixed number of buffers ahead; a large file in two threads,
/// which fill buffers in turn.
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
  /// What each thread has read, in order; an error or the end comes last.
  private let filled: [Channel<Result<LentBuffer?, Failure>>]
  /// How many buffers each thread may fill before the one before them is taken, if there are two: one of
  /// them must not keep all that the other needs.
  private let permits: [Channel<Void>]
  private let isSplit: Flag
  /// Whose buffer is next.
  private var turn = 0
  /// Whether the last buffer was not full, so that it ends there.
  private var isAtEnd = false

  private final class Flag: Sendable {
    let isSet = Atomic<Bool>(false)
  }
  /// What ends the wait for the next buffer, besides signals.
  private let failure: FirstFailure

  private init(bufferCount: Int, failure: FirstFailure) {
    self.failure = failure
    pool = BufferPool(bufferCount: bufferCount, bufferSize: Self.bufferSize)
    filled = (0..<2).map { _ in Channel(capacity: bufferCount + 1) }
    let share = (bufferCount - Self.leastBufferCount) / 2
    permits = (0..<2).map { _ in
      Channel(capacity: max(share, 1), Array(repeating: (), count: share))
    }
    isSplit = Flag()
  }

  /// Reads all of a source that fits into all buffers but one, in the caller's thread.
  ///
  /// For fuzzing, where a thread for each run would take most of its time. Blocks for ever if the
  /// source is longer.
  package convenience init(wholeOf source: any ByteSource) {
    self.init(bufferCount: Self.leastBufferCount, failure: FirstFailure())
    Self.produce(from: { () throws(Failure) in source }, pool, filled[0])
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
    let canSplit = bufferCount >= 2 * Self.leastBufferCount
    let thread = try NamedThread("read") { [pool, filled, permits, isSplit] in
      do throws(Failure) {
        let source = try open()
        if canSplit, let splittable = source as? any SplittableSource,
          let pieces = splittable.split(intoPiecesOf: Self.bufferSize)
        {
          isSplit.isSet.store(true, ordering: .releasing)
          let second = try NamedThread("read-2") {
            Self.produce(from: { () throws(Failure) in pieces[1] }, pool, filled[1], permits[1])
          }
          second.detach()
          Self.produce(from: { () throws(Failure) in pieces[0] }, pool, filled[0], permits[0])
        } else {
          Self.produce(from: { () throws(Failure) in source }, pool, filled[0])
        }
      } catch {
        try? filled[0].send(.failure(error))  // which nothing makes fail
      }
    }
    thread.detach()
  }

  deinit {
    pool.close()
    for permits in permits { permits.finish() }
  }

  /// Fills buffer after buffer, each with a permit if there are any, up to the end or an error, which
  /// come last.
  private static func produce(
    from open: () throws(Failure) -> any ByteSource, _ pool: BufferPool,
    _ filled: Channel<Result<LentBuffer?, Failure>>, _ permits: Channel<Void>? = nil
  ) {
    var source: (any ByteSource)?
    while true {
      var element: Result<LentBuffer?, Failure> = .success(nil)
      do throws(Failure) {
        if source == nil { source = try open() }
        if let permits, try permits.receive() == nil { return }
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
      guard
        case .some(.some(let element)) = try filled[turn].receive(within: .milliseconds(200))
      else { continue }
      let buffer = try element.get()
      guard isSplit.isSet.load(ordering: .acquiring) else { return buffer }
      if buffer != nil {
        if isAtEnd { return nil }  // the file became longer meanwhile
        isAtEnd = buffer?.byteCount != Self.bufferSize
        try permits[turn].send(())
      }
      turn = 1 - turn
      return buffer
    }
  }
}
