import PostgresFormat

/// Makes every value of a cluster but its pages, in the order of the keys.
///
/// (`Keyspace` draws the order; Docs/format.md, Values)
public struct KeyspaceWriter: Sendable {
  private let cluster: Cluster

  /// A writer of a cluster, whose lists must be in the order of the keys.
  public init(_ cluster: Cluster) { self.cluster = cluster }

  /// Gives every key and its value to `body`, one at a time.
  ///
  /// Throws what `body` throws. Memory: the longest value.
  public func write<E: Error>(_ body: (Key, [UInt8]) throws(E) -> Void) throws(E) {
    try writeDatabaseValues(body)
    try writeSLRUValues(body)
    let transactions = cluster.preparedTransactions
    try body(
      Key(.twoPhaseDirectory),
      DirectoryValue.encode(transactions: transactions.map(\.id), version: cluster.version))
    for transaction in transactions {
      try body(Key(.twoPhaseFile(transactionID: transaction.id)), transaction.stored)
    }
    try body(Key(.controlFile), cluster.controlFile)
    try body(Key(.checkpoint), cluster.checkpoint)
    if let statistics = cluster.statistics {
      try body(Key(.statisticsFile), AuxiliaryFile.encodeStatistics(statistics))
    }
    for origin in cluster.replicationOrigins.origins {
      var value: [UInt8] = []
      value.appendBigEndian(origin.remoteLSN.rawValue)
      try body(Key(.replicationOrigin(id: origin.origin)), value)
    }
  }

  private func writeDatabaseValues<E: Error>(
    _ body: (Key, [UInt8]) throws(E) -> Void
  ) throws(E) {
    let listed = cluster.databases.map { database in
      DirectoryValue.Database(id: database.id, hasRelationMap: database.relationMap != nil)
    }
    try body(Key(.databaseDirectory), DirectoryValue.encode(databases: listed))
    var relationCount = 0
    for database in cluster.databases {
      if let map = database.relationMap {
        try body(Key(.relationMap(databaseID: database.id)), map)
      }
      let relations = cluster.relations(ofDatabase: database.id)
      relationCount += relations.count
      try body(
        Key(.relationDirectory(databaseID: database.id)),
        DirectoryValue.encode(relationCount: relations.count, relations.lazy.map(\.id)))
      var size: [UInt8] = []  // one for all
      for relation in relations {
        Self.encode(size: relation.blockCount, into: &size)
        try body(Key(.relationSize(relation.id)), size)
      }
    }
    precondition(
      relationCount == cluster.relations.count, "a relation's database is not in the directory")
  }

  private func writeSLRUValues<E: Error>(
    _ body: (Key, [UInt8]) throws(E) -> Void
  ) throws(E) {
    var size: [UInt8] = []
    for kind in SLRUKind.allCases.sorted() {
      let segments = cluster.slruSegments.filter { $0.kind == kind }
      try body(
        Key(.slruDirectory(kind)), DirectoryValue.encode(segments: segments.map(\.number)))
      for segment in segments {
        Self.encode(size: segment.blockCount, into: &size)
        try body(Key(.slruSegmentSize(kind, segment: segment.number)), size)
      }
    }
  }

  private static func encode(size: UInt32, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    bytes.appendLittleEndian(size)
  }
}
