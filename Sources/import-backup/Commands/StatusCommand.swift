import Operations
import System

/// `status`: shows how far a timeline is in service.
struct StatusCommand: TenantCommand {
  static let name = "status"
  static let operands = "TIMELINE"
  static let summary = "show whether the service serves a timeline, and where"
  static let discussion = [
    """
    TIMELINE is the directory of a timeline or of a tenant, as for attach. Files and service are only \
    read. Each timeline is shown with where it is served, how far its WAL goes, how many L0 layers the \
    files have, how much WAL has not been uploaded yet, and the safekeepers. If one is not in service, \
    the exit code is 1; if the service has other data, it is 65.
    """,
    serviceDiscussion,
  ]

  static let options: [CommandOption<StatusCommand>] = [
    .controller, .pageserver, .safekeeper, .tokenFile, .serviceCABundle, .callTimeout,
    CommandOption("json", help: "print everything as one JSON object") {
      command, _ in command.printsJSON = true
    },
    CommandOption("quiet", "q", help: "show no notes, of which this command has none") { _, _ in },
    .endpointURL, .region,
  ]

  var tenant = TenantArguments()
  var service = ServiceArguments()
  var printsJSON = false

  mutating func read(operands: [String]) throws(Failure) { try readTenant(operands) }

  func run() throws(Failure) {
    Interruption.install()
    let (summary, failure) = try serviceStatus(try attachOptions())
    try ServiceText.write(
      summary, failure, as: Self.self, asJSON: printsJSON, isQuiet: true,
      text: ServiceText.status(summary))
  }
}
