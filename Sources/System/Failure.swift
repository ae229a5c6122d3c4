import PostgresFormat

/// What failed, why, and what to do about it: the one error of the program.
public struct Failure: Error, Sendable {
  /// What kind of failure it is; the raw value is the program's exit code.
  public enum Code: Int32, Sendable {
    /// A verification found a difference.
    case difference = 1
    /// The timeline directory is in use, or already has an index.
    case inUse = 2
    /// The command line is wrong.
    case usage = 64
    /// The backup, or a timeline to be read, is damaged, incomplete or inconsistent.
    case damaged = 65
    /// The backup or the timeline cannot be opened.
    case cannotOpen = 66
    /// The input is sound, but this program cannot carry it over.
    case unsupported = 69
    /// A bug in this program.
    case bug = 70
    /// The output cannot be created.
    case cannotCreate = 73
    /// Reading or writing failed.
    case inputOutput = 74
    /// The terminal or session was closed: SIGHUP.
    case hungUp = 129
    /// Interrupted by SIGINT.
    case interrupted = 130
    /// Terminated by SIGTERM.
    case terminated = 143
  }

  /// The kind of failure, which is also the program's exit code.
  public var code: Code

  /// One line: lower case, no final period, names in single quotes with control characters escaped.
  public var message: String

  /// What to do about it: full sentences, or nil if there is nothing to do.
  public var hint: String?

  /// What a check found in detail, beyond the message.
  public var findings: (any FailureFindings)?

  /// A failure with this message; `hint` is in full sentences.
  public init(
    _ code: Code, _ message: String, hint: String? = nil, findings: (any FailureFindings)? = nil
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.findings = findings
  }

  /// Puts the name of what was read before what `error` says about its bytes.
  public init(_ error: FormatError, in subject: String) {
    self.code =
      switch error.kind {
      case .damaged: .damaged
      case .unsupported: .unsupported
      }
    self.message = "\(subject): \(error.message)"
    self.hint = error.hint
  }
}

extension Failure: Equatable {
  /// Whether both say the same, findings included.
  public static func == (left: Failure, right: Failure) -> Bool {
    left.code == right.code && left.message == right.message && left.hint == right.hint
      && left.findings?.lines == right.findings?.lines
  }
}

/// What a check found in detail: lines of text for a person, an object for JSON.
public protocol FailureFindings: Encodable, Sendable {
  /// The first findings in words, a line each, and how many more there are.
  var lines: [String] { get }
}

/// Keeps the first error of a source, and throws it for ever after.
package struct ErrorLatch {
  private var error: Failure?

  /// A latch that holds no error yet.
  package init() {}

  /// Does what `body` does, unless that has failed before.
  package mutating func run<Result>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if let error { throw error }
    do throws(Failure) {
      return try body()
    } catch {
      self.error = error
      throw error
    }
  }
}
