import Backup
import Synchronization
import System

/// The progress line on a terminal, rewritten in place.
final class ProgressLine: ProgressReporting {
  private let stream: StandardStream
  private let state: Mutex<State>

  private struct State {
    var isShown = false
    var clock: InputClock
  }

  private init(_ stream: StandardStream) {
    self.stream = stream
    state = Mutex(State(clock: InputClock(.now)))
    show("waiting for input")
  }

  /// A line on standard error, or nil if that is not a terminal.
  static func onTerminal() -> ProgressLine? {
    StandardStream.error.terminalColumns == nil ? nil : ProgressLine(.error)
  }

  func report(_ progress: ImportProgress) {
    // Asked each time: the window may have been resized.
    guard let columns = stream.terminalColumns else { return }
    let seconds = state.withLock { $0.clock.seconds(at: .now, for: progress) }
    show(Self.text(progress, seconds: seconds, columns: columns - 1))
  }

  private func show(_ line: String) {
    state.withLock { state in
      state.isShown = true
      stream.writeIfPossible("\r\u{1B}[K\(line)")
    }
  }

  /// Removes the line from the terminal.
  func erase() {
    state.withLock { state in
      if state.isShown { stream.writeIfPossible("\r\u{1B}[K") }
      state.isShown = false
    }
  }

  /// The line, at most `columns` wide; rate and time left are computed from the input so far.
  static func text(_ progress: ImportProgress, seconds: Double, columns: Int) -> String {
    let read = progress.inputBytesRead
    let rate = seconds > 0 ? Double(read) / seconds : 0
    var parts: [String] = []
    if let total = progress.inputByteCount, total > 0 {
      let share = min(Double(read) / Double(total), 1)
      parts.append("\(Int(share * 100))%")
      parts.append("\(Quantity.bytes(read)) of \(Quantity.bytes(total))")
    } else {
      parts.append(Quantity.bytes(read))
    }
    parts.append("\(Quantity.bytes(UInt64(min(rate, 0x1p53))))/s")
    if let total = progress.inputByteCount, total > read, rate > 0 {
      parts.append("\(Quantity.clock(Double(total - read) / rate)) left")
    }
    if let written = progress.outputBytesWritten {
      parts.append("\(Quantity.bytes(written)) written")
    }
    parts.append(progress.member)
    return prefix(of: parts.joined(separator: "  "), columns: columns)
  }

  /// As much of `text` as fits; a character outside ASCII counts as two columns.
  private static func prefix(of text: String, columns: Int) -> String {
    var room = columns
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      room -= scalar.isASCII ? 1 : 2
      if room < 0 { break }
      result.append(scalar)
    }
    return String(result)
  }
}

/// Measures how long the current input has been read.
///
/// A run may read several inputs, one after the other: a backup, then its recovered copy. The rate
/// of one says nothing about the next.
struct InputClock {
  private var start: ContinuousClock.Instant
  private var lastByteCount: UInt64 = 0

  init(_ start: ContinuousClock.Instant) {
    self.start = start
  }

  /// The seconds since the current input was started: now, if fewer bytes were read than before.
  mutating func seconds(at now: ContinuousClock.Instant, for progress: ImportProgress) -> Double {
    if progress.inputBytesRead < lastByteCount { start = now }
    lastByteCount = progress.inputBytesRead
    return (now - start) / .seconds(1)
  }
}
