/// Why a file of a data directory is not stored in a timeline, in the words of the summary.
public enum LeftOutReason: String, CaseIterable, Sendable, Comparable {
  /// Everything in `pg_wal`: an imported timeline needs none of it.
  case writeAheadLog = "write-ahead log"
  /// `postgresql.conf`, `pg_hba.conf` and others: a compute gets its own.
  case configuration = "configuration"
  /// `postmaster.pid`, `current_logfiles` and others, which belong to one run of a server.
  case serverProcess = "files of the server process"
  /// Files that a server removes or ignores when it starts: `pgsql_tmp`, `pg_stat_tmp`.
  case temporaryFiles = "temporary files"
  /// Files of sessions' temporary tables: `t<n>_<relation>`.
  case temporaryRelations = "temporary relations"
  /// Files that are rebuilt when they are missing: `pg_internal.init`, `autoprewarm.blocks`.
  case caches = "caches"
  /// Everything in `pg_replslot`: a slot's WAL is not in Neon.
  case replicationSlots = "replication slots"
  /// Everything in `pg_logical/snapshots` and `pg_logical/mappings`, which only slots need.
  case logicalDecoding = "logical decoding state"
  /// `pg_subtrans`, `pg_notify`, `pg_serial` and `pg_snapshots`, which no server needs after a
  /// restart.
  case transientState = "state of running transactions"
  /// Everything in `pg_commit_ts`, which Neon does not store.
  case commitTimestamps = "commit timestamps"
  /// `pg_stat/global.stat` and `db_<oid>.stat` of Postgres 14, which Neon does not store.
  case version14Statistics = "statistics of Postgres 14"
  /// Files in `pg_stat` and `global` that extensions write, such as `pg_stat_statements.stat`.
  case extensionStatistics = "statistics of extensions"
  /// A `pg_stat/pgstat.stat` of more than 16 MiB: a server collects the statistics again.
  case largeStatistics = "statistics too large to keep"
  /// `backup_manifest`: the backup is compared with it first, then it means nothing.
  case backupManifest = "backup manifest"
  /// `backup_label.old`, `tablespace_map.old` and `pg_control.old`, which Postgres has renamed.
  case setAside = "files set aside by Postgres"
  /// Names outside Postgres's own directories that Postgres does not use.
  case userFiles = "user files"

  /// By the words, so that summaries always list them in the same order.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
