import Backup

/// Measures how long the current input has been read.
///
/// A run may read several inputs, one after the other: a backup, then its recovered copy. The rate
/// of one says nothing about the next.
struct InputClock {
  private var start: ContinuousClock.Instant
  private var lastByteCount: UInt64 = 0

  init(_ start: ContinuousClock.Instant) {
    self.start = start
  }

  /// The seconds since the current input was started: now, if fewer bytes were read than before.
  mutating func seconds(at now: ContinuousClock.Instant, for progress: ImportProgress) -> Double {
    if progress.inputBytesRead < lastByteCount { start = now }
    lastByteCount = progress.inputBytesRead
    return (now - start) / .seconds(1)
  }
}
