/// Something that a compute finds otherwise than the cluster left it.
public struct Change: Codable, Equatable, Sendable {
  /// What was changed.
  public var code: ChangeCode
  /// The same in words, with numbers and names: lower case, no final period.
  public var message: String
  /// How many pages, files, relations or slots.
  public var count: UInt64

  /// A change of `count` things.
  public init(_ code: ChangeCode, _ message: String, count: UInt64 = 1) {
    self.code = code
    self.message = message
    self.count = count
  }
}

/// The kinds of change.
public enum ChangeCode: String, StableCode {
  case dataChecksumsOff = "data-checksums-off"
  case walSegmentSize = "wal-segment-size"
  case postgresTimeline = "postgres-timeline"
  case pagesStamped = "pages-stamped"
  case twoPhaseFilesRepaired = "two-phase-files-repaired"
  case unloggedRelationsEmptied = "unlogged-relations-emptied"
  case replicationSlotsLost = "replication-slots-lost"
  case tablespacesMoved = "tablespaces-moved"

  /// Whether it is a change of `pg_control`.
  public var isOfControlFile: Bool {
    switch self {
    case .dataChecksumsOff, .walSegmentSize, .postgresTimeline: true
    default: false
    }
  }

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .dataChecksumsOff: "The data checksums are turned off: Neon does not keep them."
    case .walSegmentSize: "The WAL segment size is set to 16 MiB, the only one of Neon."
    case .postgresTimeline: "The timeline of Postgres is set to 1, the only one of Neon."
    case .pagesStamped:
      "Pages without an LSN were given one; normal after bulk loads under wal_level = minimal."
    case .twoPhaseFilesRepaired:
      "Two-phase files contained their checksum twice; one was removed."
    case .unloggedRelationsEmptied: "Unlogged relations will be empty, as after a crash."
    case .replicationSlotsLost: "Replication slots are lost: their WAL is not in Neon."
    case .tablespacesMoved: "The contents of tablespaces were moved to the default one."
    }
  }
}
