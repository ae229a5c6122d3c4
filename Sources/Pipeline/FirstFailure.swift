import Synchronization
import System

/// The first failure of a pipeline's stages, with which all of it ends.
///
/// Stages learn of it from their channels; one that waits for something else looks here.
package final class FirstFailure: Sendable {
  private let first = Mutex<Failure?>(nil)

  package init() {}

  /// Keeps the error, unless there is one already; returns the one that was first.
  @discardableResult
  package func note(_ error: Failure) -> Failure {
    first.withLock { first in
      let kept = first ?? error
      first = kept
      return kept
    }
  }

  /// Throws the failure, where there is one.
  package func check() throws(Failure) {
    if let error = first.withLock({ $0 }) { throw error }
  }
}
