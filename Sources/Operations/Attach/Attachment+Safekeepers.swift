import LayerFormat
import PostgresFormat
import Service
import System

/// One timeline that the pageserver has: on the safekeepers, from the files' end on.
extension Attachment {
  mutating func serveSafekeepers(
    _ timeline: TimelineFiles, _ index: Int, _ states: [TimelineState]
  ) throws(Failure) {
    var patience = Patience(options)
    var states = states
    var made: Set<Int> = []
    while true {
      let safekeepers = try patience.look { () throws(Failure) in
        try view.safekeepers(of: timeline)
      }
      guard let safekeepers else {
        try view.check(states, of: timeline, mayGrow: false)
        if let created = try createByController(timeline, &patience) { states = created }
        continue
      }
      var seen: [AttachSummary.Safekeeper] = []
      for safekeeper in safekeepers {
        seen.append(try view.look(at: safekeeper, for: timeline))
        summary.served[index].safekeepers = seen
      }
      let start = try ServiceView.commonStart(of: seen, timeline)
      if view.controller == nil,
        try create(timeline, states, on: safekeepers, seen, start, &made, &patience)
      {
        continue
      }
      if seen.areEnough {
        try finish(timeline, index, seen)
        return
      }
      let ready = seen.filter(\.hasTimeline)
      let others = seen.filter { !$0.hasTimeline }
      try patience.wait(
        or: Failure(
          .safekeepersMissing,
          "timeline '\(timeline.id)' is on \(ready.count) of \(seen.count) safekeepers, not on "
            + ServiceView.list(others.map(\.id)),
          hint: "Check that the safekeepers are running, and run the same command again."))
    }
  }

  private mutating func finish(
    _ timeline: TimelineFiles, _ index: Int, _ seen: [AttachSummary.Safekeeper]
  ) throws(Failure) {
    let ready = seen.filter(\.hasTimeline).map(\.id)
    summary.inPlace.append(
      .init(
        .timelineOnSafekeepers,
        "timeline \(timeline.id) is on safekeepers \(ServiceView.list(ready))"))
    for other in seen {
      let (code, words): (WarningCode, String)
      switch other.state {
      case .ready: continue
      case .missing:
        code = .safekeeperMissing
        words = "does not have timeline \(timeline.id); most safekeepers have it"
      case .unreachable:
        code = .safekeeperUnreachable
        words = "did not answer about timeline \(timeline.id); most safekeepers have it"
      case .refused:
        code = .safekeeperRefused
        words = "does not take the token, so timeline \(timeline.id) was not looked at there"
      }
      summary.warnings.append(Warning(code, "safekeeper \(other.id) (\(other.url)) \(words)"))
    }
    summary.served[index].isInService = true
  }

  /// Has the controller make the timeline on safekeepers; nil if it has to be looked at what came of
  /// it, and else what the pageserver has now.
  private mutating func createByController(
    _ timeline: TimelineFiles, _ patience: inout Patience
  ) throws(Failure) -> [TimelineState]? {
    guard let controller = view.controller else { return nil }
    // Just before the call, which would make what is not there.
    try locate(&patience)
    let states = try patience.look { () throws(Failure) in try view.states(of: timeline) }
    let present = states.compactMap(\.self)
    guard present.count == states.count else {
      try patience.wait(
        or: Self.notReady("the pageserver does not have timeline '\(timeline.id)' any more"))
      return nil
    }
    try view.check(present, of: timeline, mayGrow: false)
    let call = controller.creationCall(
      timeline.id, of: files.id, version: timeline.postgresVersion)
    let answer = try make(
      call, .timelineMade, "made timeline \(timeline.id) on safekeepers", &patience
    ) { call throws(Failure) in try controller.perform(call) }
    switch answer {
    case .done:
      let chosen = try patience.look { () throws(Failure) in
        try controller.safekeepers(of: timeline.id, of: files.id)
      }
      guard chosen != nil else {
        throw Failure(
          .safekeepersMissing, "the controller has made timeline '\(timeline.id)' on no safekeeper",
          hint:
            "Run it with '--timelines-onto-safekeepers', or name pageserver and safekeepers with "
            + "'--pageserver' and '--safekeeper'.")
      }
      return present
    case .refused(let refusal) where refusal.status == 409:
      throw Failure(
        .timelineConflict, refusal.failure.message,
        hint: "The service has a timeline of this id with other data. Import with another "
          + "'--timeline-id'.")
    case .refused(let refusal): throw refusal.failure
    case .unknown, nil: return nil
    }
  }

  /// Makes the timeline on the safekeepers that do not have it; false if there is none on which this
  /// run has not `made` it.
  private mutating func create(
    _ timeline: TimelineFiles, _ states: [TimelineState], on safekeepers: [ServiceView.Safekeeper],
    _ seen: [AttachSummary.Safekeeper], _ start: LogSequenceNumber?, _ made: inout Set<Int>,
    _ patience: inout Patience
  ) throws(Failure) -> Bool {
    let missing = zip(safekeepers, seen).filter {
      $0.1.state == .missing && !made.contains($0.0.id)
    }
    .map { $0.0 }
    if missing.isEmpty { return false }
    // It begins where the others do, if a compute has written there meanwhile.
    if start == nil {
      // One that does not answer may have it.
      if seen.contains(where: { $0.state == .unreachable }) { return false }
      try ServiceView.requireKnownStart(timeline)
    }
    try view.check(states, of: timeline, mayGrow: start != nil)
    for safekeeper in missing {
      let call = safekeeper.server.creationCall(
        timeline.id, of: files.id, version: timeline.postgresVersion,
        start: start ?? timeline.endLSN, members: safekeepers.compactMap(\.member))
      let answer = try make(
        call, .timelineMade, "made timeline \(timeline.id) on safekeeper \(safekeeper.id)",
        &patience
      ) { call throws(Failure) in try safekeeper.server.perform(call) }
      switch answer {
      case .done: made.insert(safekeeper.id)
      case .refused(let refusal): throw refusal.failure
      case .unknown, nil: break
      }
    }
    return true
  }
}
