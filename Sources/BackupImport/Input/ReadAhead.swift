import Dispatch
import Synchronization

/// Reads a source in a thread of its own, a fixed number of buffers ahead.
///
/// Reading and decompressing run beside the work on what was read. The memory is bounded by
/// `bufferCount` buffers of `bufferSize` bytes. Owned and called by one thread; when it goes, the
/// reading thread ends after the read it is in, which nobody waits for.
final class ReadAhead {
  static let bufferSize = 1 << 20
  static let bufferCount = 4

  private let ring = Ring()

  /// The index of the buffer that is lent, or of the next one where none is.
  private var index = 0
  private var isLent = false

  /// Reads all of a source that is shorter than the buffers together, in the caller's thread.
  ///
  /// For fuzzing, where a thread for each run would take most of its time. Blocks for ever where
  /// the source fills all buffers but one.
  init(wholeOf source: any ByteSource) {
    ring.produce { () throws(ImportError) in source }
  }

  /// Starts to read what `open` gives.
  ///
  /// `open` runs in the reading thread: that may block, and neither an open(2) nor a read(2) that
  /// does keeps the caller from noticing a signal.
  init(open: @escaping @Sendable () throws(ImportError) -> any ByteSource) {
    // A serial queue has a thread of its own as long as its block runs; signals are blocked there.
    DispatchQueue(label: "import-backup.read-ahead").async { [ring] in
      ring.produce(from: open)
    }
  }

  deinit {
    ring.stop()
  }

  /// Lends the next buffer until the next call; nil at the end of the source.
  ///
  /// All buffers but the last are full. Throws what the source threw, after all that it gave
  /// before, and `.interrupted` or `.terminated` within a fifth of a second of a signal. Not to be
  /// called again after the end or an error.
  func next() throws(ImportError) -> ByteBuffer? {
    if isLent {
      isLent = false
      ring.empty.signal()
      index = (index + 1) % Self.bufferCount
    }
    repeat {
      try Interruption.check()
    } while ring.filled.wait(timeout: .now() + .milliseconds(200)) == .timedOut
    let slot = ring.slots[index]
    if let failure = slot.failure { throw failure }
    if slot.buffer.byteCount == 0 { return nil }
    isLent = true
    return slot.buffer
  }
}

extension ReadAhead {
  private final class Slot {
    let buffer = ByteBuffer(capacity: ReadAhead.bufferSize)
    var failure: ImportError?
  }

  // Invariant: a slot is touched by the reading thread only between `empty.wait` and
  // `filled.signal`, and by the owner only between `filled.wait` and `empty.signal`; both go
  // through the slots in the same order, so that no slot is held by both.
  private final class Ring: @unchecked Sendable {
    let slots = (0..<ReadAhead.bufferCount).map { _ in Slot() }
    // Both start at zero: a semaphore may not be freed below the value it was made with.
    let empty = DispatchSemaphore(value: 0)
    let filled = DispatchSemaphore(value: 0)
    private let isStopped = Atomic<Bool>(false)

    init() {
      for _ in slots { empty.signal() }
    }

    func stop() {
      isStopped.store(true, ordering: .relaxed)
      empty.signal()
    }

    /// Fills slot after slot, up to the one that is empty at the end or holds the error.
    func produce(from open: () throws(ImportError) -> any ByteSource) {
      var source: (any ByteSource)?
      var index = 0
      while true {
        empty.wait()
        if isStopped.load(ordering: .relaxed) { return }
        let slot = slots[index]
        do throws(ImportError) {
          if source == nil { source = try open() }
          if let source { try slot.buffer.fill(from: source) }
        } catch {
          slot.failure = error
        }
        let isLast = slot.failure != nil || slot.buffer.byteCount == 0
        filled.signal()
        if isLast { return }
        index = (index + 1) % slots.count
      }
    }
  }
}
