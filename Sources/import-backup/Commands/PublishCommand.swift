import ObjectStore
import Operations
import System

/// `publish`: publishes the indexes of shards that were imported on their own.
struct PublishCommand: StoreCommand {
  static let name = "publish"
  static let operands = "TENANT"
  static let summary = "publish the shards that imports with --only-shards have written"
  static let discussion = [
    """
    TENANT is DIR/tenants/TENANT-ID without the digits of a shard, and DIR the directory that --output \
    of the imports names; or DIR/tenants/TENANT-ID/timelines/TIMELINE-ID, if the tenant has several \
    timelines. If a shard is missing, or the shards are not of one backup, nothing is published. \
    Otherwise each shard gets its index, shard 0 last: a pageserver can attach the tenant after that. \
    The command can be run again after it was interrupted.
    """,
    """
    DIR may also be in an object store: s3://BUCKET/PREFIX. Credentials are found as by AWS's own tools.
    """,
  ]

  static let options: [CommandOption<PublishCommand>] = [
    CommandOption("json", help: "print everything as one JSON object") {
      command, _ in command.printsJSON = true
    },
    CommandOption("quiet", "q", help: "show no notes") { command, _ in command.isQuiet = true },
    .endpointURL, .region, .caBundle,
  ]

  var path = ""
  var store = StoreOptions()
  var printsJSON = false
  var isQuiet = false

  mutating func read(operands: [String]) throws(Failure) {
    path = try Operands.single(
      operands, missing: "no tenant given",
      hint: "For example: import-backup publish storage/tenants/TENANT.")
    try requireUse(ofStoreOptionsFor: path)
  }

  func run() throws(Failure) {
    Interruption.install()
    let summary = try publishTimeline(path, store: store)
    try SummaryOutput.write(
      printsJSON ? try ResultObject(Self.self, summary, nil).line() : Self.text(summary),
      done: "The timeline at \(summary.timelinePath.quoted) is complete.")
    StandardStream.error.writeIfPossible(
      summary.warnings.map { "warning: \($0.message)\n" }.joined())
    if !printsJSON && !isQuiet {
      StandardStream.error.writeIfPossible(
        "next: take it into service, at generation \(summary.generation) or above: "
          + store.added(
            to:
              "\(Program.name) attach \(GivenCommand.quoted(summary.timelinePath)) --controller URL"
          )
          + "\n")
    }
  }

  private static func text(_ summary: PublishSummary) -> String {
    let count = summary.publishedShardCount
    let what =
      count == summary.shardCount
      ? "published \(count) shards"
      : count == 0
        ? "all \(summary.shardCount) shards were published already"
        : "published \(count) of \(summary.shardCount) shards, the others were already"
    return "\(what): Postgres \(summary.postgresVersion), LSN \(summary.importLSN) to "
      + "\(summary.endLSN), \(Quantity.count(summary.layerCount, "layer")), "
      + "\(Quantity.bytes(summary.layerByteCount))\n"
  }
}
