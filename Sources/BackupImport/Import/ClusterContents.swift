import LayerFormat
import PostgresFormat

/// What a backup holds besides pages: everything that the last L0 is made from.
///
/// Filled while the backup streams; `ClusterAssessment` says at the end what
/// kind of backup it was and whether it is whole.
struct ClusterContents: Sendable {
  var controlFile: ControlFile?
  /// What each `PG_VERSION` says; nil for the one at the top.
  var versions: [UInt32?: PostgresVersion] = [:]
  var signal: NeonSignal?
  /// Each database that has a file: its relation map where it has one; 0 for the shared relations.
  var databases: [UInt32: [UInt8]?] = [:]
  var sharedCatalogs = SharedCatalogs()
  /// The blocks of each SLRU segment.
  var slruSegments: [SLRUKind: [UInt32: UInt32]] = [:]
  /// Prepared transactions by id.
  var twoPhaseFiles: [UInt64: PreparedTransaction] = [:]
  var mendedTwoPhaseFileCount = 0
  var statistics: [UInt8]?
  var replicationOrigins: ReplicationOrigins?
  var leftOut = LeftOutTally()
  /// Leading directories before a `global/pg_control` that is not where it belongs.
  var misplacedDepth: Int?

  /// A prepared transaction's file.
  struct PreparedTransaction: Sendable {
    /// The digits of the file's name, which must fit the version.
    var nameDigitCount: Int
    var file: TwoPhaseFile
    /// The file without its CRC.
    var stored: [UInt8]
  }

  mutating func addDatabase(_ databaseID: UInt32) {
    if databases[databaseID] == nil { databases[databaseID] = .some(nil) }
  }

  /// Whether the database has a relation map already.
  func hasRelationMap(_ databaseID: UInt32) -> Bool {
    if case .some(.some) = databases[databaseID] { return true }
    return false
  }
}

/// What was left out on purpose, by reason.
struct LeftOutTally: Sendable {
  private var entries: [LeftOutReason: ImportSummary.LeftOut] = [:]
  /// The replication slots among it, sorted.
  private(set) var slots: Set<String> = []

  static let namesShown = 8

  mutating func add(_ name: String, byteCount: UInt64, reason: LeftOutReason) {
    var entry =
      entries[reason]
      ?? ImportSummary.LeftOut(reason: reason.rawValue, fileCount: 0, byteCount: 0, names: [])
    entry.fileCount += 1
    entry.byteCount &+= byteCount
    if entry.names.count < Self.namesShown { entry.names.append(name) }
    entries[reason] = entry
  }

  mutating func addSlot(_ name: String) {
    slots.insert(name)
  }

  /// Whether the name is among the first of those left out for that reason.
  func has(_ name: String, for reason: LeftOutReason) -> Bool {
    entries[reason]?.names.contains(name) == true
  }

  /// One entry a reason, sorted by the reason's words.
  var summary: [ImportSummary.LeftOut] {
    entries.values.sorted { $0.reason < $1.reason }
  }
}
