import Synchronization

/// The first failure of a pipeline's stages, with which all of it ends.
///
/// Stages learn of it from their channels; one that waits for something else looks here.
final class FirstFailure: Sendable {
  private let first = Mutex<ImportError?>(nil)

  /// Keeps the error, unless there is one already; returns the one that was first.
  @discardableResult
  func note(_ error: ImportError) -> ImportError {
    first.withLock { first in
      let kept = first ?? error
      first = kept
      return kept
    }
  }

  /// Throws the failure, where there is one.
  func check() throws(ImportError) {
    if let error = first.withLock({ $0 }) { throw error }
  }
}
