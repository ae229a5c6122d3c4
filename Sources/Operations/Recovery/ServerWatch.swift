import PostgresFormat
import System

/// Notices that a server does nothing any more: it replays no WAL, uses no processor, and changes the
/// size of no file.
///
/// A server that waits for something that does not come, for a lock or for a disk, would wait for
/// ever. One that works is left alone, however long it takes, and so is one that waits for the user's
/// restore command.
struct ServerWatch {
  /// What a server does shows in these.
  private struct Sample {
    var position: LogSequenceNumber?
    /// In hundredths of a second.
    var processorTime: UInt64
    /// The bytes of the copy; nil if they were not added up.
    var byteCount: UInt64?
  }

  /// The number of the process that is the server, or has it below it.
  var process: Int32?

  private let scratch: ScratchDirectory
  private let limit: Duration
  /// When the server was last seen to do something, and when it is looked at again. The time that a
  /// machine is suspended for does not count.
  private var lastProgress = SuspendingClock.now
  private var next = SuspendingClock.now
  private var last: Sample?

  /// Less than this, in hundredths of a second, is what a server takes that wakes up now and then to
  /// find that it has to wait on.
  private static let leastProcessorTime: UInt64 = 100

  init(_ scratch: ScratchDirectory, limit: Duration) {
    self.scratch = scratch
    self.limit = limit
  }

  /// Looks at the server, if it is time to.
  ///
  /// - Throws: `.damaged` if it has done nothing for too long.
  mutating func check(
    position: () -> LogSequenceNumber?, isWaitingForUser: Bool
  ) throws(Failure) {
    let now = SuspendingClock.now
    guard now >= next || isWaitingForUser else { return }
    next = now + limit / 30
    // A system that does not say what the server does says nothing against it.
    guard let process, !isWaitingForUser,
      let time = SystemCalls.processorTime(below: process)
    else {
      lastProgress = now
      return
    }
    var sample = Sample(position: position(), processorTime: time)
    if let last, sample.position == last.position,
      time < last.processorTime + Self.leastProcessorTime
    {
      // Only now, for the copy has many files.
      sample.byteCount = byteCount()
      sample.processorTime = last.processorTime
      if sample.byteCount == last.byteCount || last.byteCount == nil {
        self.last = sample
        guard now - lastProgress < limit else { throw failure(sample.position) }
        return
      }
    }
    last = sample
    lastProgress = now
  }

  /// Zero if it cannot be found out, for the server changes names meanwhile.
  private func byteCount() -> UInt64 {
    [scratch.data, scratch.tablespaces].reduce(0) { sum, path in
      sum &+ ((try? DirectoryHandle(path: path).byteCount()) ?? 0)
    }
  }

  private func failure(_ position: LogSequenceNumber?) -> Failure {
    let seconds = limit.components.seconds
    let time = seconds % 60 == 0 ? "\(seconds / 60) minutes" : "\(seconds) seconds"
    let place = position.map { " at LSN \($0)" } ?? ""
    let lines = ServerLog.lastLines(of: scratch.log)
    return Failure(
      .recoveryFailed,
      "Postgres did nothing for \(time)\(place) and was ended" + ServerLog.describe(lines),
      hint:
        "Look whether the disk of the scratch directory works, and try again, or choose another disk "
        + "with '--scratch'.")
  }
}
