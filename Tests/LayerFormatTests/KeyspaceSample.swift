import PostgresFormat

@testable import LayerFormat

/// A key space as a list of its keys and values, for tests to change.
struct KeyspaceSample {
  struct Entry: Equatable {
    var key: Key
    var value: [UInt8]
  }

  var entries: [Entry]
  var version: PostgresVersion

  /// What is written of a cluster, without pages.
  init(_ cluster: Cluster) {
    var entries: [Entry] = []
    KeyspaceWriter(cluster).write { entries.append(Entry(key: $0, value: $1)) }
    self.entries = entries
    version = cluster.version
  }

  /// The place of a key that must be there.
  func index(of meaning: KeyMeaning) -> Int {
    guard let index = entries.firstIndex(where: { $0.key == Key(meaning) }) else {
      preconditionFailure("the sample has \(meaning)")
    }
    return index
  }

  mutating func remove(_ meaning: KeyMeaning) { entries.remove(at: index(of: meaning)) }

  /// Adds a value at its place in the order of the keys.
  mutating func insert(_ key: Key, _ value: [UInt8]) {
    let index = entries.firstIndex { $0.key > key } ?? entries.count
    entries.insert(Entry(key: key, value: value), at: index)
  }

  mutating func insert(_ meaning: KeyMeaning, _ value: [UInt8]) { insert(Key(meaning), value) }

  /// Adds the pages that the sizes of a cluster speak of.
  mutating func insertPages(of cluster: Cluster) {
    for relation in cluster.relations {
      for block in 0..<relation.blockCount { insert(.relationBlock(relation.id, block: block), []) }
    }
    for segment in cluster.slruSegments {
      for block in 0..<segment.blockCount {
        insert(.slruBlock(segment.kind, segment: segment.number, block: block), [])
      }
    }
  }

  /// What a reader makes of it, and what it reports.
  func read() -> (cluster: Cluster, faults: [KeyspaceFault]) {
    var faults: [KeyspaceFault] = []
    var reader = KeyspaceReader(version: version)
    for entry in entries { reader.take(entry.key, entry.value.bytes) { faults.append($0) } }
    let cluster = reader.finish { faults.append($0) }
    return (cluster, faults)
  }

  /// What the rules report, pages included; the values of some keys cannot be read.
  func check(
    version: PostgresVersion?, unreadable: Set<Key> = []
  ) -> [KeyspaceFault] {
    var faults: [KeyspaceFault] = []
    var rules = KeyspaceRules(version: version, checksBlocks: true)
    for entry in entries {
      if entry.key.meaning?.isPage == true || unreadable.contains(entry.key) {
        rules.take(entry.key) { faults.append($0) }
      } else {
        rules.take(entry.key, entry.value.bytes) { faults.append($0) }
      }
    }
    rules.finish { faults.append($0) }
    return faults
  }

  func check() -> [KeyspaceFault] { check(version: version) }
}

extension Cluster {
  static func fork(
    _ databaseID: UInt32, _ number: UInt32, _ fork: RelationFork = .main
  ) -> RelationForkID {
    RelationForkID(databaseID: databaseID, relationNumber: number, fork: fork)
  }

  /// A small cluster that has one of everything.
  static func sample(_ version: PostgresVersion = .v15) -> Cluster {
    var cluster = Cluster(version: version)
    cluster.databases = [
      .init(id: 5, relationMap: [1, 2, 3]), .init(id: 7, relationMap: nil),
      .init(id: .max, relationMap: []), .init(id: 0, relationMap: [4]),
    ]
    cluster.relations = [
      .init(id: fork(5, 1259), blockCount: 3),
      .init(id: fork(5, 1259, .visibilityMap), blockCount: 1),
      .init(id: fork(5, 16384), blockCount: 0), .init(id: fork(.max, .max), blockCount: 2),
      .init(id: fork(0, 1260), blockCount: 1),
    ]
    cluster.slruSegments = [
      .init(kind: .transactions, number: 0, blockCount: 32),
      .init(kind: .transactions, number: 0x1_0000, blockCount: 1),
      .init(kind: .multixactOffsets, number: 3, blockCount: 0),
    ]
    cluster.preparedTransactions = [
      .init(id: 742, stored: [7, 7]), .init(id: version == .v17 ? 1 << 40 | 3 : 743, stored: []),
    ]
    cluster.controlFile = [9, 9, 9]
    cluster.checkpoint = [UInt8](repeating: 6, count: Checkpoint.byteCount)
    cluster.statistics = [1, 0, 1]
    cluster.replicationOrigins = ReplicationOrigins([
      .init(origin: 1, remoteLSN: lsn(0x1234)), .init(origin: 0xFFFE, remoteLSN: lsn(.max)),
    ])
    return cluster
  }
}
