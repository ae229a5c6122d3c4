import PostgresFormat

/// A fork of a relation. A pageserver stores its size and its blocks.
///
/// The tablespace follows from the database: 1664 (`pg_global`) for database 0, otherwise 1663
/// (`pg_default`); Neon supports no other. (Neon, `libs/postgres_ffi_types`, `RelTag`)
public struct RelationForkID: Hashable, Sendable {
  /// The database's oid, 0 for the shared relations under `global/`.
  public var databaseID: UInt32
  /// The relation file number, as in the names of the relation's files.
  public var relationNumber: UInt32
  /// The fork.
  public var fork: RelationFork

  /// A fork of a relation.
  @inlinable
  public init(databaseID: UInt32, relationNumber: UInt32, fork: RelationFork) {
    self.databaseID = databaseID
    self.relationNumber = relationNumber
    self.fork = fork
  }

  /// The main fork of the same relation.
  public var mainFork: Self {
    Self(databaseID: databaseID, relationNumber: relationNumber, fork: .main)
  }

  /// The oid of the tablespace, which follows from the database.
  public var tablespaceID: UInt32 { Tablespace.id(ofDatabase: databaseID) }
}

extension RelationForkID: Comparable {
  /// The order of the keys: tablespace 1663 before 1664, so that shared relations come last.
  public static func < (left: Self, right: Self) -> Bool {
    left.order < right.order
  }

  private var order: (UInt32, UInt32, UInt32, UInt8) {
    (tablespaceID, databaseID, relationNumber, fork.rawValue)
  }
}

extension RelationForkID: CustomStringConvertible {
  /// The path of the fork's first segment in a data directory: `base/5/16384_fsm`.
  public var description: String {
    RelationSegment(
      databaseID: databaseID, relationNumber: relationNumber, fork: fork, segmentNumber: 0
    ).path
  }
}

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
