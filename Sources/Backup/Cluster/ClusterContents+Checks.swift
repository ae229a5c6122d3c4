import LayerFormat
import PostgresFormat
import System

extension ClusterContents {
  /// Judges what has been read of a complete backup, and leaves out what its version does not have.
  ///
  /// What only makes it incomplete goes to `report`.
  package mutating func assessed(
    report: Failure.Report = Failure.first
  ) throws(Failure) -> ClusterAssessment {
    let assessment = try ClusterAssessment(of: self, report: report)
    dropStatistics(unlessOf: assessment.version)
    return assessment
  }

  /// Checks that each database is of the cluster's version, and has a relation map, if any, that a
  /// server can read; the shared relations must have one.
  package func requireReadableDatabases(
    _ version: PostgresVersion, report: Failure.Report = Failure.first
  ) throws(Failure) {
    for (databaseID, found) in versions.sorted(by: { $0.key ?? 0 < $1.key ?? 0 }) {
      guard let databaseID, found != version else { continue }
      try report(
        Failure(
          .versionMismatch,
          "'base/\(databaseID)/PG_VERSION' is \(found.rawValue), but 'PG_VERSION' is "
            + "\(version.rawValue)"))
    }
    if !hasRelationMap(0) {
      try report(Self.incomplete("the backup has no 'global/pg_filenode.map'"))
    }
    for (databaseID, map) in databases.sorted(by: { $0.key < $1.key }) {
      guard let map else { continue }
      do throws(FormatError) {
        try RelationMapFile.check(map.bytes, version: version)
      } catch {
        let directory = RelationSegment.directory(ofDatabase: databaseID)
        try report(
          Failure(
            error, in: "member '\(directory)/pg_filenode.map'", damage: .relationMapDamaged))
      }
    }
  }

  /// Checks the logs of transaction state, as far as there is a checkpoint that says what must be in them.
  package func requireLogs(report: Failure.Report = Failure.first) throws(Failure) {
    guard let checkpoint = controlFile?.checkpointCopy else {
      if slruSegments[.transactions, default: [:]].isEmpty {
        try report(Self.incomplete("the backup has no '\(SLRUKind.transactions.directory)'"))
      }
      return
    }
    // A pageserver leaves out what no row needs.
    if signal == nil { try requireLogPages(of: checkpoint, report: report) }
    try requireGaplessLogs(of: checkpoint, report: report)
  }

  /// Checks that the logs reach as far as a server reads them when it starts.
  private func requireLogPages(
    of checkpoint: Checkpoint, report: Failure.Report
  ) throws(Failure) {
    for needed in checkpoint.neededLogPages {
      let pageCount = slruSegments[needed.log]?[needed.segmentNumber] ?? 0
      if needed.pageInSegment >= pageCount {
        let path = needed.log.path(ofSegment: needed.segmentNumber)
        try report(
          Self.incomplete(
            "page \(needed.pageInSegment) of '\(path)' is missing; no server starts without it"))
      }
    }
  }

  /// Checks that the logs have no gap in what rows may need.
  private func requireGaplessLogs(of checkpoint: Checkpoint, report: Failure.Report) throws(Failure)
  {
    for range in checkpoint.liveLogs(isPageservers: signal != nil) {
      var missing: UInt32?
      for (index, number) in range.segmentNumbers.enumerated() {
        guard slruSegments[range.log]?[number] ?? 0 > 0 else {
          guard index > 0 else {
            try report(
              Self.incomplete(
                "'\(range.log.path(ofSegment: number))' is missing (the newest segment)"))
            break
          }
          missing = missing ?? number
          continue
        }
        if let missing {
          try report(
            Failure(
              .missingFile,
              "'\(range.log.path(ofSegment: missing))' is missing, but "
                + "'\(range.log.path(ofSegment: number))' exists",
              hint:
                "The backup is incomplete. Take a new one. If pg_resetwal has skipped numbers, run "
                + "VACUUM (FREEZE) in every database first, also in template0, which has to be "
                + "opened for that with 'ALTER DATABASE template0 ALLOW_CONNECTIONS true'."))
          break
        }
      }
    }
  }

  /// Leaves the statistics out, by name, if the version keeps none in such a file.
  private mutating func dropStatistics(unlessOf version: PostgresVersion) {
    guard let statistics, !version.hasStatisticsFile else { return }
    leftOut.add(
      AuxiliaryFile.statisticsPath, byteCount: UInt64(statistics.count),
      reason: .extensionStatistics)
    self.statistics = nil
  }
}
