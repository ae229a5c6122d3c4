/// Passes progress on, ten times a second at most: it comes with every file and every batch.
package struct ProgressThrottle {
  private let progress: (any ProgressReporting)?
  private var lastReport = ContinuousClock.now

  package init(_ progress: (any ProgressReporting)?) {
    self.progress = progress
  }

  /// Reports the result of `current`, which is called only when a report is due.
  package mutating func report(_ current: () -> ImportProgress) {
    guard let progress else { return }
    let now = ContinuousClock.now
    guard now - lastReport >= .milliseconds(100) else { return }
    lastReport = now
    progress.report(current())
  }
}
