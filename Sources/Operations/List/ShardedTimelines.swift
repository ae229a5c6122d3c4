import LayerFormat
import PostgresFormat
import System

extension TimelineList {
  /// Shows all shards of a timeline as one; those of which some are missing stay as they are.
  mutating func joinShards() {
    struct Name: Hashable {
      var tenant: String
      var timeline: String
      var count: Int
    }
    var shards: [Name: [Int: ListedTimeline]] = [:]
    for timeline in timelines {
      guard let (name, number) = timeline.shardOfMany else { continue }
      shards[Name(tenant: name.tenant, timeline: name.timeline, count: number.count), default: [:]][
        number.number] = timeline
    }
    var joined: [ListedTimeline] = []
    for timeline in timelines {
      guard let (name, number) = timeline.shardOfMany,
        let all = shards[Name(tenant: name.tenant, timeline: name.timeline, count: number.count)],
        all.count == number.count
      else {
        joined.append(timeline)
        continue
      }
      if number.number == 0 {
        joined.append(ListedTimeline(joining: all.sorted { $0.key < $1.key }.map(\.value)))
      }
    }
    timelines = joined
  }
}

extension ListedTimeline {
  /// Which shard of which timeline it is; nil if it is not sharded, or its path does not say.
  fileprivate var shardOfMany: (name: (tenant: String, timeline: String), ShardID)? {
    guard let tenantID, let timelineID, let id = shard.flatMap({ ShardID($0) }) else { return nil }
    return ((tenantID, timelineID), id)
  }

  /// What is said of the whole if it is true of one shard, the worst first.
  private static let worst: [State] = [
    .unreadable, .damaged, .deleted, .locked, .unfinished, .complete,
  ]

  /// All shards of a timeline, in their order, as one.
  fileprivate init(joining shards: [ListedTimeline]) {
    self = shards[0]
    shard = nil
    shardCount = shards.count
    if let tenantID, let suffix = shards[0].shard {
      timelinePath = timelinePath.replacing("/\(tenantID)-\(suffix)/", with: "/\(tenantID)/")
    }
    state = Self.worst.first { state in shards.contains { $0.state == state } } ?? state
    let problematic = shards.first { $0.state == state }
    code = problematic?.code
    problem = problematic?.problem
    deletedAt = shards.lazy.compactMap(\.deletedAt).first
    if state == .complete, shards.contains(where: { !$0.isOfSameImport(as: shards[0]) }) {
      state = .damaged
      code = ErrorCode.shardsDiffer.rawValue
      problem = "its shards differ in their LSNs, version or generation"
    }
    func sum<Number: FixedWidthInteger>(_ values: [Number?]) -> Number? {
      let known = values.compactMap { $0 }
      return known.count == values.count ? known.reduce(0, &+) : nil
    }
    layerCount = sum(shards.map(\.layerCount))
    byteCount = sum(shards.map(\.byteCount))
    leftovers = []
    for leftover in shards.flatMap(\.leftovers) {
      if let index = leftovers.firstIndex(where: { $0.code == leftover.code }) {
        leftovers[index].fileCount += leftover.fileCount
        leftovers[index].byteCount &+= leftover.byteCount
      } else {
        leftovers.append(leftover)
      }
    }
  }

  private func isOfSameImport(as other: ListedTimeline) -> Bool {
    generation == other.generation && postgresVersion == other.postgresVersion
      && importLSN == other.importLSN && endLSN == other.endLSN
  }
}
