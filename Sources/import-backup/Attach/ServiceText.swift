import Operations
import PostgresFormat
import System

/// The text about a tenant in service.
enum ServiceText {
  /// Writes what was done or seen, with warnings in any case, then throws the failure, if there is one.
  static func write(
    _ summary: AttachSummary, _ failure: Failure?, as command: any Command.Type, asJSON: Bool,
    isQuiet: Bool, text: String
  ) throws(Failure) {
    try StandardStream.output.write(
      asJSON ? try ResultObject(command, summary, failure).line() : text)
    StandardStream.error.writeIfPossible(warnings(summary))
    if !asJSON && !isQuiet {
      StandardStream.error.writeIfPossible(notes(summary).map { $0 + "\n" }.joined())
    }
    if let failure { throw failure.inResult(asJSON) }
  }

  /// Says what is being waited for.
  @Sendable static func announce(_ message: String) {
    StandardStream.error.writeIfPossible("note: waiting: \(message)\n")
  }

  /// A line for each timeline.
  static func attached(_ summary: AttachSummary) -> String {
    summary.served.map { timeline in
      let safekeepers =
        timeline.safekeepers.isEmpty ? "" : ", safekeepers \(ids(timeline.safekeepers))"
      let state = timeline.isInService ? "in service" : "attached"
      return
        "timeline \(timeline.timelineID) (Postgres \(timeline.postgresVersion)) is \(state) at "
        + "LSN \(timeline.lastRecordLSN ?? timeline.endLSN): \(place(summary))\(safekeepers)\n"
    }.joined()
  }

  /// What has to be looked at, one a line.
  static func warnings(_ summary: AttachSummary) -> String {
    summary.warnings.map { "warning: \($0.message)\n" }.joined()
  }

  /// What was done, one a line.
  private static func notes(_ summary: AttachSummary) -> [String] {
    summary.done.isEmpty && summary.isInService
      ? ["note: everything was in place already"] : summary.done.map { "note: \($0.message)" }
  }

  /// A paragraph for each timeline.
  static func status(_ summary: AttachSummary) -> String {
    let shards = summary.shardCount == 1 ? "" : ", \(Quantity.count(summary.shardCount, "shard"))"
    let title = ["tenant \(summary.tenantID)\(shards)"]
    let paragraphs = summary.served.map { timeline in
      TextTable.facts([
        ("timeline", timeline.timelineID),
        ("in service", timeline.isInService ? "yes" : "no"),
        ("Postgres version", "\(timeline.postgresVersion)"),
        ("pageserver", timeline.state == nil ? "does not have it" : place(summary)),
        ("state", timeline.state.map { escaped($0.utf8) }),
        ("LSN", timeline.lastRecordLSN),
        ("LSN of the files", timeline.endLSN),
        ("L0 layers", Quantity.grouped(timeline.l0LayerCount)),
        ("WAL not uploaded", timeline.notUploadedByteCount.map { Quantity.bytes($0) }),
        ("safekeepers", timeline.safekeepers.isEmpty ? "none" : words(timeline.safekeepers)),
      ])
    }
    return (title + paragraphs.joined(separator: [""])).map { $0 + "\n" }.joined()
  }

  /// Where a tenant is served: each pageserver once.
  private static func place(_ summary: AttachSummary) -> String {
    var places: [String] = []
    for shard in summary.shards {
      let port = shard.port.map { ":\($0)" } ?? ""
      let host = escaped(shard.host.utf8)
      let place = "pageserver \(shard.pageserverID.map { "\($0) at " } ?? "")\(host)\(port)"
      if !places.contains(place) { places.append(place) }
    }
    return places.joined(separator: ", ")
  }

  private static func ids(_ safekeepers: [AttachSummary.Safekeeper]) -> String {
    safekeepers.filter(\.hasTimeline).map { "\($0.id)" }.joined(separator: ", ")
  }

  private static func words(_ safekeepers: [AttachSummary.Safekeeper]) -> String {
    safekeepers.map { safekeeper in
      let state =
        switch safekeeper.state {
        case .ready: "from \(safekeeper.startLSN ?? "")"
        case .missing: "does not have it"
        case .unreachable: "does not answer"
        case .refused: "does not take the token"
        }
      return "\(safekeeper.id) (\(state))"
    }.joined(separator: ", ")
  }
}
