import HTTP
import LayerFormat
import PostgresFormat
import Service
import System

/// The calls that `attach` would make, in their order, for a person to make.
public struct AttachPlan: Sendable {
  /// A call that changes something, or shows what others did.
  public struct Step: Sendable {
    /// What it is for, a phrase.
    public var purpose: String
    /// `GET`, `PUT` or `POST`.
    public var method: String
    /// The whole URL.
    public var url: String
    /// A JSON object; nil for none.
    public var body: String?
    /// What the answer of a GET must contain.
    public var expectations: [Expectation] = []
    /// What has to be so before the call: otherwise it would make something else.
    public var conditions: [Condition] = []
  }

  /// A GET, and what its answer must contain.
  public struct Condition: Sendable {
    /// The whole URL.
    public var url: String
    /// What the answer must contain.
    public var expectations: [Expectation]
  }

  /// A field of an answer, and its value in JSON.
  public struct Expectation: Sendable {
    /// The field's name.
    public var field: String
    /// Its value, as JSON writes it.
    public var value: String
  }

  /// How long it took to look.
  public var seconds: Double = 0
  /// The tenant's directory, as in a summary.
  public var tenantPath: String
  /// The tenant's id.
  public var tenantID: String
  /// The calls; those at the end only check what the others did.
  public var steps: [Step] = []
  /// How many of them change something.
  public var changeCount: Int { steps.count { $0.method != "GET" } }
}

/// Looks at files and service, and says which calls `attach` would make; changes nothing.
///
/// Throws as `attachTenant` does.
public func planAttachment(_ options: AttachOptions) throws(Failure) -> AttachPlan {
  let start = ContinuousClock.now
  let files = try TenantFiles(options.place, options.store)
  try Attachment(files, options).checkGeneration()
  var planner = Planner(files, options)
  try planner.run()
  planner.plan.seconds = (ContinuousClock.now - start) / .seconds(1)
  return planner.plan
}

private struct Planner {
  var plan: AttachPlan
  private let files: TenantFiles
  private var view: ServiceView
  private let options: AttachOptions

  init(_ files: TenantFiles, _ options: AttachOptions) {
    let summary = AttachSummary(files)
    plan = AttachPlan(tenantPath: summary.tenantPath, tenantID: summary.tenantID)
    self.files = files
    view = ServiceView(files, options)
    self.options = options
  }

  mutating func run() throws(Failure) {
    if let controller = view.controller {
      try planWithController(controller)
    } else {
      try planAlone()
    }
  }

  private mutating func add(
    _ call: ServiceCall, _ purpose: String, expecting expectations: [AttachPlan.Expectation] = [],
    if conditions: [AttachPlan.Condition] = []
  ) {
    plan.steps.append(
      .init(
        purpose: purpose, method: call.method.rawValue, url: call.url, body: call.body,
        expectations: expectations, conditions: conditions))
  }

  /// Adds checks as calls of their own.
  private mutating func add(_ checks: [AttachPlan.Condition], of timeline: TimelineFiles) {
    for check in checks {
      plan.steps.append(
        .init(
          purpose: "check timeline \(timeline.id)", method: "GET", url: check.url,
          expectations: check.expectations))
    }
  }

  /// What the pageserver of each shard has to say of a timeline.
  private func checks(
    of timeline: TimelineFiles, isNew: Bool
  ) throws(Failure) -> [AttachPlan.Condition] {
    var checks: [AttachPlan.Condition] = []
    for (shard, end) in zip(files.shards, timeline.endLSNs) {
      let call = try view.pageserver(of: shard).timelineCall(timeline.id, of: shard.name)
      checks.append(
        .init(url: call.url, expectations: Self.expectations(of: timeline, end, isNew: isNew)))
    }
    return checks
  }

  // MARK: With a controller

  private mutating func planWithController(_ controller: Controller) throws(Failure) {
    let isAttached = try controller.knows(files.id)
    if isAttached {
      guard try view.locate() else { throw Attachment.notLocated(files) }
    } else {
      add(controller.importCall(files.id), "attach tenant \(files.id)")
      if files.isSharded {
        // Nobody knows yet which pageservers will have the shards, and each has to be asked.
        return add(
          controller.locationCall(files.id),
          "see where the shards are attached, then run --dry-run again for the other calls")
      }
    }
    for timeline in files.timelines {
      if isAttached { try planReading(timeline) }
      let chosen = isAttached ? try view.safekeepers(of: timeline) : nil
      let checks =
        files.isSharded
        ? try checks(of: timeline, isNew: chosen == nil)
        : [
          AttachPlan.Condition(
            url: controller.timelineCall(timeline.id, of: files.id).url,
            expectations: Self.expectations(of: timeline, timeline.endLSN, isNew: chosen == nil))
        ]
      if chosen == nil {
        add(
          controller.creationCall(timeline.id, of: files.id, version: timeline.postgresVersion),
          "make timeline \(timeline.id) on safekeepers, if the pageserver has it",
          if: checks)
      }
      add(checks, of: timeline)
      add(
        controller.safekeepersCall(of: timeline.id, of: files.id),
        "check that safekeepers were chosen")
    }
  }

  /// Has shards that do not have a timeline read the remote storage again.
  private mutating func planReading(
    _ timeline: TimelineFiles
  ) throws(Failure) {
    let states = try view.states(of: timeline)
    let present = states.compactMap(\.self)
    if present.count == states.count {
      return try view.check(present, of: timeline, mayGrow: true)
    }
    for (shard, state) in zip(files.shards, states) where state == nil {
      let pageserver = try view.pageserver(of: shard)
      if let attached = try pageserver.tenant(shard.name) {
        try view.requireVisible(timeline, to: attached, shard)
      }
      let call = pageserver.resetCall(shard.name)
      // One is enough for several timelines.
      guard !plan.steps.contains(where: { $0.url == call.url && $0.method != "GET" }) else {
        continue
      }
      add(call, "have the pageserver of \(shard.name) read the remote storage again")
    }
  }

  // MARK: Without one

  private mutating func planAlone() throws(Failure) {
    guard case .pageserver(_, _, let wanted) = options.target else { return }
    try view.requirePageserver()
    var newShards: Set<String> = []
    for shard in files.shards {
      let pageserver = try view.pageserver(of: shard)
      let attached = try pageserver.tenant(shard.name)
      if let loading = Attachment.stillLoading(attached, shard), wanted == nil { throw loading }
      guard
        try Attachment.needsAttaching(attached, shard, files, isWanted: wanted != nil)
      else { continue }
      newShards.insert(shard.name)
      let generation = wanted ?? files.generation
      add(
        pageserver.attachCall(shard, generation: generation),
        "attach \(shard.name) at generation \(generation)")
    }
    for timeline in files.timelines {
      if newShards.isEmpty { try planReading(timeline) }
      let safekeepers = try view.safekeepers(of: timeline) ?? []
      var seen: [AttachSummary.Safekeeper] = []
      for safekeeper in safekeepers { seen.append(try view.look(at: safekeeper, for: timeline)) }
      let start = try ServiceView.commonStart(of: seen, timeline)
      if start == nil && !seen.isEmpty { try ServiceView.requireKnownStart(timeline) }
      let checks = try checks(of: timeline, isNew: start == nil)
      for (safekeeper, state) in zip(safekeepers, seen) where state.state != .ready {
        add(
          safekeeper.server.creationCall(
            timeline.id, of: files.id, version: timeline.postgresVersion,
            start: start ?? timeline.endLSN,
            members: safekeepers.compactMap(\.member)),
          "make timeline \(timeline.id) on safekeeper \(safekeeper.id), if the pageserver has it",
          if: checks)
      }
      add(checks, of: timeline)
      for safekeeper in safekeepers {
        add(
          safekeeper.server.timelineCall(timeline.id, of: files.id),
          "check safekeeper \(safekeeper.id)",
          expecting: [
            .init(field: "timeline_start_lsn", value: "\"\(start ?? timeline.endLSN)\"")
          ])
      }
    }
  }

  /// What a pageserver has to say of a timeline; of one that no compute has written to, also where it
  /// ends.
  private static func expectations(
    of timeline: TimelineFiles, _ end: LogSequenceNumber, isNew: Bool
  ) -> [AttachPlan.Expectation] {
    let end = AttachPlan.Expectation(field: "last_record_lsn", value: "\"\(end)\"")
    return [
      .init(field: "state", value: "\"Active\""),
      .init(field: "initdb_lsn", value: "\"\(timeline.importLSN)\""),
      .init(field: "pg_version", value: "\(timeline.postgresVersion)"),
    ] + (isNew ? [end] : [])
  }
}
