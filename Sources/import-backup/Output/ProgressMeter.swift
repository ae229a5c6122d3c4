import Pipeline

/// Makes rates and times of samples of a run's progress.
///
/// The caller gives the times, so that it depends on nothing else.
struct ProgressMeter {
  /// What there is to say at one moment.
  struct Reading {
    var phase: RunProgress.Phase
    /// Since the run began.
    var seconds: Double
    /// Since the phase began.
    var phaseSeconds: Double
    var amount: RunProgress.Amount
    /// The file that is being worked on, or where in the WAL; empty if that says nothing.
    var item: String
    /// What was done of `amount` a second, over the last five; nil if that is not known.
    var rate: Double?
    /// How long the rest takes at the rate of the last half minute; nil if that is not known.
    var secondsLeft: Double?
    /// What the run waits for, and for how long already; nil if it does not wait.
    var wait: (cause: WaitCause, seconds: Double)?
  }

  enum WaitCause: String {
    case input
    case output
    /// What the restore command brings.
    case writeAheadLog = "WAL"
  }

  private static let rateWindow = Duration.seconds(5)
  private static let leftWindow = Duration.seconds(30)
  /// How far apart remembered samples are.
  private static let spacing = Duration.seconds(1)
  /// How long nothing must have moved before that is said.
  private static let patience = Duration.seconds(2)

  private let start: ContinuousClock.Instant
  private var phaseStart: ContinuousClock.Instant?
  /// What was done by when: one a second, of the last half minute.
  private var past: [(time: ContinuousClock.Instant, done: UInt64)] = []
  private var latest: (done: UInt64?, written: UInt64?, since: ContinuousClock.Instant)

  init(start: ContinuousClock.Instant) {
    self.start = start
    latest = (nil, nil, start)
  }

  /// Takes a sample, as often as anybody likes, and says what follows from all so far.
  mutating func add(
    _ sample: RunProgress.Sample, at now: ContinuousClock.Instant
  ) -> Reading {
    if sample.start != phaseStart {
      phaseStart = sample.start
      past = [(sample.start, 0)]
      latest.since = sample.start
    }
    let amount = sample.amount
    if (amount.done, amount.written) != (latest.done, latest.written) {
      latest = (amount.done, amount.written, now)
    }
    var reading = Reading(
      phase: sample.phase, seconds: (now - start) / .seconds(1),
      phaseSeconds: (now - sample.start) / .seconds(1), amount: amount, item: sample.item)
    if let done = amount.done {
      reading.rate = rate(of: done, at: now, over: Self.rateWindow)
      reading.secondsLeft = secondsLeft(amount, at: now)
      remember(done, at: now)
    }
    let still = now - latest.since
    let cause: WaitCause? =
      amount.isFetching
      ? .writeAheadLog : amount.isReading ? .input : amount.isWriting ? .output : nil
    if still >= Self.patience, let cause { reading.wait = (cause, still / .seconds(1)) }
    return reading
  }

  private mutating func remember(_ done: UInt64, at now: ContinuousClock.Instant) {
    guard let last = past.last, now - last.time >= Self.spacing else { return }
    past.append((now, done))
    // The first stays until the second is old enough to take its place.
    while past.count > 1, now - past[1].time >= Self.leftWindow { past.removeFirst() }
  }

  /// What was done a second since the last sample that is as old as the window, or since the first.
  private func rate(
    of done: UInt64, at now: ContinuousClock.Instant, over window: Duration
  ) -> Double? {
    guard let base = past.last(where: { now - $0.time >= window }) ?? past.first,
      now - base.time >= .milliseconds(500), done >= base.done
    else { return nil }
    return Double(done - base.done) / ((now - base.time) / .seconds(1))
  }

  private func secondsLeft(
    _ amount: RunProgress.Amount, at now: ContinuousClock.Instant
  ) -> Double? {
    guard let done = amount.done, let total = amount.total, total >= done,
      let rate = rate(of: done, at: now, over: Self.leftWindow), rate > 0
    else { return nil }
    return Double(total - done) / rate
  }
}
