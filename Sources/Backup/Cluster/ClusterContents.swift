import PostgresFormat

/// What a backup holds besides pages, as its members say it.
///
/// Filled while the backup streams; `ClusterAssessment` says at the end what
/// kind of backup it was and whether it is whole. `Cluster` is made of both.
package struct ClusterContents: Sendable {
  /// The decoded `global/pg_control`; nil until it is read.
  package var controlFile: ControlFile?
  /// What each `PG_VERSION` says; nil for the one at the top.
  var versions: [UInt32?: PostgresVersion] = [:]
  /// What `neon.signal` or `zenith.signal` says; nil in a backup that no pageserver made.
  package var signal: NeonSignal?
  /// Each database that has a file: its relation map if it has one; 0 for the shared relations.
  package var databases: [UInt32: [UInt8]?] = [:]
  var sharedCatalogs = SharedCatalogs()
  /// The blocks of each SLRU segment.
  package var slruSegments: [SLRUKind: [UInt32: UInt32]] = [:]
  /// Prepared transactions by id.
  package var twoPhaseFiles: [UInt64: PreparedTransaction] = [:]
  /// Two-phase files that contained their checksum twice, which is repaired.
  package var mendedTwoPhaseFileCount = 0
  /// The bytes of `pg_stat/pgstat.stat`; nil if the backup has none, or one too large to keep.
  package var statistics: [UInt8]?
  /// The decoded `pg_logical/replorigin_checkpoint`; nil if the backup has none.
  package var replicationOrigins: ReplicationOrigins?
  /// The files that are not stored in a timeline, by reason.
  package var leftOut = LeftOutTally()
  /// Leading directories before a `global/pg_control` that is not where it belongs.
  var misplacedDepth: Int?

  /// A prepared transaction's file.
  package struct PreparedTransaction: Sendable {
    /// The digits of the file's name, which must fit the version.
    var nameDigitCount: Int
    /// The decoded file, its checksum verified.
    package var file: TwoPhaseFile
    /// The file without its CRC.
    package var stored: [UInt8]
  }

  mutating func addDatabase(_ databaseID: UInt32) {
    if databases[databaseID] == nil { databases[databaseID] = .some(nil) }
  }

  /// Whether the database has a relation map already.
  package func hasRelationMap(_ databaseID: UInt32) -> Bool {
    if case .some(.some) = databases[databaseID] { return true }
    return false
  }
}
