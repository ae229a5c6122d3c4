import PostgresFormat

/// What a backup holds besides pages, as its members say it.
///
/// Filled while the backup streams; `ClusterAssessment` says at the end what
/// kind of backup it was and whether it is whole. `Cluster` is made of both.
package struct ClusterContents: Sendable {
  package var controlFile: ControlFile?
  /// What each `PG_VERSION` says; nil for the one at the top.
  var versions: [UInt32?: PostgresVersion] = [:]
  package var signal: NeonSignal?
  /// Each database that has a file: its relation map where it has one; 0 for the shared relations.
  package var databases: [UInt32: [UInt8]?] = [:]
  var sharedCatalogs = SharedCatalogs()
  /// The blocks of each SLRU segment.
  package var slruSegments: [SLRUKind: [UInt32: UInt32]] = [:]
  /// Prepared transactions by id.
  package var twoPhaseFiles: [UInt64: PreparedTransaction] = [:]
  package var mendedTwoPhaseFileCount = 0
  package var statistics: [UInt8]?
  package var replicationOrigins: ReplicationOrigins?
  package var leftOut = LeftOutTally()
  /// Leading directories before a `global/pg_control` that is not where it belongs.
  var misplacedDepth: Int?

  /// A prepared transaction's file.
  package struct PreparedTransaction: Sendable {
    /// The digits of the file's name, which must fit the version.
    var nameDigitCount: Int
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
