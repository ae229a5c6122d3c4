import PostgresFormat

/// What failed, why, and what to do about it: the one error of the program.
public struct Failure: Error, Sendable {
  /// What went wrong, for scripts.
  public var code: ErrorCode

  /// One line: lower case, no final period, names in single quotes with control characters escaped.
  public var message: String

  /// What to do about it: full sentences, or nil if there is nothing to do.
  public var hint: String?

  /// What a check found in detail, beyond the message.
  public var findings: (any FailureFindings)?

  /// Whether the result that was printed as JSON says it already.
  public var isInResult = false

  /// How the given command line has to change for the hint to be followed; nil if no command does.
  public var remedy: Remedy?

  /// A failure with this message; `hint` is in full sentences.
  public init(
    _ code: ErrorCode, _ message: String, hint: String? = nil,
    findings: (any FailureFindings)? = nil
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.findings = findings
  }

  /// Puts the name of what was read before what `error` says about its bytes.
  ///
  /// - Parameter damage: the code of a damaged file of this kind, for an error without its own.
  public init(_ error: FormatError, in subject: String, damage: ErrorCode) {
    self.code = error.code ?? damage
    self.message = "\(subject): \(error.message)"
    self.hint = error.hint
  }

  /// The program's exit code, which follows from the error's code.
  public var exitCode: ExitCode { code.exitCode }
}

/// A change of the command line that was given, or another one: the whole command is shown below the hint.
public struct Remedy: Equatable, Sendable {
  /// What to give instead of the backup; nil to leave it.
  public var backup: String?
  /// The program, with its options, that writes the decompressed backup to standard output.
  public var filter: [String] = []
  /// Options to add, each with its value after it.
  public var options: [String] = []
  /// The words of another command, after the program's name; empty for the one that was given.
  public var command: [String] = []

  /// A change of the backup, or of the options, or of both.
  public init(backup: String? = nil, filter: [String] = [], options: [String] = []) {
    self.backup = backup
    self.filter = filter
    self.options = options
  }
}

extension Failure {
  /// The same failure with this remedy.
  package func remedied(by remedy: Remedy?) -> Failure {
    var failure = self
    failure.remedy = remedy
    return failure
  }
}

extension Failure {
  /// Does what `body` does with a path that a person has given: if nothing is there, that is no damage, and
  /// `hint` says what to give.
  package static func ofGivenPath<Result>(
    hint: String? = nil, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    do throws(Failure) {
      return try body()
    } catch {
      guard error.code == .missingFile else { throw error }
      throw Failure(.inputNotFound, error.message, hint: error.hint ?? hint)
    }
  }
}

extension Failure: Equatable {
  /// Whether both say the same, findings included.
  public static func == (left: Failure, right: Failure) -> Bool {
    left.code == right.code && left.message == right.message && left.hint == right.hint
      && left.findings?.lines == right.findings?.lines
  }
}

extension Failure {
  /// Takes what a check finds: throws it to end the check there, or keeps it and lets it go on.
  package typealias Report = (Failure) throws(Failure) -> Void

  /// Ends a check at the first thing that it finds.
  package static func first(_ failure: Failure) throws(Failure) { throw failure }
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

extension Failure {
  /// A file that this run has written, and that holds something else by now; `detail` says what, if it
  /// is known.
  package init(changedAfterWriting path: String, _ detail: String? = nil) {
    self.init(
      .writtenDataChanged,
      "cannot read \(path.quoted): its contents changed after they were written"
        + (detail.map { ": \($0)" } ?? ""),
      hint: "The disk or the memory is at fault: see the system's log.")
  }
}
