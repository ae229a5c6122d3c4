import Foundation
import TestSupport

/// The library that makes calls of the program fail, compiled from `Faults/faults.c` once per run.
enum FaultLibrary {
  /// The path of the compiled library: next to the program.
  static let path: Result<String, any Error> = Result {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Faults/faults.c").path(percentEncoded: false)
    let library = URL(filePath: ProgramRun.path).deletingLastPathComponent()
      .appending(path: "faults.so").path(percentEncoded: false)
    // Another run of the tests may be using the existing one.
    let new = library + ".\(ProcessInfo.processInfo.processIdentifier)"
    _ = try Shell.output(
      "cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", new, source)
    _ = try Shell.output("mv", new, library)
    return library
  }

  /// The environment in which calls on paths under `path` are counted, and some of them fail.
  static func environment(
    _ faults: [Fault], under path: String?, log: String? = nil, peak: String? = nil
  ) throws -> [String: String] {
    var environment = ["LD_PRELOAD": try self.path.get()]
    environment["FAULT"] = faults.map(\.description).joined(separator: ";")
    environment["FAULT_UNDER"] = path
    environment["FAULT_LOG"] = log
    environment["FAULT_PEAK"] = peak
    return environment
  }
}

/// A fault at one call, or at every second one.
struct Fault: CustomStringConvertible, Sendable {
  enum Action: Sendable {
    case killBefore, killAfter
    case error(Int32)
    case short
    case flip
    case signal(Int32)
    case delay(milliseconds: Int)
  }

  enum Call: Sendable {
    /// Counted from 1.
    case number(Int)
    /// This one and all after it.
    case from(Int)
    /// The first, the third, and so on.
    case everyOther
  }

  /// The name of a call, or `any`.
  var kind: String
  var call: Call
  var action: Action

  /// The fault in the format of the library.
  var description: String {
    let call =
      switch self.call {
      case .number(let number): "\(number)"
      case .from(let number): "\(number)+"
      case .everyOther: "0"
      }
    let action =
      switch self.action {
      case .killBefore: "kill-before"
      case .killAfter: "kill-after"
      case .error(let number): "errno=\(number)"
      case .short: "short"
      case .flip: "flip"
      case .signal(let number): "signal=\(number)"
      case .delay(let milliseconds): "delay=\(milliseconds)"
      }
    return "\(kind):\(call):\(action)"
  }
}
