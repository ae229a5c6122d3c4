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
