import Operations
import Service

/// Calls of the service as curl commands that work as they stand.
///
/// A token is in no command: the shell reads it from where it was given, and curl gets it through a
/// pipe, as other users may see a process's arguments.
struct CurlText {
  private let options: ServiceOptions

  init(_ options: ServiceOptions) { self.options = options }

  /// All calls, a command each, with a comment before it.
  func script(of plan: AttachPlan) -> String {
    let title =
      plan.changeCount == 0
      ? "# tenant \(plan.tenantID): everything is in place; these calls only look\n"
      : "# tenant \(plan.tenantID): run this with 'bash -e', which ends at the first call that fails\n"
    return title + plan.steps.map { "\n# \($0.purpose)\n\(command(for: $0))\n" }.joined()
  }

  /// One call, behind the checks that it needs, on one line.
  func command(for step: AttachPlan.Step) -> String {
    let checks = step.conditions.map { condition in
      call("GET", condition.url, body: nil, isRepeated: true) + filter(condition.expectations)
    }
    let last = call(step.method, step.url, body: step.body, isRepeated: step.method == "GET")
    return (checks + [last + filter(step.expectations)]).joined(separator: " && ")
  }

  private func call(
    _ method: String, _ url: String, body: String?, isRepeated: Bool
  ) -> String {
    var words = ["curl", "-sS", "--fail-with-body", "--max-time", "\(options.callSeconds)"]
    // What has just been asked for may take a moment.
    if isRepeated { words += ["--retry", "10", "--retry-delay", "1", "--retry-all-errors"] }
    // As `attach` does: no other authorities, and no proxy that would see the token.
    if let bundle = options.caBundle { words += ["--cacert", bundle, "--capath", "/dev/null"] }
    if url.hasPrefix("http://") { words += ["--noproxy", "*"] }
    if method != "GET" { words += ["-X", method] }
    if let body { words += ["-H", "Content-Type: application/json", "--data-raw", body] }
    if options.token != nil { words += ["-K", "-"] }
    words.append(url)
    return token + words.map(GivenCommand.quoted).joined(separator: " ")
  }

  /// What gives curl the token as a line of its configuration.
  private var token: String {
    let text: String
    switch options.token?.source {
    case .file(let path): text = "\"$(tr -d '[:space:]' < \(GivenCommand.quoted(path)))\""
    case .variable(let name): text = "\"$\(name)\""
    case nil: return ""
    }
    return #"printf 'header = "Authorization: Bearer %s"\n' "# + text + " | "
  }

  /// What passes an answer with these fields only.
  private func filter(_ expectations: [AttachPlan.Expectation]) -> String {
    expectations.map { expectation in
      // A number must not be the beginning of another one.
      let end = expectation.value.hasSuffix("\"") ? "" : "\\b"
      let pattern = "\"\(expectation.field)\": ?\(expectation.value)\(end)"
      return " | grep -E \(GivenCommand.quoted(pattern))"
    }.joined()
  }
}

/// The JSON object of a dry run.
struct PlanObject: Encodable {
  private struct Call: Encodable {
    var purpose: String
    var method: String
    var url: String
    var body: String?
    var command: String
  }

  private let dryRun = true
  private let seconds: Double
  private let tenantPath: String
  private let tenantID: String
  private let calls: [Call]

  init(_ plan: AttachPlan, _ curl: CurlText) {
    seconds = plan.seconds
    tenantPath = plan.tenantPath
    tenantID = plan.tenantID
    calls = plan.steps.map { step in
      Call(
        purpose: step.purpose, method: step.method, url: step.url, body: step.body,
        command: curl.command(for: step))
    }
  }
}
