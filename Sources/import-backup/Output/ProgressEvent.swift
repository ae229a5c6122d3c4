import FoundationEssentials
import Pipeline

/// A line of `--progress json`: what has happened, or how far the run has come.
///
/// What is not known is left out.
struct ProgressEvent: Encodable {
  /// What kind of line it is.
  enum Kind: String, Encodable {
    /// The run has begun.
    case start
    /// A phase has begun.
    case phase
    /// How far a phase has come.
    case progress
    /// A phase has ended.
    case phaseEnd
    /// A note for people.
    case note
    /// The run has ended, well or not.
    case end
  }

  var event: Kind
  /// Since the run began.
  var seconds: Double

  // Of the start.
  var schema: Int?
  var command: String?
  var programVersion: String?
  var startTime: String?
  var timelinePath: String?
  var tenantID: String?
  var timelineID: String?
  var generation: UInt32?

  // Of a phase.
  var phase: RunProgress.Phase?
  var phaseSeconds: Double?
  var doneByteCount: UInt64?
  var totalByteCount: UInt64?
  var doneDatabaseCount: UInt64?
  var totalDatabaseCount: UInt64?
  var writtenByteCount: UInt64?
  var bytesPerSecond: UInt64?
  var secondsLeft: Double?
  var waitingFor: String?
  var waitingSeconds: Double?
  var item: String?

  // Of a note.
  var message: String?

  init(_ event: Kind, seconds: Double) {
    self.event = event
    self.seconds = Self.rounded(seconds)
  }

  /// The first event of a run.
  static func start(
    of command: String, at time: Date, seconds: Double, _ target: RunProgress.Target?
  ) -> ProgressEvent {
    var event = ProgressEvent(.start, seconds: seconds)
    event.schema = 1
    event.command = command
    event.programVersion = Version.number
    event.startTime = time.formatted(Date.ISO8601FormatStyle())
    event.timelinePath = target?.timelinePath
    event.tenantID = target?.tenantID
    event.timelineID = target?.timelineID
    event.generation = target?.generation
    return event
  }

  /// How far a phase has come.
  init(_ reading: ProgressMeter.Reading) {
    self.init(.progress, seconds: reading.seconds)
    phase = reading.phase
    phaseSeconds = Self.rounded(reading.phaseSeconds)
    take(reading.amount)
    if reading.amount.unit == .bytes {
      bytesPerSecond = reading.rate.map { UInt64(min($0, 0x1p53)) }
      secondsLeft = reading.secondsLeft.map(Self.rounded)
    }
    waitingFor = reading.wait?.cause.rawValue
    waitingSeconds = (reading.wait?.seconds).map(Self.rounded)
    item = reading.item.isEmpty ? nil : reading.item
  }

  /// Takes what was counted.
  mutating func take(_ amount: RunProgress.Amount) {
    switch amount.unit {
    case .bytes: (doneByteCount, totalByteCount) = (amount.done, amount.total)
    case .databases: (doneDatabaseCount, totalDatabaseCount) = (amount.done, amount.total)
    }
    writtenByteCount = amount.written
  }

  /// Thousandths are enough.
  static func rounded(_ seconds: Double) -> Double {
    (min(max(seconds, 0), 1e12) * 1000).rounded() / 1000
  }
}

extension RunProgress.Phase: Encodable {}
