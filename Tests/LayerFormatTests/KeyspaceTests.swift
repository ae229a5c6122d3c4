import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

/// What the writer of a key space gives, its reader takes.
struct KeyspaceTests {
  /// Goal: the order of the keys, and that pages are the only ones that are not written. Method: the
  /// keys of a small cluster, spelled out.
  @Test func order() {
    let meanings = KeyspaceSample(.sample()).entries.map(\.key.meaning)
    #expect(
      meanings == [
        .databaseDirectory,
        .relationMap(databaseID: 5), .relationDirectory(databaseID: 5),
        .relationSize(Cluster.fork(5, 1259)), .relationSize(Cluster.fork(5, 1259, .visibilityMap)),
        .relationSize(Cluster.fork(5, 16384)),
        .relationDirectory(databaseID: 7),
        .relationMap(databaseID: .max), .relationDirectory(databaseID: .max),
        .relationSize(Cluster.fork(.max, .max)),
        .relationMap(databaseID: 0), .relationDirectory(databaseID: 0),
        .relationSize(Cluster.fork(0, 1260)),
        .slruDirectory(.transactions), .slruSegmentSize(.transactions, segment: 0),
        .slruSegmentSize(.transactions, segment: 0x1_0000),
        .slruDirectory(.multixactMembers),
        .slruDirectory(.multixactOffsets), .slruSegmentSize(.multixactOffsets, segment: 3),
        .twoPhaseDirectory, .twoPhaseFile(transactionID: 742), .twoPhaseFile(transactionID: 743),
        .controlFile, .checkpoint, .statisticsFile, .replicationOrigin(id: 1),
        .replicationOrigin(id: 0xFFFE),
      ])
  }

  /// Goal: what is written is read. Method: a cluster with one of everything, and one with next to
  /// nothing, of each version; with pages and without.
  @Test(arguments: PostgresVersion.allCases) func roundTrip(version: PostgresVersion) {
    var empty = Cluster(version: version)
    empty.checkpoint = Cluster.sample().checkpoint
    for cluster in [.sample(version), empty] {
      var sample = KeyspaceSample(cluster)
      #expect(sample.read() == (cluster, []))
      sample.insertPages(of: cluster)
      #expect(sample.check() == [])
    }
  }

  /// Goal: so it is with any cluster. Method: 200 random ones (seed 19).
  @Test func randomRoundTrips() {
    var generator = SeededGenerator(state: 19)
    for _ in 0..<200 {
      let cluster = Self.randomCluster(&generator)
      let sample = KeyspaceSample(cluster)
      #expect(sample.read() == (cluster, []))
    }
  }

  /// Goal: a fork takes 16 bytes of memory: there may be millions.
  @Test func memory() {
    #expect(MemoryLayout<Cluster.Relation>.stride == 16)
  }

  /// Goal: the forks of a database are found, whichever it is.
  @Test func relationsOfDatabase() {
    let cluster = Cluster.sample()
    for id: UInt32 in [0, 1, 5, 6, 7, .max] {
      #expect(
        Array(cluster.relations(ofDatabase: id))
          == cluster.relations.filter { $0.id.databaseID == id })
    }
  }

  /// Goal: to a pageserver a key that no list names does not exist, so it is reported and left out
  /// of the cluster. Method: add what a timeline that was written on keeps.
  @Test func superfluousKeys() throws {
    let cluster = Cluster.sample()
    var sample = KeyspaceSample(cluster)
    let forks = [Cluster.fork(6, 1259), Cluster.fork(6, 1260)]
    let added: [(KeyMeaning, [UInt8])] = [
      (.relationMap(databaseID: 6), [1]),
      (.relationDirectory(databaseID: 6), DirectoryValue.encode(relationCount: 2, forks)),
      (.relationSize(forks[0]), [1, 0, 0, 0]),
      (.relationMap(databaseID: 7), [1]), (.relationSize(Cluster.fork(5, 1)), [1, 0, 0, 0]),
      (.slruSegmentSize(.transactions, segment: 7), [1, 0, 0, 0]),
      (.twoPhaseFile(transactionID: 99), [1]),
    ]
    for (meaning, value) in added { sample.insert(meaning, value) }
    let unknown = try key("620000030200000000000000000000000000")
    sample.insert(unknown, [1])
    let (read, faults) = sample.read()
    #expect(read == cluster)
    #expect(faults.allSatisfy { $0.isSuperfluousKey })
    // A directory that nothing lists promises nothing, so its relations are no news.
    let expected = added.map { KeyspaceFault(Key($0.0), .unlisted) }
      .filter { $0.key != Key(.relationSize(forks[0])) }
    #expect(faults.sorted(by: \.key) == expected.sorted(by: \.key) + [.init(unknown, .unknownKey)])
  }

  /// Goal: no bytes make a reader trap, and a cluster that it does not complain of is written and
  /// read again. Method: 20,000 random changes of keys and values (seed 20).
  @Test func hostileValues() {
    var generator = SeededGenerator(state: 20)
    var soundCount = 0
    for _ in 0..<20_000 {
      let version = PostgresVersion.allCases.randomElement(using: &generator) ?? .v15
      var sample = KeyspaceSample(.sample(version))
      if Bool.random(using: &generator) { sample.insertPages(of: .sample(version)) }
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        Self.change(&sample, &generator)
      }
      _ = sample.check()
      sample.entries.removeAll { $0.key.meaning?.isPage == true }
      let (cluster, faults) = sample.read()
      guard faults.isEmpty else { continue }
      soundCount += 1
      #expect(KeyspaceSample(cluster).read() == (cluster, []))
    }
    #expect(soundCount > 100)
  }

  private static func change(_ sample: inout KeyspaceSample, _ generator: inout SeededGenerator) {
    let index = Int.random(in: 0..<sample.entries.count, using: &generator)
    let value = sample.entries[index].value
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: sample.entries.remove(at: index)
    case 1: sample.entries.append(sample.entries[index])
    case 2: sample.entries.swapAt(index, 0)
    case 3: sample.entries[index].value = Array(value.dropLast())
    case 4: sample.entries[index].value.append(1)
    case 5:
      var bytes = sample.entries[index].key.encoded
      bytes[Int.random(in: 0..<18, using: &generator)] = UInt8.random(
        in: 0...255, using: &generator)
      sample.entries[index].key = Key(decoding: bytes.bytes)
    default:
      guard !value.isEmpty else { return }
      let offset = Int.random(in: 0..<value.count, using: &generator)
      sample.entries[index].value[offset] = UInt8.random(in: 0...255, using: &generator)
    }
  }

  private static func randomCluster(_ generator: inout SeededGenerator) -> Cluster {
    func number(_ limit: UInt32 = .max) -> UInt32 {
      UInt32.random(in: 1...limit, using: &generator)
    }
    func bytes() -> [UInt8] { (0..<number(40)).map { UInt8(truncatingIfNeeded: $0) } }
    func count() -> UInt32 { number(9) - 1 }
    var cluster = Cluster(version: PostgresVersion.allCases[Int(number(4)) - 1])
    let ids = Set((0..<count()).map { _ in number(8) - 1 })
    cluster.databases = ids.sorted { ($0 &- 1) < ($1 &- 1) }
      .map { .init(id: $0, relationMap: number(2) == 1 ? bytes() : nil) }
    for database in cluster.databases {
      let forks = Set(
        (0..<count()).map { _ in
          Cluster.fork(database.id, number(6), RelationFork.allCases[Int(number(4)) - 1])
        })
      cluster.relations += forks.sorted().map { .init(id: $0, blockCount: number()) }
    }
    for kind in SLRUKind.allCases {
      cluster.slruSegments += Set((0..<count()).map { _ in number() }).sorted()
        .map { .init(kind: kind, number: $0, blockCount: number(32)) }
    }
    cluster.preparedTransactions = Set((0..<count()).map { _ in number() }).sorted()
      .map { .init(id: UInt64($0), stored: bytes()) }
    cluster.controlFile = bytes()
    cluster.checkpoint = [UInt8](repeating: 1, count: Checkpoint.byteCount)
    cluster.statistics = number(2) == 1 ? bytes() : nil
    cluster.replicationOrigins = ReplicationOrigins(
      Set((0..<count()).map { _ in UInt16(number(0xFFFE)) }).sorted()
        .map { .init(origin: $0, remoteLSN: lsn(UInt64(number()))) })
    return cluster
  }
}

extension [KeyspaceFault] {
  fileprivate func sorted(by path: KeyPath<KeyspaceFault, Key>) -> [KeyspaceFault] {
    sorted { $0[keyPath: path] < $1[keyPath: path] }
  }
}
