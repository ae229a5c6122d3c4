import FoundationEssentials
import System

/// The JSON object of a command that failed, or the part of a result's object that says so.
struct FailureObject: Encodable {
  let error: Failure

  private enum Key: String, CodingKey {
    case exitCode, code, error, hint, findings
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(error.exitCode.rawValue, forKey: .exitCode)
    try container.encode(error.code.rawValue, forKey: .code)
    try container.encode(error.message, forKey: .error)
    try container.encodeIfPresent(error.hint, forKey: .hint)
    if let findings = error.findings { try encode(findings, into: &container) }
  }

  private func encode(
    _ findings: some FailureFindings, into container: inout KeyedEncodingContainer<Key>
  ) throws {
    try container.encode(findings, forKey: .findings)
  }
}

/// The object of a command that has nothing but its failure to say.
struct FailedCommand: Encodable {
  let command: String
  let error: Failure

  private enum Key: String, CodingKey {
    case schema, command
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(2, forKey: .schema)
    try container.encode(command, forKey: .command)
    try FailureObject(error: error).encode(to: encoder)
  }
}

extension Failure {
  /// The same failure, said by the result already if `isInResult`.
  func inResult(_ isInResult: Bool) -> Failure {
    var failure = self
    failure.isInResult = isInResult
    return failure
  }
}

/// A result, and the failure that the command ends with all the same, as one object.
struct FailedResult<Result: Encodable>: Encodable {
  let result: Result
  let error: Failure?

  func encode(to encoder: any Encoder) throws {
    try result.encode(to: encoder)
    if let error { try FailureObject(error: error).encode(to: encoder) }
  }
}
