/// The directories that Postgres creates at the top of a data directory.
enum KnownDirectory: String {
  case base
  case global
  case transactions = "pg_xact"
  case multixacts = "pg_multixact"
  case twoPhase = "pg_twophase"
  case logical = "pg_logical"
  case statistics = "pg_stat"
  case tablespaces = "pg_tblspc"
  case replicationSlots = "pg_replslot"
  case writeAheadLog = "pg_wal"
  case commitTimestamps = "pg_commit_ts"
  case temporaryStatistics = "pg_stat_tmp"
  case sharedMemory = "pg_dynshmem"
  case subtransactions = "pg_subtrans"
  case notifications = "pg_notify"
  case serializable = "pg_serial"
  case snapshots = "pg_snapshots"

  init?(_ name: ArraySlice<UInt8>) {
    guard name.allSatisfy({ $0 < 0x80 }) else { return nil }
    self.init(rawValue: String(decoding: name, as: UTF8.self))
  }

  /// Why a link instead of the directory can be left out; nil if its target is part of the
  /// timeline.
  var reasonToLeaveOutLink: LeftOutReason? {
    switch self {
    case .base, .global, .transactions, .multixacts, .twoPhase, .logical, .statistics, .tablespaces:
      nil
    case .replicationSlots: .replicationSlots
    case .writeAheadLog: .writeAheadLog
    case .commitTimestamps: .commitTimestamps
    case .temporaryStatistics, .sharedMemory: .temporaryFiles
    case .subtransactions, .notifications, .serializable, .snapshots: .transientState
    }
  }
}

/// The directories of every data directory.
public enum DataDirectory {
  /// The directories that a server needs, in the order of their paths. A backup may omit them, as
  /// pg_basebackup omits the contents of most. `pg_wal/summaries` exists from version 17 on.
  ///
  /// (Postgres, `initdb.c`, `subdirs`; `xlog.c`, `ValidateXLOGDirectoryStructure`)
  public static let directories = [
    "base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_logical/mappings",
    "pg_logical/snapshots", "pg_multixact", "pg_multixact/members", "pg_multixact/offsets",
    "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp",
    "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal", "pg_wal/archive_status",
    "pg_wal/summaries", "pg_xact",
  ]
}
