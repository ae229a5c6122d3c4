import Synchronization

/// How far a run of the program has come, for whoever wants to show it.
///
/// The threads that work say when a phase begins, and keep counters of their own; a reporter asks
/// for a sample whenever it likes. Nothing here prints or waits. A worker pays a short lock for each
/// file or batch, which nobody else holds for longer than it takes to copy some words.
public final class RunProgress: Sendable {
  /// What a run does, one after the other; the raw value is its name for scripts.
  public enum Phase: String, Sendable, CaseIterable {
    /// The backup is copied to the scratch directory.
    case copying
    /// The WAL of the copy is looked through.
    case checkingWAL
    /// Postgres replays the WAL of the copy.
    case replaying
    /// What the replay has changed is read, and turned into layers.
    case readingChanges
    /// Postgres moves the contents of tablespaces, a database at a time.
    case movingTablespaces
    /// The backup is read, and turned into layers if it is imported.
    case reading
    /// The last layers are written and made durable, then the index.
    case finishing
    /// Layers are read to be described.
    case readingLayers
    /// Files are read for their hashes, to be compared with a receipt.
    case hashingFiles
    /// Layers are read and checked.
    case verifyingLayers
    /// A backup is read and compared with the layers.
    case comparing
    /// Layers are read for what a backup has besides pages.
    case readingIndexes
    /// Pages are read and written to the backup.
    case exporting
  }

  /// How much of a phase is done.
  public struct Amount: Sendable, Equatable {
    /// What is counted.
    public enum Unit: Sendable {
      /// Bytes of the input: compressed as they come, or of layers, or of WAL.
      case bytes
      /// Databases.
      case databases
    }

    /// What is done; nil if that is not known.
    public var done: UInt64?
    /// What there is to do; nil if that is not known.
    public var total: UInt64?
    /// What both of them count.
    public var unit = Unit.bytes
    /// The bytes that were written; nil if nothing is.
    public var written: UInt64?
    /// Whether the thread that reads the input is in a call that may wait for it.
    public var isReading = false
    /// Whether the thread that writes the output is at it, and may wait for it.
    public var isWriting = false
    /// Whether a command that brings WAL is running, which may wait for an archive.
    public var isFetching = false

    /// An amount of `unit`; nothing is known of what is nil.
    public init(
      done: UInt64? = nil, total: UInt64? = nil, unit: Unit = .bytes, written: UInt64? = nil,
      isReading: Bool = false, isWriting: Bool = false, isFetching: Bool = false
    ) {
      self.done = done
      self.total = total
      self.unit = unit
      self.written = written
      self.isReading = isReading
      self.isWriting = isWriting
      self.isFetching = isFetching
    }
  }

  /// What an import writes, known before it reads anything.
  public struct Target: Sendable, Equatable {
    /// The timeline's directory, absolute.
    public var timelinePath: String
    /// 32 lower-case hexadecimal digits.
    public var tenantID: String
    /// 32 lower-case hexadecimal digits.
    public var timelineID: String
    /// The generation in the names of the files.
    public var generation: UInt32

    /// The directory and what its name and those of its files are made of.
    public init(timelinePath: String, tenantID: String, timelineID: String, generation: UInt32) {
      self.timelinePath = timelinePath
      self.tenantID = tenantID
      self.timelineID = timelineID
      self.generation = generation
    }
  }

  /// What has happened since it was last asked for.
  public enum Event: Sendable, Equatable {
    /// It is known what an import writes.
    case target(Target)
    /// A phase has begun.
    case began(Phase, at: ContinuousClock.Instant)
    /// A phase that began at `since` has ended, with so much done.
    case ended(Phase, Amount, since: ContinuousClock.Instant, at: ContinuousClock.Instant)
  }

  /// What is being done at one moment.
  public struct Sample: Sendable {
    /// The phase.
    public var phase: Phase
    /// When the phase began.
    public var start: ContinuousClock.Instant
    /// How much of it is done.
    public var amount: Amount
    /// What is being worked on, control characters escaped; empty if that says nothing.
    public var item: String

    /// A sample of a phase that began at `start`.
    public init(
      phase: Phase, start: ContinuousClock.Instant, amount: Amount, item: String = ""
    ) {
      self.phase = phase
      self.start = start
      self.amount = amount
      self.item = item
    }
  }

  private struct Current {
    var phase: Phase
    var start: ContinuousClock.Instant
    var measure: @Sendable () -> Amount
    var item: @Sendable () -> String = { "" }
  }

  private struct State {
    var current: Current?
    var events: [Event] = []
  }

  /// What is known of the size of an input that does not tell it itself, as a pipe.
  public let inputByteCount: UInt64?

  private let state = Mutex(State())

  /// Progress of a run that has not begun; `inputByteCount` is what was said of a pipe's size.
  public init(inputByteCount: UInt64? = nil) {
    self.inputByteCount = inputByteCount
  }

  /// Says what an import writes.
  package func announce(_ target: Target) {
    state.withLock { $0.events.append(.target(target)) }
  }

  /// Begins a phase, and ends the one before; `measure` is called from other threads, until the next
  /// one begins and once more.
  package func begin(_ phase: Phase, measure: @escaping @Sendable () -> Amount = { Amount() }) {
    change(to: Current(phase: phase, start: .now, measure: measure))
  }

  /// Ends the last phase.
  public func end() { change(to: nil) }

  private func change(to next: Current?) {
    let before = state.withLock { $0.current }
    let amount = before?.measure() ?? Amount()  // outside of the lock: it may read a file
    let now = ContinuousClock.now
    state.withLock { state in
      var next = next
      next?.start = now
      if let before {
        state.events.append(.ended(before.phase, amount, since: before.start, at: now))
      }
      if let next { state.events.append(.began(next.phase, at: next.start)) }
      state.current = next
    }
  }

  /// Says what is being worked on; the text is made only if somebody asks for it.
  package func note(_ item: @escaping @Sendable () -> String) {
    state.withLock { $0.current?.item = item }
  }

  /// What is being done; nil before the first phase and after the last.
  public func sample() -> Sample? {
    guard let current = state.withLock({ $0.current }) else { return nil }
    return Sample(
      phase: current.phase, start: current.start, amount: current.measure(), item: current.item())
  }

  /// What has happened since the last call, in order.
  public func takeEvents() -> [Event] {
    state.withLock { state in
      let events = state.events
      state.events = []
      return events
    }
  }
}
