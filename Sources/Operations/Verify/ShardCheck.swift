import LayerFormat
import PostgresFormat
import Timeline

/// Whether each key is in exactly the shards that own it, and says the same in all of them.
///
/// Takes values in the order of keys, and those of one key in the order of the shards. Memory: one
/// value.
struct ShardCheck {
  private let layout: ShardLayout
  /// The key that every shard must have, with the value of shard 0, and how many have come.
  private var shared: (first: ValueBatch.Entry, value: [UInt8]?, count: Int)?
  private let isAsImported: Bool

  init(_ timeline: Timeline) {
    layout = timeline.layout
    isAsImported = timeline.isAsImported
  }

  /// Takes the next value; true if it is to be looked at as one of a timeline without shards, once.
  mutating func take(_ entry: ValueBatch.Entry, _ findings: inout Findings) -> Bool {
    // A pageserver goes on with each shard for itself.
    guard layout.isSharded && isAsImported else { return true }
    let shard = entry.value.layer.shard
    let key = entry.value.key
    switch layout.owner(of: entry.meaning) {
    case .shard(let owner):
      if shard == owner { return true }
      findings.add(
        .keyInWrongShard,
        "\(key.words) is in \(name(shard)), but belongs to \(name(owner))")
      return false
    case .every:
      let value: [UInt8]? = if case .value(let bytes) = entry.outcome { bytes } else { nil }
      if let shared, shared.first.value.key == key {
        let (own, first) = (entry.value, shared.first.value)
        if value != shared.value || own.isReachable != first.isReachable
          || own.shadowedCount != first.shadowedCount
          || own.stored.entry.lsn != first.stored.entry.lsn
        {
          findings.add(
            .shardsDiffer, "\(key.words) differs between \(name(0)) and \(name(shard))")
        }
      } else {
        finish(&findings)
        if shard != 0 { findings.add(.keyMissing, "\(key.words) is missing in \(name(0))") }
        shared = (entry, value, 0)
      }
      shared?.count += 1
      return shared?.count == 1
    }
  }

  /// Judges the last key that every shard must have.
  mutating func finish(_ findings: inout Findings) {
    guard let shared, shared.count != layout.count else { return }
    findings.add(
      .keyMissing, "\(shared.first.value.key.words) is in \(shared.count) of \(layout.count) shards"
    )
  }

  private func name(_ shard: Int) -> String { ShardID(shard, of: layout.count).words }
}
