import LayerFormat
import PostgresFormat
import Service
import System

/// One timeline: active on the pageserver, with the data of the files.
extension Attachment {
  mutating func serve(_ index: Int) throws(Failure) {
    let timeline = files.timelines[index]
    let states = try activeStates(of: timeline, index)
    if options.target.hasSafekeepers {
      try serveSafekeepers(timeline, index, states)
    } else {
      try view.check(states, of: timeline, mayGrow: true)
      summary.warnings.append(
        Warning(
          .safekeepersNotGiven,
          "no safekeepers were given, so computes can only read timeline \(timeline.id): run the same "
            + "command with '--safekeeper' for each to take it into service"))
    }
  }

  /// Waits until all shards have a timeline and it is active; has the remote storage read again if they
  /// do not have it.
  private mutating func activeStates(
    of timeline: TimelineFiles, _ index: Int
  ) throws(Failure) -> [TimelineState] {
    var patience = Patience(options)
    var resetShards: Set<String> = []
    while true {
      // Shards may have moved since the last look.
      try locate(&patience)
      let states = try patience.look { () throws(Failure) in try view.states(of: timeline) }
      let present = states.compactMap(\.self)
      summary.served[index].take(states, timeline)
      if present.count == states.count {
        // Before it is waited for: what is wrong stays so.
        try view.check(present, of: timeline, mayGrow: true)
        if let broken = zip(files.shards, present).first(where: { $0.1.isBroken }) {
          throw Failure(
            .serviceFailed,
            "the pageserver cannot serve timeline '\(timeline.id)' of '\(broken.0.name)': it is broken",
            hint: "Look into the pageserver's log.")
        }
        if present.allSatisfy(\.isActive) {
          summary.inPlace.append(
            .init(
              .timelineActive, "timeline \(timeline.id) is active at \(present[0].lastRecordLSN)"))
          return present
        }
        try patience.wait(or: Self.notReady("timeline '\(timeline.id)' is not active yet"))
        continue
      }
      var isRead = true
      for (shard, state) in zip(files.shards, states) where state == nil {
        if !(try reread(shard, timeline, &resetShards, &patience)) { isRead = false }
      }
      try patience.wait(
        or: isRead && !resetShards.isEmpty
          ? Failure(
            .notInRemoteStorage, "the pageserver does not find timeline '\(timeline.id)'",
            hint:
              "The service's remote storage does not have it. Copy the files there first, the index "
              + "last.")
          : Self.notReady("the pageserver does not have timeline '\(timeline.id)' yet"))
    }
  }

  /// Has a shard's pageserver read the remote storage again, once; false if it was not ready for that.
  ///
  /// A tenant below the generation of the files does not see them, however often it looks, and a
  /// controller that knows a tenant keeps to its own generation: that is for a person.
  private mutating func reread(
    _ shard: ShardName, _ timeline: TimelineFiles, _ resetShards: inout Set<String>,
    _ patience: inout Patience
  ) throws(Failure) -> Bool {
    if resetShards.contains(shard.name) { return true }
    if hasImported { return false }
    let pageserver = try view.pageserver(of: shard)
    let attached = try patience.look { () throws(Failure) in try pageserver.tenant(shard.name) }
    guard let attached, attached.isActive else { return false }
    try view.requireVisible(timeline, to: attached, shard)
    let call = pageserver.resetCall(shard.name)
    let answer = try make(
      call, .storageReadAgain,
      "had the pageserver of \(shard.name) read the remote storage again", &patience
    ) { call throws(Failure) in try pageserver.perform(call) }
    switch answer {
    case .done: resetShards.insert(shard.name)
    case .refused(let refusal): throw refusal.failure
    case .unknown, nil: return false
    }
    return true
  }
}

extension AttachSummary.Timeline {
  /// Takes what the pageservers say, a state for each shard.
  mutating func take(_ states: [TimelineState?], _ files: TimelineFiles) {
    let present = states.compactMap(\.self)
    guard present.count == states.count else { return }
    let state = present.first { !$0.isActive } ?? present[0]
    self.state = state.state.lowercased()
    lastRecordLSN = present.map(\.lastRecordLSN).min()?.description
    // Without anything uploaded since it was attached, the storage has what the files have.
    let missing = zip(present, files.endLSNs).map { state, end in
      state.lastRecordLSN.rawValue
        - min(
          state.lastRecordLSN.rawValue,
          max(end.rawValue, state.remoteConsistentLSN?.rawValue ?? 0))
    }
    notUploadedByteCount = missing.reduce(0) { $0 &+ $1 }
  }
}
