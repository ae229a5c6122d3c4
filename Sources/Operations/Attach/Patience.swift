import PostgresFormat
import System

/// The time that the service is given for one thing, and the waits between looks at it.
struct Patience {
  private var end: ContinuousClock.Instant
  private var delay = Duration.milliseconds(100)
  private let announce: @Sendable (String) -> Void
  private var hasAnnounced = false

  private static let longestDelay = Duration.seconds(1)

  init(_ options: AttachOptions) {
    end = .now + options.service.patience
    announce = options.announce
  }

  /// Waits before another look, if there is time for one; if not, throws what was wrong at the last.
  mutating func wait(or failure: Failure) throws(Failure) {
    guard ContinuousClock.now < end else { throw failure }
    if !hasAnnounced { announce(failure.message) }
    hasAnnounced = true
    try Interruption.wait(min(delay, end - .now))
    delay = min(delay * 2, Self.longestDelay)
  }

  /// Gives at least this much time from now on.
  mutating func extend(to duration: Duration) { end = max(end, .now + duration) }

  /// Looks until there is an answer: a server that is about to start may not give one.
  mutating func look<Value>(
    _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    while true {
      do throws(Failure) {
        return try body()
      } catch {
        guard error.code == .serviceUnavailable else { throw error }
        try wait(or: error)
      }
    }
  }
}
