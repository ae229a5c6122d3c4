import PostgresFormat
import System

/// What a complete backup turned out to be, and its positions in the write-ahead log.
package struct ClusterAssessment: Sendable {
  /// Where a backup that can be imported comes from; the raw value is the summary's word for it.
  package enum Kind: String, Sendable {
    /// The data directory of a cluster that was shut down.
    case cleanShutdown = "clean shutdown"
    /// A backup that a pageserver made: it has a `neon.signal` or a `zenith.signal`.
    case fullbackup
  }

  /// Where the backup comes from, which decides how its LSNs are found.
  package let kind: Kind
  /// The backup's `pg_control`, its checksum verified.
  package let controlFile: ControlFile
  /// The LSN at which the backup is consistent.
  package let importLSN: LogSequenceNumber
  /// The end of the last record before which nothing is missing.
  package let endLSN: LogSequenceNumber
  /// Where the last record before `endLSN` starts; nil if a fullbackup does not say.
  package let previousRecordLSN: LogSequenceNumber?
  /// The checkpoint as Neon keeps it.
  package let checkpoint: Checkpoint

  /// The major version of Postgres, from the control file; `PG_VERSION` says the same.
  package var version: PostgresVersion { controlFile.version }

  /// Judges what a backup held; `contents` must be complete. What does not keep the rest from being
  /// judged goes to `report`.
  ///
  /// (Docs/format.md, LSNs)
  package init(
    of contents: ClusterContents, report: Failure.Report = Failure.first
  ) throws(Failure) {
    guard let controlFile = contents.controlFile else { throw contents.clues.missingControlFile }
    guard let version = contents.versions[nil] else {
      throw Failure(.missingFile, "the backup has no 'PG_VERSION'")
    }
    guard version == controlFile.version else {
      throw Failure(
        .versionMismatch,
        "'PG_VERSION' is \(version.rawValue), but 'global/pg_control' is from Postgres "
          + "\(controlFile.version.rawValue)")
    }
    self.controlFile = controlFile
    try contents.requireReadableDatabases(version, report: report)
    let copy = controlFile.checkpointCopy
    try Self.check(contents.twoPhaseFiles, against: copy, version: version, report)
    let transactions = Array(contents.twoPhaseFiles.keys)
    do throws(FormatError) {
      if let signal = contents.signal {
        kind = .fullbackup
        importLSN = copy.redo
        try WALLayout.requireRecordEnd(importLSN)
        endLSN = importLSN
        previousRecordLSN = signal.previousRecord
        checkpoint = copy.forTimeline(end: nil, preparedTransactions: transactions)
      } else {
        kind = .cleanShutdown
        importLSN = controlFile.checkPoint
        endLSN = try WALLayout.endOfCheckpointRecord(
          startingAt: importLSN, segmentSize: controlFile.walSegmentSize)
        previousRecordLSN = importLSN
        checkpoint = copy.forTimeline(end: endLSN, preparedTransactions: transactions)
      }
    } catch {
      throw Failure(error, in: "member 'global/pg_control'", damage: .controlFileDamaged)
    }
    try contents.requireLogs(report: report)
  }

  private static func check(
    _ transactions: [UInt64: ClusterContents.PreparedTransaction], against checkpoint: Checkpoint,
    version: PostgresVersion, _ report: Failure.Report
  ) throws(Failure) {
    for (id, transaction) in transactions.sorted(by: { $0.key < $1.key }) {
      do throws(FormatError) {
        try transaction.file.requireName(
          transactionID: id, digitCount: transaction.nameDigitCount, version: version)
        try checkpoint.requireAssigned(preparedTransaction: id, version: version)
      } catch {
        try report(
          Failure(
            error, in: "prepared transaction \(id)", damage: .preparedTransactionMismatch))
      }
    }
  }
}
