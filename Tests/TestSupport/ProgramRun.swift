import Foundation
import Glibc
import Synchronization

/// One run of the built program, from its start to its end, as another process.
public struct ProgramRun: Sendable {
  /// What the program reads.
  public enum Input: Sendable {
    /// Nothing: `/dev/null`.
    case none
    /// A file, by its path: the program can seek in it.
    case file(String)
    /// A file's contents through a pipe: the program cannot seek.
    case pipe(String)
    /// These bytes, through a pipe.
    case data(Data)
  }

  /// What the program wrote to standard output.
  public let output: Data

  /// What it wrote to standard error, what is not UTF-8 repaired.
  public let error: String

  /// The exit code, or nil where a signal ended the program.
  public let exitCode: Int32?

  /// The signal that ended the program, or nil where it exited.
  public let signal: Int32?

  /// Whether the program was still running at its time limit, and was killed for that.
  public let wasKilled: Bool

  /// Standard output as text, what is not UTF-8 repaired.
  public var outputText: String { String(decoding: output, as: UTF8.self) }

  /// The program, beside the test bundle.
  public static let path: String = {
    let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: bundle ?? "").deletingLastPathComponent()
      .appendingPathComponent("import-backup").path
  }()

  /// Runs the program to its end, and kills it where that takes longer than `timeLimit`; under a
  /// sanitizer, which makes it slower, five times that.
  ///
  /// With a `script`, bash runs that instead: `"$@"` in it is the program and its arguments, as in
  /// `"$@" > /dev/full`. Output goes through files, so any amount of it may come. `started` gets
  /// the number of the process, which is the program's own where there is no script.
  public static func run(
    _ arguments: [String], input: Input = .none, script: String? = nil,
    environment: [String: String] = [:], directory: String? = nil,
    timeLimit: Duration = .seconds(60),
    started: (@Sendable (Int32) -> Void)? = nil
  ) async throws -> ProgramRun {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("import-backup-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }

    let process = Process()
    // bash connects the pipe, so that nothing here has to be written while something else is read.
    var words = script.map { ["/bin/bash", "-c", $0, "bash", path] } ?? [path]
    words += arguments
    switch input {
    case .none: process.standardInput = FileHandle.nullDevice
    case .file(let file):
      process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
    case .pipe(let file):
      words = ["/bin/bash", "-c", Self.pipeScript, file] + words
    case .data(let data):
      let file = scratch.appendingPathComponent("input")
      try data.write(to: file)
      words = ["/bin/bash", "-c", Self.pipeScript, file.path] + words
    }
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }

    let outputFile = scratch.appendingPathComponent("output")
    let errorFile = scratch.appendingPathComponent("error")
    let (output, error) = (try newFile(outputFile), try newFile(errorFile))
    // A Process keeps its files open for ever, and with more than a thousand of them `Process.run`
    // reads beyond the end of its buffer for their names.
    defer {
      try? output.close()
      try? error.close()
    }
    process.standardOutput = output
    process.standardError = error
    let wasKilled = try await end(
      of: process, timeLimit: timeLimit * (Sanitizer.isOff ? 1 : 5), started: started)
    let wasSignalled = process.terminationReason == .uncaughtSignal
    return ProgramRun(
      output: try Data(contentsOf: outputFile),
      error: String(decoding: try Data(contentsOf: errorFile), as: UTF8.self),
      exitCode: wasSignalled ? nil : process.terminationStatus,
      signal: wasSignalled ? process.terminationStatus : nil, wasKilled: wasKilled)
  }

  private static let pipeScript = #"file=$0; exec "$@" < <(exec cat -- "$file")"#

  /// Starts `process` and waits for its end without holding a thread; tells whether it was killed.
  private static func end(
    of process: Process, timeLimit: Duration, started: (@Sendable (Int32) -> Void)?
  ) async throws -> Bool {
    let watch = Watch()
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in
        watch.end()
        continuation.resume()
      }
      do {
        try process.run()
      } catch {
        // A process that did not start does not end either: the handler is never called.
        process.terminationHandler = nil
        continuation.resume(throwing: error)
        return
      }
      let number = process.processIdentifier
      watch.begin(number, timeLimit: timeLimit)
      started?(number)
    }
    return watch.hasKilled
  }

  private static func newFile(_ file: URL) throws -> FileHandle {
    try Data().write(to: file)
    return try FileHandle(forWritingTo: file)
  }
}

/// Kills a process that outlives its time.
private final class Watch: Sendable {
  private struct State {
    var isOver = false
    var hasKilled = false
  }

  private let state = Mutex(State())

  var hasKilled: Bool { state.withLock { $0.hasKilled } }

  /// Goes by steps of a second at most: time in which this process is stopped counts as one.
  func begin(_ process: Int32, timeLimit: Duration) {
    let step = min(timeLimit, .seconds(1))
    let nanoseconds = Int(step / .nanoseconds(1))
    DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [self] in
      if state.withLock({ $0.isOver }) { return }
      if timeLimit > step { begin(process, timeLimit: timeLimit - step) } else { kill(process) }
    }
  }

  func end() { state.withLock { $0.isOver = true } }

  private func kill(_ process: Int32) {
    state.withLock { state in
      if state.isOver { return }
      state.hasKilled = true
      _ = Glibc.kill(process, SIGKILL)
    }
  }
}
