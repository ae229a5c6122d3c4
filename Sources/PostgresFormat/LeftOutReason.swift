/// Why a file of a data directory is not stored in a timeline, in the words of the summary.
public enum LeftOutReason: String, CaseIterable, Sendable, Comparable {
  case writeAheadLog = "write-ahead log"
  case configuration = "configuration"
  case serverProcess = "files of the server process"
  case temporaryFiles = "temporary files"
  case temporaryRelations = "temporary relations"
  case caches = "caches"
  case replicationSlots = "replication slots"
  case logicalDecoding = "logical decoding state"
  case transientState = "state of running transactions"
  case commitTimestamps = "commit timestamps"
  case version14Statistics = "statistics of Postgres 14"
  case extensionStatistics = "statistics of extensions"
  case largeStatistics = "statistics too large to keep"
  case backupManifest = "backup manifest"
  case setAside = "files set aside by Postgres"
  case userFiles = "user files"

  /// By the words, so that summaries always list them in the same order.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
