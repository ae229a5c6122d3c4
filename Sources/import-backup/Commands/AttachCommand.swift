import Operations
import System

/// `attach`: has the service serve a timeline.
struct AttachCommand: TenantCommand {
  static let name = "attach"
  static let operands = "TIMELINE"
  static let summary = "take a timeline into service"
  static let discussion = [
    """
    TIMELINE is the directory of a timeline, DIR/tenants/TENANT/timelines/TIMELINE, or of a tenant, \
    DIR/tenants/TENANT, for all its timelines. The service must have the same files in its remote \
    storage. The tenant is attached, the timeline is compared with the files, and then made on the \
    safekeepers.
    """,
    serviceDiscussion,
    """
    What is in place already is left alone, so it is safe to run this again, also after a failure. \
    Nothing is ever detached or deleted. If the service has a timeline of the same id with other data, \
    it stays as it is, and the exit code is 65.
    """,
    """
    With --dry-run, service and files are only read, and the calls are printed as curl commands. A call \
    that would be dangerous too early checks first that it is not.
    """,
  ]

  static let options: [CommandOption<AttachCommand>] = [
    .controller, .pageserver, .safekeeper,
    CommandOption(
      "attach-generation", value: "N",
      help: """
        generation to attach at with --pageserver, in decimal (default: that of the files, if no \
        pageserver has written them; a lower one is refused)
        """
    ) { command, value throws(Failure) in
      command.tenant.generation = try value.integer(in: 1...UInt32.max)
    },
    .tokenFile, .serviceCABundle, .wait, .callTimeout,
    CommandOption("dry-run", "n", help: "change nothing; print the calls as curl commands") {
      command, _ in command.isDryRun = true
    },
    CommandOption("json", help: "print the result as one JSON object") {
      command, _ in command.printsJSON = true
    },
    CommandOption("quiet", "q", help: "show no notes") { command, _ in command.isQuiet = true },
    .endpointURL, .region,
  ]

  var tenant = TenantArguments()
  var service = ServiceArguments()
  var isDryRun = false
  var printsJSON = false
  var isQuiet = false

  mutating func read(operands: [String]) throws(Failure) { try readTenant(operands) }

  func run() throws(Failure) {
    Interruption.install()
    var options = try attachOptions()
    if isDryRun { return try rehearse(options) }
    if !printsJSON && !isQuiet { options.announce = ServiceText.announce }
    let (summary, failure) = try attachTenant(options)
    try ServiceText.write(
      summary, failure, as: Self.self, asJSON: printsJSON, isQuiet: isQuiet,
      text: failure == nil ? ServiceText.attached(summary) : "")
  }

  /// Prints the calls.
  private func rehearse(_ options: AttachOptions) throws(Failure) {
    let plan = try planAttachment(options)
    let curl = CurlText(options.service)
    try StandardStream.output.write(
      printsJSON
        ? try ResultObject(Self.self, PlanObject(plan, curl)).line() : curl.script(of: plan))
  }
}
