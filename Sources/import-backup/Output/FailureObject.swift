import System

/// The part of a JSON object that says with what failure a command ends.
struct FailureObject: Encodable {
  let error: Failure

  private enum Key: String, CodingKey {
    case code, error, hint, findings
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
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

extension Failure {
  /// The same failure, said by the result already if `isInResult`.
  func inResult(_ isInResult: Bool) -> Failure {
    var failure = self
    failure.isInResult = isInResult
    return failure
  }
}
