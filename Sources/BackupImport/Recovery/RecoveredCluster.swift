import PostgresFormat

/// A cluster that was brought to a stop on a scratch copy, to be imported from there.
struct RecoveredCluster: Sendable {
  /// Goes, with the copy in it, when it is let go of.
  let scratch: ScratchDirectory
  /// Of the Postgres that did it, as it words that itself.
  let serverVersion: String
  /// The names of the tablespaces whose contents are in the default one now, escaped.
  let movedTablespaces: [String]
  /// What was not copied.
  let leftOut: LeftOutTally
  /// What the backup's manifest said.
  let manifest: ManifestSummary
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
