/// The two tablespaces that the storage knows (Postgres, `pg_tablespace_d.h`).
public enum Tablespace {
  /// `pg_default`, where all databases lie.
  public static let defaultID: UInt32 = 1663
  /// `pg_global`, where the shared relations lie.
  public static let globalID: UInt32 = 1664

  /// The tablespace of a database: database 0 stands for the shared relations.
  @inlinable
  public static func id(ofDatabase databaseID: UInt32) -> UInt32 {
    databaseID == 0 ? globalID : defaultID
  }
}
