/// Passes progress on, ten times a second at most: it comes with every file and every batch.
package struct ProgressThrottle {
  private let progress: (any ProgressReporting)?
  private var lastReport = ContinuousClock.now

  package init(_ progress: (any ProgressReporting)?) {
    self.progress = progress
  }

  /// Reports what `current` makes, which is asked only where it is time for it.
  package mutating func report(_ current: () -> ImportProgress) {
    guard let progress else { return }
    let now = ContinuousClock.now
    guard now - lastReport >= .milliseconds(100) else { return }
    lastReport = now
    progress.report(current())
  }
}
