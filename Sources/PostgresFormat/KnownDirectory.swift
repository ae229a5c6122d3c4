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
