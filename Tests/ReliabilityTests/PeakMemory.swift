import Foundation
import TestSupport
import Testing

extension ProgramRun {
  /// Runs the program, and returns the peak of its resident memory in KiB.
  ///
  /// Other processes of a `script` that may end after the program must not have `LD_PRELOAD` in
  /// their environment.
  static func measured(
    _ arguments: [String], script: String? = nil, timeLimit: Duration = .seconds(300)
  ) async throws -> (result: ProgramRun, peak: Int) {
    let scratch = try TemporaryDirectory()
    let file = scratch.path + "/peak"
    let run = try await run(
      arguments, script: script,
      environment: try FaultLibrary.environment([], under: nil, peak: file), timeLimit: timeLimit)
    let peak = try? String(contentsOfFile: file, encoding: .utf8)
    return (run, peak.flatMap { Int($0) } ?? .max)
  }
}

/// Expects that less than `limit` KiB of the program's memory were resident at any time.
///
/// Under a sanitizer nothing is expected, as it needs memory for each byte of the program.
func expectPeak(
  _ peak: Int, below limit: Int, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard Sanitizer.isOff else { return }
  #expect(peak < limit, "\(peak) KiB: \(comment)", sourceLocation: sourceLocation)
}
