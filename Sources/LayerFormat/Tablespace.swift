/// The two tablespaces that Neon supports (Postgres, `pg_tablespace_d.h`).
public enum Tablespace {
  /// `pg_default`, the tablespace of all databases.
  public static let defaultID: UInt32 = 1663
  /// `pg_global`, the tablespace of the shared relations.
  public static let globalID: UInt32 = 1664

  /// The tablespace of a database; database 0 is for the shared relations.
  @inlinable
  public static func id(ofDatabase databaseID: UInt32) -> UInt32 {
    databaseID == 0 ? globalID : defaultID
  }
}
