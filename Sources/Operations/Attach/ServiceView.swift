import LayerFormat
import PostgresFormat
import Service
import System

/// The service as far as one tenant is concerned, behind a controller or without one: only looks.
struct ServiceView {
  /// A safekeeper of a timeline.
  struct Safekeeper {
    var id: Int
    var server: Service.Safekeeper
    /// What the other safekeepers are told of it; nil if a controller does that.
    var member: Service.Safekeeper.Member?
  }

  let files: TenantFiles
  let target: AttachOptions.Target
  private let client: ServiceClient
  /// Where the shards are, as a controller said when it was asked last.
  private(set) var location: TenantLocation?
  /// The safekeepers that a person gave.
  private var givenSafekeepers: [Safekeeper]?

  init(_ files: TenantFiles, _ options: AttachOptions) {
    self.files = files
    target = options.target
    client = ServiceClient(options.service)
  }

  /// The controller; nil if there is none.
  var controller: Controller? {
    guard case .controller(let url) = target else { return nil }
    return Controller(url, client)
  }

  // MARK: Shards

  /// Asks the controller where the shards are.
  ///
  /// Throws `.damaged` if they are not those of the files.
  mutating func locate() throws(Failure) -> Bool {
    guard let controller else { return true }
    location = try controller.location(of: files.id)
    guard let location else { return false }
    let names = Set(location.shards.map(\.name))
    guard names == Set(files.shards.map(\.name)) else {
      throw Self.otherShardCount(files.id, names.count, files: files.shards.count)
    }
    guard !files.isSharded || location.parameters.stripeSize == files.stripeSize.map(Int.init)
    else {
      throw Failure(
        .shardConflict,
        "the service has tenant '\(files.id)' with stripes of \(location.parameters.stripeSize) pages, "
          + "the files have \(files.stripeSize ?? 0)",
        hint:
          "Do not use the tenant: reads would fail. Import with another '--tenant-id', and with "
          + "the tenant's manifest.")
    }
    return true
  }

  /// The error of a tenant that the service has with another number of shards.
  static func otherShardCount(_ tenant: Identifier, _ count: Int, files: Int) -> Failure {
    Failure(
      .shardConflict,
      "the service has tenant '\(tenant)' as \(words(count)), the files as \(words(files))",
      hint: "Import for the shards that the tenant has, or with another '--tenant-id'.")
  }

  private static func words(_ count: Int) -> String { count == 1 ? "1 shard" : "\(count) shards" }

  /// Throws if a shard that does not have a timeline is attached below the timeline's generation.
  func requireVisible(
    _ timeline: TimelineFiles, to attached: AttachedTenant, _ shard: ShardName
  ) throws(Failure) {
    guard let generation = attached.generation, generation < timeline.generation else { return }
    throw Self.tooLow(shard, generation, timeline, files)
  }

  /// The error of a shard that is attached below the generation of a timeline's files.
  ///
  /// - Parameter hint: what else can be done than to import again.
  static func tooLow(
    _ shard: ShardName, _ generation: UInt32, _ timeline: TimelineFiles, _ files: TenantFiles,
    hint: String = ""
  ) -> Failure {
    let other = files.timelines.first { $0.generation <= generation }
    return Failure(
      .generationConflict,
      "'\(shard.name)' is attached at generation \(generation), and timeline '\(timeline.id)' is of "
        + "generation \(timeline.generation)",
      hint:
        "Import again, with '--generation \(generation)' or less and another '--timeline-id'\(hint)."
        + (other.map {
          " If the timeline is not wanted, remove it; to leave it alone, give one of the others: "
            + "'\(files.path)/timelines/\($0.id)'."
        } ?? "")
    )
  }

  /// Throws if what was given as a pageserver is none.
  func requirePageserver() throws(Failure) {
    guard case .pageserver(let url, _, _) = target else { return }
    try Pageserver(url, client).requireNoController()
  }

  /// The pageserver that a shard is on.
  func pageserver(of shard: ShardName) throws(Failure) -> Pageserver {
    switch target {
    case .pageserver(let url, _, _): return Pageserver(url, client)
    case .controller(let url):
      guard let found = location?.shards.first(where: { $0.name == shard.name }) else {
        throw Failure(
          .serviceNotReady, "no pageserver has '\(shard.name)' yet",
          hint: "Run the same command again.")
      }
      return Pageserver(try found.callURL(like: url), client)
    }
  }

  /// Where the shards are, for the summary.
  func servedShards() -> [AttachSummary.Shard] {
    files.shards.map { shard in
      let suffix = shard.shard.suffix
      switch target {
      case .pageserver(let url, _, _): return .init(shard: suffix, host: url.host)
      case .controller:
        let found = location?.shards.first { $0.name == shard.name }
        return .init(
          shard: suffix, pageserverID: found?.pageserverID, host: found?.host ?? "",
          port: found?.port)
      }
    }
  }

  // MARK: Timelines

  /// What the pageservers say of a timeline, a state for each shard; nil if it does not have it.
  func states(of timeline: TimelineFiles) throws(Failure) -> [TimelineState?] {
    // The controller passes this on to the pageserver of the first shard.
    if let controller, !files.isSharded {
      return [try controller.timeline(timeline.id, of: files.id)]
    }
    var states: [TimelineState?] = []
    for shard in files.shards {
      states.append(try pageserver(of: shard).timeline(timeline.id, of: shard.name))
    }
    return states
  }

  /// Throws `.damaged` if what a pageserver has is not what the files have.
  ///
  /// - Parameter mayGrow: whether there may be more WAL than in the files, as there is once a compute
  ///   has written.
  func check(
    _ states: [TimelineState], of timeline: TimelineFiles, mayGrow: Bool
  ) throws(Failure) {
    for (shard, (state, end)) in zip(files.shards, zip(states, timeline.endLSNs)) {
      let difference =
        if state.postgresVersion != timeline.postgresVersion {
          "is of Postgres \(state.postgresVersion), the files of \(timeline.postgresVersion)"
        } else if state.initdbLSN != timeline.importLSN {
          "begins at \(state.initdbLSN), the files at \(timeline.importLSN)"
        } else if state.lastRecordLSN < end || state.lastRecordLSN > end && !mayGrow {
          "ends at \(state.lastRecordLSN), the files at \(end)"
        } else {
          ""
        }
      guard difference.isEmpty else {
        throw Failure(
          .timelineConflict,
          "timeline '\(timeline.id)' of '\(shard.name)' on the pageserver "
            + difference,
          hint: "The service has a timeline of this id with other data. Import with another "
            + "'--timeline-id'.")
      }
    }
  }

  // MARK: Safekeepers

  /// The safekeepers that a timeline is to be on; nil if a controller has not chosen them yet.
  mutating func safekeepers(of timeline: TimelineFiles) throws(Failure) -> [Safekeeper]? {
    switch target {
    case .controller(let url):
      guard let controller,
        let ids = try controller.safekeepers(of: timeline.id, of: files.id)
      else { return nil }
      let known = try controller.safekeepers()
      var found: [Safekeeper] = []
      for id in ids {
        guard let safekeeper = known.first(where: { $0.id == id }) else {
          throw Failure(
            .serviceFailed, "controller \(url.description.quoted) does not know safekeeper \(id)",
            hint: "It gave this number for timeline '\(timeline.id)'.")
        }
        found.append(
          .init(id: id, server: .init(try safekeeper.callURL(like: url), client), member: nil))
      }
      return found
    case .pageserver(_, let addresses, _):
      if let givenSafekeepers { return givenSafekeepers }
      var found: [Safekeeper] = []
      for address in addresses {
        let server = Service.Safekeeper(address.url, client)
        let id = try server.id()
        guard !found.contains(where: { $0.id == id }) else {
          throw Failure(
            .badOption, "safekeeper \(id) is given twice",
            hint: "Give each safekeeper once, with '--safekeeper'.")
        }
        found.append(
          .init(
            id: id, server: server,
            member: .init(id: id, host: address.url.host, port: address.port)))
      }
      givenSafekeepers = found
      return found
    }
  }

  /// The LSN at which all safekeepers that have a timeline begin it; nil if none has it.
  ///
  /// Throws `.damaged` if they differ.
  static func commonStart(
    of seen: [AttachSummary.Safekeeper], _ timeline: TimelineFiles
  ) throws(Failure) -> LogSequenceNumber? {
    let starts = Set(seen.compactMap(\.startLSN))
    guard starts.count < 2 else {
      throw Failure(
        .timelineConflict,
        "timeline '\(timeline.id)' begins at different LSNs on its safekeepers: "
          + starts.sorted().joined(separator: ", "),
        hint: "Nothing is changed there. Find out which safekeepers a compute has written to.")
    }
    return starts.first.flatMap { LogSequenceNumber($0) }
  }

  /// Throws if nobody can tell where a timeline that is on no safekeeper has to begin.
  ///
  /// What a pageserver has added may be WAL that a compute has written, to other safekeepers.
  static func requireKnownStart(_ timeline: TimelineFiles) throws(Failure) {
    guard !timeline.isAsImported else { return }
    throw Failure(
      .safekeepersMissing,
      "none of the safekeepers has timeline '\(timeline.id)', to which a pageserver has written",
      hint:
        "Give the safekeepers that have its WAL. If no compute has ever written to it, make it on "
        + "the safekeepers by hand, from the import's end LSN on.")
  }

  /// What a safekeeper has of a timeline.
  ///
  /// Throws `.damaged` if it has one that begins elsewhere, is of another version, or, without a
  /// controller, is on other safekeepers.
  func look(
    at safekeeper: Safekeeper, for timeline: TimelineFiles
  ) throws(Failure) -> AttachSummary.Safekeeper {
    var seen = AttachSummary.Safekeeper(
      id: safekeeper.id, url: safekeeper.server.url.description, state: .missing)
    let state: SafekeeperTimeline?
    do throws(Failure) {
      state = try safekeeper.server.timeline(timeline.id, of: files.id)
    } catch {
      switch error.code {
      case .serviceUnavailable: seen.state = .unreachable
      // A token for the controller need not be one for the safekeepers that it names.
      case .tokenRefused where safekeeper.member == nil: seen.state = .refused
      default: throw error
      }
      return seen
    }
    guard let state else { return seen }
    seen.state = .ready
    seen.startLSN = state.startLSN.description
    // Once a pageserver has written, the files end later than the import did.
    let starts =
      timeline.isAsImported
      ? timeline.endLSN...timeline.endLSN : timeline.importLSN...timeline.endLSN
    let difference =
      if state.postgresVersion != timeline.postgresVersion {
        "is of Postgres \(state.postgresVersion), not of \(timeline.postgresVersion)"
      } else if !starts.contains(state.startLSN) {
        "begins at \(state.startLSN), not at \(starts.upperBound)"
      } else {
        ""
      }
    guard difference.isEmpty else {
      throw Failure(
        .timelineConflict,
        "timeline '\(timeline.id)' on safekeeper \(safekeeper.id) (\(seen.url)) \(difference)",
        hint: "The safekeeper has a timeline of this id with other data, and keeps it. Import with "
          + "another '--timeline-id'.")
    }
    if let given = givenSafekeepers, state.memberIDs != Set(given.map(\.id)) {
      throw Failure(
        .timelineConflict,
        "timeline '\(timeline.id)' is on safekeepers \(Self.list(state.memberIDs)), not on "
          + "\(Self.list(given.map(\.id))), as safekeeper \(safekeeper.id) says",
        hint: "Give the safekeepers of the timeline, all and no others, each with '--safekeeper'.")
    }
    for case let member? in (givenSafekeepers ?? []).map(\.member) {
      guard let port = state.port(ofMember: member.id), port != member.port else { continue }
      throw Failure(
        .timelineConflict,
        "timeline '\(timeline.id)' was made with port \(port) for WAL of safekeeper \(member.id), not "
          + "\(member.port), as safekeeper \(safekeeper.id) says",
        hint:
          "Give that port, '--safekeeper URL,\(port)'. If it is wrong, correct it on the safekeepers: "
          + "nothing is changed there.")
    }
    return seen
  }

  static func list(_ ids: some Sequence<Int>) -> String {
    ids.sorted().map { "\($0)" }.joined(separator: ", ")
  }
}
