import Backup

/// How long the current input has been read.
///
/// One run may read several, one after the other: a backup, and then the copy of it that has been
/// recovered. The rate of one says nothing of the next.
struct InputClock {
  private var start: ContinuousClock.Instant
  private var lastByteCount: UInt64 = 0

  init(_ start: ContinuousClock.Instant) {
    self.start = start
  }

  /// The seconds since the current input was begun; where fewer bytes were read than before, that
  /// is now.
  mutating func seconds(at now: ContinuousClock.Instant, for progress: ImportProgress) -> Double {
    if progress.inputBytesRead < lastByteCount { start = now }
    lastByteCount = progress.inputBytesRead
    return (now - start) / .seconds(1)
  }
}
