import LayerFormat
import PostgresFormat
import Service
import System

/// Looks how far a tenant's timelines are in service, and changes nothing.
///
/// Throws if the files or the service cannot be read, or if the service has other data. The error of
/// a timeline that is not in service comes with the summary.
public func serviceStatus(
  _ options: AttachOptions
) throws(Failure) -> (summary: AttachSummary, failure: Failure?) {
  let start = ContinuousClock.now
  let files = try TenantFiles(options.place, options.store)
  var view = ServiceView(files, options)
  var summary = AttachSummary(files)
  var isAttached = true
  try view.requirePageserver()
  if let controller = view.controller {
    isAttached = try controller.knows(files.id)
    if isAttached { isAttached = try view.locate() }
  }
  if isAttached {
    if view.controller != nil { summary.shards = view.servedShards() }
    for (index, timeline) in files.timelines.enumerated() {
      try summary.served[index].look(at: timeline, in: &view)
    }
    if summary.served.contains(where: { $0.state != nil }) { summary.shards = view.servedShards() }
  }
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return (summary, summary.notInService(options.target))
}

extension AttachSummary.Timeline {
  /// Fills in what the service has of a timeline.
  fileprivate mutating func look(
    at timeline: TimelineFiles, in view: inout ServiceView
  ) throws(Failure) {
    let states = try view.states(of: timeline)
    let present = states.compactMap(\.self)
    take(states, timeline)
    guard present.count == states.count else { return }
    try view.check(present, of: timeline, mayGrow: true)
    guard let chosen = try view.safekeepers(of: timeline) else { return }
    for safekeeper in chosen {
      safekeepers.append(try view.look(at: safekeeper, for: timeline))
    }
    _ = try ServiceView.commonStart(of: safekeepers, timeline)
    isInService = present.allSatisfy(\.isActive) && safekeepers.areEnough
  }

  /// Why a compute cannot use it.
  fileprivate func lack(hasSafekeepers: Bool) -> String {
    guard let state else { return "the pageserver does not have it" }
    guard state == "active" else { return "it is \(escaped(state.utf8)) on the pageserver" }
    let readyCount = safekeepers.count(where: \.hasTimeline)
    return safekeepers.isEmpty
      ? (hasSafekeepers ? "it is on no safekeeper" : "no safekeepers were given")
      : "it is on \(readyCount) of \(safekeepers.count) safekeepers"
  }
}

extension AttachSummary {
  /// The error of the first timeline that is not in service.
  fileprivate func notInService(_ target: AttachOptions.Target) -> Failure? {
    let others = served.filter { !$0.isInService }
    guard let first = others.first else { return nil }
    let more = others.count > 1 ? " (and \(others.count - 1) more)" : ""
    return Failure(
      .notInService,
      "timeline '\(first.timelineID)' is not in service: \(first.lack(hasSafekeepers: target.hasSafekeepers))\(more)",
      hint: target.hasSafekeepers
        ? "Take it into service with 'attach' and the same options."
        : "Name its safekeepers with '--safekeeper', for 'attach' and for 'status'.")
  }
}
