import Foundation

/// One run of the built program, from its start to its end, as another process.
struct ProgramRun: Sendable {
  /// What the program reads.
  enum Input: Sendable {
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
  let output: Data

  /// What it wrote to standard error, what is not UTF-8 repaired.
  let error: String

  /// The exit code, or nil where a signal ended the program.
  let exitCode: Int32?

  /// The signal that ended the program, or nil where it exited.
  let signal: Int32?

  /// Standard output as text, what is not UTF-8 repaired.
  var outputText: String { String(decoding: output, as: UTF8.self) }

  /// The program, beside the test bundle.
  static let path: String = {
    let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: bundle ?? "").deletingLastPathComponent()
      .appendingPathComponent("import-backup").path
  }()

  /// Runs the program to its end.
  ///
  /// With a `script`, bash runs that instead: `"$@"` in it is the program and its arguments, as in
  /// `"$@" > /dev/full`. Output goes through files, so any amount of it may come.
  static func run(
    _ arguments: [String], input: Input = .none, script: String? = nil,
    environment: [String: String] = [:], directory: String? = nil
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
      words = ["/bin/bash", "-c", #"file=$0; "$@" < <(exec cat -- "$file")"#, file] + words
    case .data(let data):
      let file = scratch.appendingPathComponent("input")
      try data.write(to: file)
      words = ["/bin/bash", "-c", #"file=$0; "$@" < <(exec cat -- "$file")"#, file.path] + words
    }
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }

    let outputFile = scratch.appendingPathComponent("output")
    let errorFile = scratch.appendingPathComponent("error")
    process.standardOutput = try newFile(outputFile)
    process.standardError = try newFile(errorFile)
    try await end(of: process)
    let wasSignalled = process.terminationReason == .uncaughtSignal
    return ProgramRun(
      output: try Data(contentsOf: outputFile),
      error: String(decoding: try Data(contentsOf: errorFile), as: UTF8.self),
      exitCode: wasSignalled ? nil : process.terminationStatus,
      signal: wasSignalled ? process.terminationStatus : nil)
  }

  /// Starts `process` and waits for its end without holding a thread.
  private static func end(of process: Process) async throws {
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in continuation.resume() }
      do {
        try process.run()
      } catch {
        // A process that did not start does not end either: the handler is never called.
        process.terminationHandler = nil
        continuation.resume(throwing: error)
      }
    }
  }

  private static func newFile(_ file: URL) throws -> FileHandle {
    try Data().write(to: file)
    return try FileHandle(forWritingTo: file)
  }
}
