import System

/// Gathers everything for which a backup would be refused, so that the reading can go on.
///
/// Memory: 1,000 failures; more are counted.
package final class RefusalCollector: @unchecked Sendable {
  // Invariant: one thread at a time uses it: the reader's stage, and the one that runs the pipeline
  // before that stage begins and after it has ended.

  /// The first failures, in the order in which they were found.
  package private(set) var failures: [Failure] = []
  /// How many there are.
  package private(set) var count: UInt64 = 0

  private static let limit = 1000

  /// A collector of nothing yet.
  package init() {}

  /// Keeps a failure, unless it is the same as the last one; throws it if it is not about the
  /// backup or the output: a signal, or a bug.
  package func take(_ failure: Failure) throws(Failure) {
    switch failure.exitCode {
    case .bug, .hungUp, .interrupted, .terminated: throw failure
    default: break
    }
    guard failure != failures.last else { return }
    count += 1
    if failures.count < Self.limit { failures.append(failure) }
  }

  /// Does what `body` does; nil if it fails with something that is kept.
  package func collect<Result>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    do throws(Failure) {
      return try body()
    } catch {
      try take(error)
      return nil
    }
  }
}
