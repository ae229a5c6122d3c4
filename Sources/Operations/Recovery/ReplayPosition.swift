import PostgresFormat
import Synchronization
import System

/// How far a server in single-user mode has come in its replay.
///
/// Such a server has no title that says it. What it cannot hide: the WAL segment that it has open
/// (`/proc/PID/fd`), or asks a restore command for, and which may be half a megabyte ahead of the
/// record that it replays; and `minRecoveryPoint` of `pg_control`, which it moves up whenever a
/// changed page leaves its cache. (Postgres, `xlogrecovery.c`, `XLogFileRead`; `xlog.c`,
/// `UpdateMinRecoveryPoint`) The largest of them is shown. The first may be forbidden, as in a
/// container without the right to trace others; the last stays where it is while everything fits
/// into the cache.
final class ReplayPosition: Sendable {
  private struct State {
    var process: Int32?
    var position: LogSequenceNumber
    var next = ContinuousClock.now
  }

  /// How often the system is asked: that takes a millisecond or less.
  private static let interval = Duration.milliseconds(500)

  private let directory: String
  private let segmentSize: UInt32
  private let control: @Sendable () -> ControlFile?
  private let state: Mutex<State>

  /// The position of a server that has yet to start.
  ///
  /// - Parameters:
  ///   - directory: the path of what holds `data`, as the server sees it.
  ///   - control: reads the control file; nil if it is just being written.
  init(
    in directory: String, from start: LogSequenceNumber, _ segmentSize: UInt32,
    control: @escaping @Sendable () -> ControlFile?
  ) {
    self.directory = directory
    self.segmentSize = segmentSize
    self.control = control
    state = Mutex(State(position: start))
  }

  /// Takes the number of the process that is the server, or has it below it.
  func watch(_ process: Int32) {
    state.withLock { $0.process = process }
  }

  /// Says that the server has come to a segment.
  func reach(_ segment: WALSegmentName) {
    state.withLock { $0.position = max($0.position, segment.start) }
  }

  /// Says that the server has replayed all, up to `end` if that is known.
  func finish(at end: LogSequenceNumber?) {
    state.withLock { state in
      state.process = nil
      state.position = max(state.position, end ?? state.position)
    }
  }

  /// The furthest that the server is known to have come.
  func current() -> LogSequenceNumber {
    state.withLock { state in
      let now = ContinuousClock.now
      if let process = state.process, now >= state.next {
        state.next = now + Self.interval
        let point = control()?.minRecoveryPoint ?? state.position
        state.position = max(state.position, openSegment(below: process) ?? point, point)
      }
      return state.position
    }
  }

  private func openSegment(below process: Int32) -> LogSequenceNumber? {
    let log = directory + "/data/pg_wal/"
    return SystemCalls.openFiles(below: process)
      .compactMap { path -> LogSequenceNumber? in
        guard path.hasPrefix(log) else { return nil }
        return WALSegmentName(path.dropFirst(log.count), segmentSize: segmentSize)?.start
      }
      .max()
  }
}
