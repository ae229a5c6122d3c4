import Dispatch
import FoundationEssentials
import Pipeline
import Synchronization
import System

/// How progress is shown.
enum ProgressMode: String, CaseIterable, Sendable {
  /// A bar on a terminal, and nothing elsewhere.
  case auto
  /// A line that is rewritten in place.
  case bar
  /// A line every ten seconds, and when a phase begins or ends.
  case plain
  /// An event a line, every second, and when a phase begins or ends.
  case json
  /// Nothing, until SIGUSR1 asks for it.
  case none
}

/// Shows on standard error how far a run has come, on a thread of its own.
///
/// The thread looks five times a second. Those that work never print and never wait for it.
final class ProgressReporter: Sendable {
  private let progress: RunProgress
  private let mode: ProgressMode
  private let command: String
  private let saysTarget: Bool
  private let stream = StandardStream.error
  private let startTime = Date.now
  private let start = ContinuousClock.now
  private let stop = DispatchSemaphore(value: 0)
  private let state: Mutex<State>

  private static let tick = DispatchTimeInterval.milliseconds(200)

  private struct State {
    var meter: ProgressMeter
    /// When the next line is due.
    var due: ContinuousClock.Instant
    /// Whether a line is on the terminal that is to be rewritten.
    var isLineShown = false
    /// Whether the first line of the run has been written.
    var hasStarted = false
  }

  private init(_ progress: RunProgress, _ mode: ProgressMode, command: String, saysTarget: Bool) {
    self.progress = progress
    self.mode = mode
    self.command = command
    self.saysTarget = saysTarget
    state = Mutex(State(meter: ProgressMeter(start: start), due: start))
  }

  /// Runs `body` and shows its progress until it is done.
  ///
  /// Throws what `body` throws, and `.inputOutput` if the system gives no thread.
  ///
  /// - Parameter saysTarget: whether a note says at the start what is written, if no progress does.
  static func run<Value>(
    _ command: some ReportingCommand, saysTarget: Bool = false,
    _ body: (RunProgress, ProgressReporter) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let progress = RunProgress(inputByteCount: command.reporting.inputByteCount)
    let reporter = ProgressReporter(
      progress, command.reporting.mode(on: .error), command: type(of: command).name,
      saysTarget: saysTarget)
    let thread = try NamedThread("progress") { reporter.loop() }
    defer {
      progress.end()
      reporter.stop.signal()
      thread.join()
    }
    return try body(progress, reporter)
  }

  /// Writes a note between two lines of progress.
  func note(_ text: String) {
    state.withLock { state in
      showEvents(&state)
      erase(&state)
      if mode == .json {
        var event = ProgressEvent(.note, seconds: seconds(at: .now))
        event.message = text
        write(event)
      } else {
        stream.writeIfPossible("note: \(text)\n")
      }
    }
  }

  private func loop() {
    while stop.wait(timeout: .now() + Self.tick) == .timedOut { show() }
    state.withLock { state in
      showEvents(&state)
      begin(&state, nil)
      erase(&state)
      let seconds = seconds(at: .now)
      switch mode {
      case .json: write(ProgressEvent(.end, seconds: seconds))
      case .plain: writeLine("progress: ended after \(Quantity.clock(seconds))")
      case .auto, .bar, .none: break
      }
    }
  }

  /// Shows what has happened, and how far the run is if that is due or asked for.
  private func show() {
    state.withLock { state in
      showEvents(&state)
      let isRequested = Interruption.takeProgressRequest()
      guard let sample = progress.sample() else {
        if isRequested { writeLine("progress: starting") }
        return
      }
      let now = ContinuousClock.now
      let reading = state.meter.add(sample, at: now)
      if isRequested {
        erase(&state)
        if mode == .json {
          write(ProgressEvent(reading))
        } else {
          writeLine(ProgressText.line(reading))
        }
      }
      guard now >= state.due else { return }
      switch mode {
      case .bar:
        // Asked each time: the window may have been resized. The last column stays empty, where
        // some terminals wrap.
        let columns = stream.windowColumns ?? stream.textColumns
        stream.writeIfPossible(Self.eraser + ProgressText.bar(reading, columns: columns - 1))
        state.isLineShown = true
      case .plain:
        state.due = now + .seconds(10)
        writeLine(ProgressText.line(reading))
      case .json:
        state.due = now + .seconds(1)
        write(ProgressEvent(reading))
      case .auto, .none: break
      }
    }
  }

  /// Writes what there is to write about what has happened since the last time.
  private func showEvents(_ state: inout State) {
    for event in progress.takeEvents() {
      if case .target(let target) = event {
        begin(&state, target)
      } else {
        begin(&state, nil)
      }
      switch (mode, event) {
      case (.plain, .began(let phase, _)):
        writeLine("progress: \(phase.words)")
        state.due = .now + .seconds(10)
      case (.plain, .ended(let phase, let amount, let start, let end)):
        writeLine(ProgressText.end(of: phase, amount, seconds: (end - start) / .seconds(1)))
      case (.json, .began(let phase, let time)):
        var line = ProgressEvent(.phase, seconds: seconds(at: time))
        line.phase = phase
        write(line)
      case (.json, .ended(let phase, let amount, let start, let end)):
        var line = ProgressEvent(.phaseEnd, seconds: seconds(at: end))
        line.phase = phase
        line.phaseSeconds = ProgressEvent.rounded((end - start) / .seconds(1))
        line.take(amount)
        write(line)
      default: break
      }
    }
  }

  /// Writes the first line of the run, unless that has been done.
  private func begin(_ state: inout State, _ target: RunProgress.Target?) {
    guard !state.hasStarted else { return }
    state.hasStarted = true
    switch mode {
    case .json:
      write(.start(of: command, at: startTime, seconds: 0, target))
    case .bar, .plain:
      erase(&state)
      if let target { writeLine("progress: " + ProgressText.target(target)) }
    case .auto, .none:
      if saysTarget, let target { writeLine("note: " + ProgressText.target(target)) }
    }
  }

  private func seconds(at time: ContinuousClock.Instant) -> Double {
    (time - start) / .seconds(1)
  }

  /// Removes the line from the terminal, before anything else is written.
  private func erase(_ state: inout State) {
    if state.isLineShown { stream.writeIfPossible(Self.eraser) }
    state.isLineShown = false
  }

  private static let eraser = "\r\u{1B}[K"

  private func writeLine(_ line: String) { stream.writeIfPossible(line + "\n") }

  private func write(_ event: ProgressEvent) {
    guard let line = try? SummaryOutput.json(event) else { return }
    stream.writeIfPossible(line + "\n")
  }
}
