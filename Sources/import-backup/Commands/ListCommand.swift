import ObjectStore
import Operations
import System

/// `list`: lists the timelines below a directory.
struct ListCommand: StoreCommand {
  static let name = "list"
  static let operands = "DIR"
  static let summary = "list the timelines below a directory"
  static let discussion = [
    """
    DIR is the directory that --output of an import names, or one below it: DIR/tenants, a tenant's, \
    or a timeline's. Each timeline is shown with its state, Postgres version, generation, size and \
    LSN. It is complete if it has an index, and all layers that the index names. It is locked while \
    an import is writing to it, or replacing if it is still complete. If it is damaged, the others are \
    listed all the same, and the exit code is 65. Nothing is changed, and links are not followed.
    """,
    """
    DIR may also be in an object store: s3://BUCKET/PREFIX. A request is sent for each 1,000 keys \
    below it, and one for each timeline. Credentials are found as by AWS's own tools.
    """,
  ]

  static let options: [CommandOption<ListCommand>] = [
    CommandOption("json", help: "print everything as one JSON object") {
      command, _ in command.printsJSON = true
    },
    CommandOption("quiet", "q", help: "show no notes") { command, _ in command.isQuiet = true },
    .endpointURL, .region, .caBundle,
  ]

  var settings = ListOptions(path: "")
  var printsJSON = false
  var isQuiet = false

  var store: StoreOptions {
    get { settings.store }
    set { settings.store = newValue }
  }

  mutating func read(operands: [String]) throws(Failure) {
    settings.path = try Operands.single(
      operands, missing: "no directory given", hint: "For example: import-backup list storage.")
    try requireUse(ofStoreOptionsFor: settings.path)
  }

  func run() throws(Failure) {
    Interruption.install()
    let list = try listTimelines(settings)
    let failure = list.failure
    try StandardStream.output.write(
      printsJSON
        ? try ResultObject(Self.self, list, failure).line()
        : ListText.text(list))
    if !printsJSON && !isQuiet {
      StandardStream.error.writeIfPossible(ListText.notes(list).map { $0 + "\n" }.joined())
    }
    if let failure { throw failure.inResult(printsJSON) }
  }
}
