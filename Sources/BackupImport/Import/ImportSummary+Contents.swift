import LayerFormat
import PostgresFormat

extension ImportSummary {
  /// What the backup was and held.
  init(
    _ contents: ClusterContents, _ assessment: ClusterAssessment,
    _ relations: [SegmentTable.Relation]
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
    lostReplicationSlots = contents.leftOut.slots.sorted()
    leftOut = contents.leftOut.summary
    for (name, value) in assessment.controlFile.settings { requiredSettings[name] = Int(value) }
    let origins = contents.replicationOrigins?.origins.count ?? 0
    if origins > 0 { requiredSettings["max_replication_slots"] = origins + 1 }
  }
}
