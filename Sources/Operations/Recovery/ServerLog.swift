import PostgresFormat
import System

/// What a server has said, as messages show it.
enum ServerLog {
  private static let lineCount = 10
  private static let byteLimit: UInt64 = 16 << 10

  /// How a program has ended, and the last lines of its log, one below the other.
  static func describe(_ result: ChildProcess.Result, log: String) -> String {
    let ending =
      result.exitCode > 128
      ? "signal \(result.exitCode - 128)" : "exit code \(result.exitCode)"
    let lines = lastLines(of: log)
    return lines.isEmpty
      ? ending : "\(ending); its last lines:\n" + lines.map { "  " + $0 }.joined(separator: "\n")
  }

  /// The last lines of a log, control characters escaped; none if it cannot be read.
  static func lastLines(of log: String) -> [String] {
    let bytes = try? tail(of: log)
    let lines = (bytes ?? []).split(separator: UInt8(ascii: "\n"))
    return lines.suffix(lineCount).map { escaped($0) }
  }

  private static func tail(of log: String) throws(Failure) -> [UInt8] {
    try SystemCalls.lastBytes(of: log, limit: byteLimit)
  }
}
