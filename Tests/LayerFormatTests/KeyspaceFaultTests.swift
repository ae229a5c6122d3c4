import PostgresFormat
import Testing

@testable import LayerFormat

/// What is not as the grammar says is reported: all of it, and nothing else.
struct KeyspaceFaultTests {
  private static let fork = Cluster.fork(5, 1259)

  private static func sample() -> KeyspaceSample {
    var sample = KeyspaceSample(.sample())
    sample.insertPages(of: .sample())
    return sample
  }

  private static func fault(_ meaning: KeyMeaning, _ problem: KeyspaceFault.Problem)
    -> KeyspaceFault
  {
    KeyspaceFault(Key(meaning), problem)
  }

  /// Goal: a key that is missing is reported, and no other. Method: take each key away in turn, of
  /// pages and of values; what nothing promises may be missing.
  @Test func missingKeys() {
    let sample = Self.sample()
    for index in sample.entries.indices {
      var changed = sample
      let key = changed.entries.remove(at: index).key
      let expected: [KeyspaceFault] =
        switch key.meaning {
        case .statisticsFile, .replicationOrigin: []
        case .relationBlock(let fork, let block):
          [Self.fault(.relationSize(fork), .missingBlocks(UInt64(block)..<UInt64(block) + 1))]
        case .slruBlock(let kind, let segment, let block):
          [
            Self.fault(
              .slruSegmentSize(kind, segment: segment),
              .missingBlocks(UInt64(block)..<UInt64(block) + 1))
          ]
        default: [KeyspaceFault(key, .missing)]
        }
      #expect(changed.check() == expected, "without \(key.words)")
    }
    var nothing = sample
    nothing.entries = []
    #expect(nothing.check() == Keyspace.always.map { KeyspaceFault($0, .missing) })
    #expect(nothing.read().faults == nothing.check())
  }

  /// Goal: a key that is there twice, or before one that it has to follow, is reported. Method: say
  /// each key twice; swap each with the next.
  @Test func wrongOrder() {
    let sample = KeyspaceSample(.sample())
    for index in sample.entries.indices {
      var twice = sample
      twice.entries.insert(sample.entries[index], at: index)
      let fault = KeyspaceFault(sample.entries[index].key, .outOfOrder)
      #expect(twice.read().faults == [fault])
      #expect(twice.read().cluster == .sample())
      guard index > 0 else { continue }
      var swapped = sample
      swapped.entries.swapAt(index - 1, index)
      let second = KeyspaceFault(sample.entries[index - 1].key, .outOfOrder)
      #expect(swapped.read().faults.contains(second))
    }
  }

  /// Goal: a key that nothing promises is reported. Method: add one of each kind that a list names.
  @Test(
    arguments: [
      .relationMap(databaseID: 7), .relationMap(databaseID: 6), .relationDirectory(databaseID: 6),
      .relationSize(fork(5, 1258)), .relationBlock(fork(5, 1258), block: 0),
      .slruSegmentSize(.multixactMembers, segment: 0),
      .slruBlock(.multixactMembers, segment: 0, block: 0), .twoPhaseFile(transactionID: 1),
    ] as [KeyMeaning])
  func unlisted(meaning: KeyMeaning) throws {
    var sample = Self.sample()
    let (subject, value) = Self.owner(of: meaning)
    sample.insert(subject, value)
    if subject != meaning { sample.insert(meaning, []) }
    #expect(sample.check() == [Self.fault(subject, .unlisted)])
    sample = Self.sample()
    let unknown = try key("040000000000000000000000000000000000")
    sample.insert(unknown, [])
    #expect(sample.check() == [KeyspaceFault(unknown, .unknownKey)])
  }

  /// The key that is reported for one, and a value that fits what is there.
  private static func owner(of meaning: KeyMeaning) -> (KeyMeaning, [UInt8]) {
    switch meaning {
    case .relationBlock(let fork, _): (.relationSize(fork), [1, 0, 0, 0])
    case .slruBlock(let kind, let segment, _):
      (.slruSegmentSize(kind, segment: segment), [1, 0, 0, 0])
    case .relationSize, .slruSegmentSize: (meaning, [0, 0, 0, 0])
    case .relationDirectory: (meaning, [UInt8](repeating: 0, count: 8))
    default: (meaning, [])
    }
  }

  private static func fork(_ databaseID: UInt32, _ number: UInt32) -> RelationForkID {
    Cluster.fork(databaseID, number)
  }

  /// Goal: values of another length, and lists that cannot be, are reported, and what they would
  /// have promised is not. Method: one byte less of each value that has a form.
  @Test func wrongForm() {
    let sample = KeyspaceSample(.sample())
    for (index, entry) in sample.entries.enumerated() {
      var changed = sample
      changed.entries[index].value = Array(entry.value.dropLast())
      let faults = changed.read().faults
      switch entry.key.meaning {
      case .relationMap, .twoPhaseFile, .controlFile: #expect(faults == [])
      case .relationSize, .slruSegmentSize:
        #expect(faults == [KeyspaceFault(entry.key, .wrongByteCount(3, expected: 4))])
      case .checkpoint:
        #expect(faults == [KeyspaceFault(entry.key, .wrongByteCount(87, expected: 88))])
      case .replicationOrigin:
        #expect(faults == [KeyspaceFault(entry.key, .wrongByteCount(7, expected: 8))])
      default:
        guard case .damaged(let reason) = faults.first?.problem else {
          Issue.record("\(entry.key.words): \(faults)")
          continue
        }
        #expect(faults == [KeyspaceFault(entry.key, .damaged(reason))])
      }
    }
  }

  /// Goal: a list that has something twice is reported. Method: the first element of each again.
  @Test func listsTwice() {
    let cluster = Cluster.sample()
    let numbers = cluster.slruSegments.filter { $0.kind == .transactions }.map(\.number)
    let ids = cluster.preparedTransactions.map(\.id)
    let forks = cluster.relations(ofDatabase: 5).map(\.id)
    let databases = cluster.databases.map {
      DirectoryValue.Database(id: $0.id, hasRelationMap: $0.relationMap != nil)
    }
    for (meaning, value): (KeyMeaning, [UInt8]) in [
      (.databaseDirectory, DirectoryValue.encode(databases: [databases[1]] + databases)),
      (
        .relationDirectory(databaseID: 5),
        DirectoryValue.encode(relationCount: forks.count + 1, [forks[0]] + forks)
      ),
      (.slruDirectory(.transactions), DirectoryValue.encode(segments: [numbers[0]] + numbers)),
      (
        .twoPhaseDirectory,
        DirectoryValue.encode(transactions: [ids[0]] + ids, version: cluster.version)
      ),
    ] {
      var sample = KeyspaceSample(cluster)
      sample.entries[sample.index(of: meaning)].value = value
      #expect(sample.read().faults == [Self.fault(meaning, .listsTwice)])
    }
  }

  /// Goal: what no file can stand for is in no list. Method: transaction 0, whose file would have
  /// the directory's key, and relation 0, whose size would have none.
  @Test func zeros() {
    var sample = KeyspaceSample(.sample())
    let index = sample.index(of: .twoPhaseDirectory)
    sample.entries[index].value = DirectoryValue.encode(transactions: [0], version: .v15)
    #expect(
      sample.read().faults == [
        Self.fault(.twoPhaseDirectory, .damaged("the two-phase directory contains transaction 0"))
      ])
    sample = KeyspaceSample(.sample())
    let other = sample.index(of: .relationDirectory(databaseID: 7))
    sample.entries[other].value = DirectoryValue.encode(
      relationCount: 1, [Cluster.fork(7, 0)])
    #expect(
      sample.read().faults == [
        Self.fault(
          .relationDirectory(databaseID: 7), .damaged("a relation directory contains relation 0"))
      ])
  }

  /// Goal: sizes and blocks fit each other. Method: other sizes, blocks behind the end, gaps, the
  /// highest block that there can be.
  @Test func blocks() {
    func faults(_ change: (inout KeyspaceSample) -> Void) -> [KeyspaceFault] {
      var sample = Self.sample()
      change(&sample)
      return sample.check()
    }
    let size = KeyMeaning.relationSize(Self.fork)
    func setSize(_ bytes: [UInt8]) -> (inout KeyspaceSample) -> Void {
      { $0.entries[$0.index(of: size)].value = bytes }
    }
    #expect(faults(setSize([5, 0, 0, 0])) == [Self.fault(size, .missingBlocks(3..<5))])
    #expect(
      faults(setSize([2, 0, 0, 0])) == [Self.fault(size, .sizeBelowBlocks(2, blockCount: 3))])
    #expect(
      faults(setSize([255, 255, 255, 255]))
        == [Self.fault(size, .missingBlocks(3..<UInt64(UInt32.max)))])
    let last = UInt64(UInt32.max) - 1
    #expect(
      faults { $0.insert(.relationBlock(Self.fork, block: .max - 1), []) } == [
        Self.fault(size, .missingBlocks(3..<last)),
        Self.fault(size, .sizeBelowBlocks(3, blockCount: last + 1)),
      ])
    let segment = KeyMeaning.slruSegmentSize(.transactions, segment: 0x1_0000)
    #expect(
      faults {
        $0.entries[$0.index(of: segment)].value = [33, 0, 0, 0]
        for block in 1..<UInt32(33) {
          $0.insert(.slruBlock(.transactions, segment: 0x1_0000, block: block), [])
        }
      } == [Self.fault(segment, .tooManyBlocks(33, limit: 32))])
  }

  /// Goal: of a value that cannot be read nothing follows. Method: each in turn.
  @Test func unreadableValues() {
    let sample = Self.sample()
    for entry in sample.entries where entry.key.meaning?.isPage == false {
      #expect(sample.check(version: .v15, unreadable: [entry.key]) == [], "\(entry.key.words)")
    }
    #expect(sample.check(version: nil) == [])
  }

  /// Goal: small files have a limit in memory together. Method: maps and prepared transactions of 16
  /// MiB each.
  @Test func smallFileLimit() {
    var cluster = Cluster.sample()
    let large = [UInt8](repeating: 0, count: 16 << 20)
    cluster.databases[0].relationMap = large
    cluster.preparedTransactions[0].stored = large
    let (_, faults) = KeyspaceSample(cluster).read()
    #expect(faults.first == Self.fault(.twoPhaseFile(transactionID: 742), .exceedsSmallFileLimit))
    #expect(faults.map { FormatError($0).code }.allSatisfy { $0 == .smallFilesTooLarge })
  }
}
