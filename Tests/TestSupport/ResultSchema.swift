import Foundation
import Synchronization

/// Checks what the program prints with `--json` against `Docs/schema`.
///
/// `Scripts/check-json` does it, with a validator that others have written: it is started when the
/// first object is to be checked, and ends with the tests.
public enum ResultSchema {
  /// An object that fits no schema.
  public struct Mismatch: Error, CustomStringConvertible {
    /// What is wrong, and with what.
    public var description: String
  }

  private static let checker = Mutex<Result<Checker, any Error>?>(nil)

  /// Throws a `Mismatch` unless every line of `output` is an object that fits the schema of its
  /// command: no field is unknown, missing, or of another kind.
  public static func check(_ output: Data) throws {
    try checker.withLock { checker in
      let result = checker ?? Result { try Checker() }
      checker = result
      for line in output.split(separator: UInt8(ascii: "\n")) {
        let answer = try result.get().answer(to: line)
        guard answer == "ok" else {
          throw Mismatch(
            description: "\(answer): \(String(decoding: line.prefix(300), as: UTF8.self))…")
        }
      }
    }
  }
}

/// A running `Scripts/check-json`, which answers each line with one.
private final class Checker: Sendable {
  private let requests: FileHandle
  private let answers: FileHandle

  init() throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Scripts/check-json")
    let (input, output) = (Pipe(), Pipe())
    let process = Process()
    process.executableURL = script
    process.arguments = ["--serve"]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    requests = input.fileHandleForWriting
    answers = output.fileHandleForReading
    guard try nextLine() == "ready" else {
      throw ResultSchema.Mismatch(
        description: "'Scripts/check-json' does not run: is python3-jsonschema installed?")
    }
  }

  func answer(to line: Data) throws -> String {
    try requests.write(contentsOf: line + Data("\n".utf8))
    return try nextLine()
  }

  private func nextLine() throws -> String {
    var line = Data()
    while let byte = try answers.read(upToCount: 1), byte != Data("\n".utf8), !byte.isEmpty {
      line += byte
    }
    return String(decoding: line, as: UTF8.self)
  }
}
