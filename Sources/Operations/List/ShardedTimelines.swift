import LayerFormat
import PostgresFormat
import System

extension TimelineList {
  /// Shows all shards of a timeline as one.
  mutating func joinShards() {
    struct Name: Hashable {
      var root: String
      var tenant: String
      var timeline: String
      var count: Int
    }
    var shards: [Name: [Int: ListedTimeline]] = [:]
    for timeline in timelines {
      guard let (name, number) = timeline.shardOfMany else { continue }
      let key = Name(
        root: timeline.root, tenant: name.tenant, timeline: name.timeline, count: number.count)
      shards[key, default: [:]][number.number] = timeline
    }
    var joined: [ListedTimeline] = []
    for timeline in timelines {
      guard let (name, number) = timeline.shardOfMany,
        let all = shards[
          Name(
            root: timeline.root, tenant: name.tenant, timeline: name.timeline, count: number.count)]
      else {
        joined.append(timeline)
        continue
      }
      if number.number == all.keys.min() {
        joined.append(ListedTimeline(joining: all, of: number.count))
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
    .unreadable, .damaged, .deleted, .locked, .unfinished, .unpublished, .replacing, .complete,
  ]

  /// The shards of a timeline, by their numbers, as one.
  fileprivate init(joining all: [Int: ListedTimeline], of count: Int) {
    let shards = all.sorted { $0.key < $1.key }.map(\.value)
    self = shards[0]
    shard = nil
    if let tenantID, let suffix = shards[0].shard {
      timelinePath = timelinePath.replacing("/\(tenantID)-\(suffix)/", with: "/\(tenantID)/")
    }
    state = Self.worst.first { state in shards.contains { $0.state == state } } ?? state
    let worst = shards.first { $0.state == state }
    code = worst?.code
    error = worst?.error
    deletedAt = shards.lazy.compactMap(\.deletedAt).first
    let missing = (0..<count).filter { all[$0] == nil }
    if !missing.isEmpty, [.complete, .unpublished].contains(state) {
      code = ErrorCode.shardMissing.rawValue
      error = "\(ShardID.words(missing, of: count)) \(missing.count == 1 ? "is" : "are") missing"
      // Other machines may still be writing those of one that is not published.
      if state == .complete { state = .damaged }
    } else if state == .complete, shards.contains(where: { !$0.isOfSameImport(as: shards[0]) }) {
      state = .damaged
      code = ErrorCode.shardsDiffer.rawValue
      error = "its shards differ in their import LSN or their version"
    }
    func sum<Number: FixedWidthInteger>(_ values: [Number?]) -> Number? {
      let known = values.compactMap { $0 }
      return known.count == values.count ? known.reduce(0, &+) : nil
    }
    layerCount = sum(shards.map(\.layerCount))
    layerByteCount = sum(shards.map(\.layerByteCount))
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
    // The rest changes when a pageserver goes on with each shard for itself.
    postgresVersion == other.postgresVersion && importLSN == other.importLSN
  }
}
