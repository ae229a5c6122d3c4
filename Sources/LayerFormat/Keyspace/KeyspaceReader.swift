import PostgresFormat

/// Makes a cluster of a timeline's values, all but its pages.
///
/// Takes values in the order of the keys, without those of pages. What nothing promises is reported
/// and left out of the cluster. Memory: `Cluster`'s, and the lists of one database.
public struct KeyspaceReader: Sendable {
  private var rules: KeyspaceRules
  private var cluster: Cluster
  private var smallFileByteCount = 0
  /// The database whose map came last.
  private var databaseIndex = 0

  /// A reader of a timeline of this version, before its first key.
  public init(version: PostgresVersion) {
    rules = KeyspaceRules(version: version, checksBlocks: false)
    cluster = Cluster(version: version)
  }

  /// Takes the next key and its value; what is wrong with them goes to `report`.
  public mutating func take(_ key: Key, _ value: RawSpan, _ report: (KeyspaceFault) -> Void) {
    guard rules.take(key, value, report), let meaning = key.meaning else { return }
    switch meaning {
    case .databaseDirectory:
      let databases = (try? DirectoryValue.decodeDatabases(value)) ?? []
      cluster.databases = databases.map { .init(id: $0.id, relationMap: nil) }
        .sorted { Cluster.order(ofDatabase: $0.id) < Cluster.order(ofDatabase: $1.id) }
    case .relationMap(let id):
      while cluster.databases[databaseIndex].id != id { databaseIndex += 1 }
      cluster.databases[databaseIndex].relationMap = kept(value, of: key, report)
    case .relationSize(let id):
      cluster.relations.append(.init(id: id, blockCount: value.littleEndian(at: 0)))
    case .slruSegmentSize(let kind, let segment):
      cluster.slruSegments.append(
        .init(kind: kind, number: segment, blockCount: value.littleEndian(at: 0)))
    case .twoPhaseFile(let id):
      cluster.preparedTransactions.append(.init(id: id, stored: kept(value, of: key, report)))
    case .controlFile: cluster.controlFile = kept(value, of: key, report)
    case .checkpoint: cluster.checkpoint = kept(value, of: key, report)
    case .statisticsFile:
      cluster.statistics = try? AuxiliaryFile.decodeStatistics(
        kept(value, of: key, report).bytes)
    case .replicationOrigin(let id):
      cluster.replicationOrigins.origins.append(
        .init(origin: id, remoteLSN: LogSequenceNumber(rawValue: value.bigEndian(at: 0))))
    case .relationDirectory, .slruDirectory, .twoPhaseDirectory, .relationBlock, .slruBlock: break
    }
  }

  /// The cluster, when all keys have been taken; what is missing goes to `report`.
  ///
  /// It is whole only if nothing was reported but what is superfluous.
  public consuming func finish(_ report: (KeyspaceFault) -> Void) -> Cluster {
    rules.finish(report)
    return cluster
  }

  /// A value that stays in memory, within the limit for all of them; nothing beyond it.
  private mutating func kept(
    _ value: RawSpan, of key: Key, _ report: (KeyspaceFault) -> Void
  ) -> [UInt8] {
    guard value.byteCount <= Cluster.smallFileLimit - smallFileByteCount else {
      report(KeyspaceFault(key, .exceedsSmallFileLimit))
      return []
    }
    smallFileByteCount += value.byteCount
    return value.array
  }
}
