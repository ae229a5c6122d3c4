import System

/// How often a request is tried, and how long it is waited for in between.
package struct RetryPolicy: Sendable {
  /// How often it is tried at most.
  package var attemptLimit = 8
  /// The longest wait before the second try; it doubles with each.
  package var firstDelay = Duration.milliseconds(100)
  /// The longest wait of all.
  package var longestDelay = Duration.seconds(10)
  /// How long after the beginning no other try begins.
  package var timeLimit = Duration.seconds(180)

  /// The usual one: with the usual waits, 6 s until it gives up.
  package init() {}

  /// For what must not fail because of a store that starts again, or asks for fewer requests for a while:
  /// bounded by time alone, five minutes.
  package static let patient: RetryPolicy = {
    var policy = RetryPolicy()
    policy.attemptLimit = .max
    policy.timeLimit = .seconds(300)
    return policy
  }()
}

/// The tries of one request: exponential backoff with full jitter, so that many who were turned away
/// at once do not come back at once.
struct Backoff {
  private let policy: RetryPolicy
  private let start = ContinuousClock.now
  /// How often the request has been tried.
  private(set) var attemptCount = 1
  private var delay: Duration

  init(_ policy: RetryPolicy) {
    self.policy = policy
    delay = policy.firstDelay
  }

  /// Waits before the next try; false if there is to be none. Throws if a signal ends the program.
  mutating func wait() throws(Failure) -> Bool {
    let chosen = delay * Double.random(in: 0...1)
    guard attemptCount < policy.attemptLimit,
      ContinuousClock.now + chosen - start < policy.timeLimit
    else { return false }
    attemptCount += 1
    delay = min(delay * 2, policy.longestDelay)
    try Interruption.wait(chosen)
    return true
  }
}
