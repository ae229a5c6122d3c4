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
  private var shared: (key: Key, value: [UInt8]?, count: Int)?

  init(_ layout: ShardLayout) { self.layout = layout }

  /// Takes the next value; true if it is to be looked at as one of a timeline without shards, once.
  mutating func take(_ entry: ValueBatch.Entry, _ findings: inout Findings) -> Bool {
    guard layout.isSharded else { return true }
    let shard = entry.value.layer.shard
    let key = entry.value.key
    switch layout.owner(of: entry.meaning) {
    case .shard(let owner):
      if shard == owner { return true }
      findings.add(
        .keyInWrongShard,
        "\(key.words) is in shard \(name(shard)), but belongs to shard \(name(owner))")
      return false
    case .every:
      let value: [UInt8]? = if case .value(let bytes) = entry.outcome { bytes } else { nil }
      if key != shared?.key {
        finish(&findings)
        if shard != 0 { findings.add(.keyMissing, "\(key.words) is missing in shard \(name(0))") }
        shared = (key, value, 0)
      } else if value != shared?.value {
        findings.add(
          .shardsDiffer, "\(key.words) differs between shard \(name(0)) and shard \(name(shard))")
      }
      shared?.count += 1
      return shared?.count == 1
    }
  }

  /// Judges the last key that every shard must have.
  mutating func finish(_ findings: inout Findings) {
    guard let shared, shared.count != layout.count else { return }
    findings.add(
      .keyMissing, "\(shared.key.words) is in \(shared.count) of \(layout.count) shards")
  }

  private func name(_ shard: Int) -> String { ShardID(shard, of: layout.count).suffix ?? "" }
}
