import Foundation
import Glibc
import Synchronization

/// One run of the built program in another process.
public struct ProgramRun: Sendable {
  /// The standard input of the program.
  public enum Input: Sendable {
    /// Nothing: `/dev/null`.
    case none
    /// A file, given by path: the program can seek in it.
    case file(String)
    /// The contents of a file through a pipe: the program cannot seek.
    case pipe(String)
    /// These bytes, through a pipe.
    case data(Data)
  }

  /// The standard output.
  public let output: Data

  /// The standard error, with invalid UTF-8 repaired.
  public let error: String

  /// The same without the note at the start of an import, which says where it writes.
  public var errorAfterStart: String {
    guard error.hasPrefix("note: importing into '") else { return error }
    return String(error.drop { $0 != "\n" }.dropFirst())
  }

  /// The exit code, or nil if a signal ended the program.
  public let exitCode: Int32?

  /// The signal that ended the program, or nil if it exited.
  public let signal: Int32?

  /// Whether the program was killed because it exceeded its time limit.
  public let wasKilled: Bool

  /// The standard output as text, with invalid UTF-8 repaired.
  public var outputText: String { String(decoding: output, as: UTF8.self) }

  /// The program, next to the test bundle.
  public static let path: String = {
    let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: bundle ?? "").deletingLastPathComponent()
      .appendingPathComponent("import-backup").path
  }()

  /// Runs the program to its end, and kills it after `timeLimit`; under a sanitizer, which makes it
  /// slower, after five times that.
  ///
  /// With a `script`, bash runs that instead: `"$@"` in it is the program and its arguments, as in
  /// `"$@" > /dev/full`. Output goes to files, so it may have any length; text is 100 columns wide. `started` gets
  /// the number of the process, which is the program's own without a script.
  ///
  /// If `--json` is among the arguments, the standard output must fit `Docs/schema`, unless a signal
  /// has ended the program.
  public static func run(
    _ arguments: [String], input: Input = .none, script: String? = nil,
    environment: [String: String] = [:], directory: String? = nil,
    timeLimit: Duration = .seconds(300),
    started: (@Sendable (Int32) -> Void)? = nil
  ) async throws -> ProgramRun {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("import-backup-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }

    let process = Process()
    // bash connects the pipe, so that this process need not read and write at the same time.
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
    process.environment = ProcessInfo.processInfo.environment
      .merging(["COLUMNS": "100"]) { $1 }.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }

    let outputFile = scratch.appendingPathComponent("output")
    let errorFile = scratch.appendingPathComponent("error")
    let (output, error) = (try newFile(outputFile), try newFile(errorFile))
    // A Process never closes its files, and with more than a thousand of them `Process.run` reads
    // beyond the end of its buffer for their names.
    defer {
      try? output.close()
      try? error.close()
    }
    process.standardOutput = output
    process.standardError = error
    let wasKilled = try await end(
      of: process, timeLimit: timeLimit * (Sanitizer.isOff ? 1 : 5), started: started)
    let wasSignalled = process.terminationReason == .uncaughtSignal
    let result = try Data(contentsOf: outputFile)
    if arguments.contains("--json") && !wasSignalled { try ResultSchema.check(result) }
    return ProgramRun(
      output: result,
      error: String(decoding: try Data(contentsOf: errorFile), as: UTF8.self),
      exitCode: wasSignalled ? nil : process.terminationStatus,
      signal: wasSignalled ? process.terminationStatus : nil, wasKilled: wasKilled)
  }

  private static let pipeScript = #"file=$0; exec "$@" < <(exec cat -- "$file")"#

  /// Starts `process` and waits for its end without blocking a thread; returns whether it was
  /// killed.
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
        // If the process did not start, the handler is never called.
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

/// Kills a process after its time limit.
private final class Watch: Sendable {
  private struct State {
    var isOver = false
    var hasKilled = false
  }

  private let state = Mutex(State())

  var hasKilled: Bool { state.withLock { $0.hasKilled } }

  /// Waits in steps of a second: if this process is stopped, that counts as one step.
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
