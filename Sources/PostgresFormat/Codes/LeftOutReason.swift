/// Why a file of a data directory is not stored in a timeline; the raw value is the code.
public enum LeftOutReason: String, StableCode, Comparable {
  case writeAheadLog = "write-ahead-log"
  case configuration
  case serverProcess = "server-process"
  case temporaryFiles = "temporary-files"
  case temporaryRelations = "temporary-relations"
  case caches
  case replicationSlots = "replication-slots"
  case logicalDecoding = "logical-decoding"
  case transientState = "transient-state"
  case commitTimestamps = "commit-timestamps"
  case version14Statistics = "version-14-statistics"
  case extensionStatistics = "extension-statistics"
  case largeStatistics = "large-statistics"
  case backupManifest = "backup-manifest"
  case setAside = "set-aside"
  case userFiles = "user-files"
  case litter

  /// The reason in the words of the summary.
  public var words: String {
    switch self {
    case .writeAheadLog: "write-ahead log"
    case .configuration: "configuration"
    case .serverProcess: "files of the server process"
    case .temporaryFiles: "temporary files"
    case .temporaryRelations: "temporary relations"
    case .caches: "caches"
    case .replicationSlots: "replication slots"
    case .logicalDecoding: "logical decoding state"
    case .transientState: "state of running transactions"
    case .commitTimestamps: "commit timestamps"
    case .version14Statistics: "statistics of Postgres 14"
    case .extensionStatistics: "statistics of extensions"
    case .largeStatistics: "statistics too large to keep"
    case .backupManifest: "backup manifest"
    case .setAside: "files set aside by Postgres"
    case .userFiles: "user files"
    case .litter: "files of file systems and desktops"
    }
  }

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .writeAheadLog: "Everything in 'pg_wal': an imported timeline needs none of it."
    case .configuration: "'postgresql.conf', 'pg_hba.conf' and others: a compute gets its own."
    case .serverProcess:
      "'postmaster.pid', 'current_logfiles' and others, which belong to one run of a server."
    case .temporaryFiles:
      "Files that a server removes or ignores when it starts: 'pgsql_tmp', 'pg_stat_tmp'."
    case .temporaryRelations: "Files of sessions' temporary tables."
    case .caches:
      "Files that are rebuilt when they are missing: 'pg_internal.init', 'autoprewarm.blocks'."
    case .replicationSlots: "Everything in 'pg_replslot': a slot's WAL is not in Neon."
    case .logicalDecoding:
      "Everything in 'pg_logical/snapshots' and 'pg_logical/mappings', which only slots need."
    case .transientState:
      "'pg_subtrans', 'pg_notify', 'pg_serial' and 'pg_snapshots', which no server needs after a "
        + "restart."
    case .commitTimestamps: "Everything in 'pg_commit_ts', which Neon does not store."
    case .version14Statistics:
      "'pg_stat/global.stat' and 'db_OID.stat' of Postgres 14, which Neon does not store."
    case .extensionStatistics:
      "Files in 'pg_stat' and 'global' that extensions write, such as 'pg_stat_statements.stat'."
    case .largeStatistics:
      "A 'pg_stat/pgstat.stat' of more than 16 MiB: a server collects the statistics again."
    case .backupManifest:
      "'backup_manifest': the backup is compared with it first, then it means nothing."
    case .setAside:
      "'backup_label.old', 'tablespace_map.old' and 'pg_control.old', which Postgres has renamed."
    case .userFiles: "Names outside Postgres's own directories that Postgres does not use."
    case .litter:
      "What file systems and desktops leave in any directory: '._*', '.DS_Store', '.nfs*', "
        + "'.fuse_hidden*', '@eaDir', '.snapshot'."
    }
  }

  /// Whether a directory that is left out for this reason counts as a file: what is below it may
  /// not be listed.
  package var countsDirectories: Bool { self == .userFiles || self == .litter }

  /// By the words, so that summaries always list them in the same order.
  public static func < (left: Self, right: Self) -> Bool { left.words < right.words }
}
