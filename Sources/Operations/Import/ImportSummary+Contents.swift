import Backup
import LayerFormat

extension ImportSummary {
  /// What the backup was and held.
  init(
    _ contents: ClusterContents, _ assessment: ClusterAssessment,
    _ relations: [Cluster.Relation]
  ) {
    backupKind = assessment.kind.rawValue
    postgresVersion = assessment.version.rawValue
    systemIdentifier = String(assessment.controlFile.systemIdentifier)
    importLSN = assessment.importLSN.description
    endLSN = assessment.endLSN.description
    databaseCount = contents.databases.keys.count { $0 != 0 }
    relationCount = relations.count { $0.id.fork == .main }
    unloggedRelationCount = relations.count { $0.id.fork == .initialisation }
    mendedTwoPhaseFileCount = contents.mendedTwoPhaseFileCount
    preparedTransactionCount = contents.twoPhaseFiles.count
    controlFileChanges = assessment.controlFile.normalised().changes
    lostReplicationSlots = contents.leftOut.slots.sorted()
    leftOut = contents.leftOut.summary
    for (name, value) in assessment.controlFile.settings { requiredSettings[name] = Int(value) }
    let origins = contents.replicationOrigins?.origins.count ?? 0
    if origins > 0 { requiredSettings["max_replication_slots"] = origins + 1 }
  }
}

extension ImportSummary {
  /// Adds what happened before the import of the copy.
  mutating func take(_ cluster: RecoveredCluster) {
    backupKind = "recovered"
    manifest = cluster.manifest
    recoveredBy = cluster.serverVersion
    movedTablespaces = cluster.movedTablespaces
    lostReplicationSlots = Set(lostReplicationSlots).union(cluster.leftOut.slots).sorted()
    var reasons = Dictionary(uniqueKeysWithValues: leftOut.map { ($0.reason, $0) })
    for other in cluster.leftOut.summary {
      guard var entry = reasons[other.reason] else {
        reasons[other.reason] = other
        continue
      }
      entry.fileCount += other.fileCount
      entry.byteCount &+= other.byteCount
      entry.names = Array((other.names + entry.names).prefix(LeftOutTally.namesShown))
      reasons[other.reason] = entry
    }
    leftOut = reasons.values.sorted { $0.reason < $1.reason }
  }
}
