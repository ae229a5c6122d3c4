import Synchronization

/// How far an import has come.
public struct ImportProgress: Sendable {
  /// Bytes taken from the input, compressed as they come.
  public var inputBytesRead: UInt64
  /// The input's length in bytes; nil for a pipe.
  public var inputByteCount: UInt64?
  /// The bytes of the complete layers; nil if nothing is written.
  public var outputBytesWritten: UInt64?
  /// The member that is being read, control characters escaped.
  public var member: String

  /// Progress with these counts; `member` is escaped already.
  public init(
    inputBytesRead: UInt64, inputByteCount: UInt64?, outputBytesWritten: UInt64?, member: String
  ) {
    self.inputBytesRead = inputBytesRead
    self.inputByteCount = inputByteCount
    self.outputBytesWritten = outputBytesWritten
    self.member = member
  }
}

/// Receives the progress of an import from the reading thread, about ten times a second.
public protocol ProgressReporting: Sendable {
  /// Takes the latest progress; the import waits until it returns.
  func report(_ progress: ImportProgress)
}

/// Counts that stages on several threads add to.
package final class ImportCounters: Sendable {
  private let output = Atomic<UInt64>(0)

  /// Counts at 0.
  package init() {}

  /// The bytes written so far, added up over all threads.
  package var outputByteCount: UInt64 { output.load(ordering: .relaxed) }

  /// Adds written bytes; any thread may call it.
  package func addOutput(_ byteCount: UInt64) {
    output.wrappingAdd(byteCount, ordering: .relaxed)
  }
}

/// Passes progress on, ten times a second at most: it comes with every file and every batch.
package struct ProgressThrottle {
  private let progress: (any ProgressReporting)?
  private var lastReport = ContinuousClock.now

  /// A throttle in front of `progress`; with nil, nothing is ever reported.
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
