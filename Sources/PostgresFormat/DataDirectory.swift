/// What lies in every data directory.
public enum DataDirectory {
  /// The directories that a server looks for and a backup may leave out, in the order of their
  /// paths: pg_basebackup does with the contents of most. `pg_wal/summaries` is of version 17.
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
