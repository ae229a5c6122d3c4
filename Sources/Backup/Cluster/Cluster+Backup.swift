import LayerFormat
import PostgresFormat

extension Cluster {
  /// What a timeline has of a backup that was found to be whole.
  ///
  /// - Parameter relations: every fork of the backup, in the order of the keys.
  package init(
    _ contents: ClusterContents, _ assessment: ClusterAssessment, _ relations: [Relation]
  ) {
    self.init(version: assessment.version)
    databases = contents.databases.map { Database(id: $0.key, relationMap: $0.value) }
      .sorted { Self.order(ofDatabase: $0.id) < Self.order(ofDatabase: $1.id) }
    self.relations = relations
    for (kind, segments) in contents.slruSegments.sorted(by: { $0.key < $1.key }) {
      for (number, blockCount) in segments.sorted(by: { $0.key < $1.key }) {
        slruSegments.append(SLRUSegment(kind: kind, number: number, blockCount: blockCount))
      }
    }
    preparedTransactions = contents.twoPhaseFiles.sorted { $0.key < $1.key }
      .map { PreparedTransaction(id: $0.key, stored: $0.value.stored) }
    controlFile = assessment.controlFile.normalised().bytes
    checkpoint = assessment.checkpoint.bytes
    statistics = contents.statistics
    let origins = contents.replicationOrigins?.origins ?? []
    replicationOrigins = ReplicationOrigins(origins.sorted { $0.origin < $1.origin })
  }
}
