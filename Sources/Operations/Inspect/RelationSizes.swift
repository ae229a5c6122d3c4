/// A database and what its relations take.
public struct DatabaseSize: Codable, Sendable, Equatable {
  /// The oid; 0 for the relations that all databases share.
  public var id: UInt32
  /// The name, escaped; nil for the shared relations, and if no row of `pg_database` shows it.
  public var name: String?
  /// Where its files are: `base/5`, `global`.
  public var path: String
  /// Relations with a main fork.
  public var relationCount: Int
  /// Bytes of all relation files.
  public var byteCount: UInt64
  /// Bytes of their pages and sizes in all layers; nil for a backup.
  public var storedByteCount: UInt64?
}

/// A relation with all its forks and segments.
public struct RelationSize: Codable, Sendable, Equatable {
  /// The main fork's first file: `base/5/16384`.
  public var path: String
  /// The oid of the database; 0 for the relations that all databases share.
  public var databaseID: UInt32
  /// The relation file number, as in the name of the file.
  public var relationNumber: UInt32
  /// The name without its schema, escaped; nil if no row of `pg_class` shows it.
  public var name: String?
  /// `table`, `index`, `sequence`, `TOAST table` or `materialized view`; nil if it is not known.
  public var kind: String?
  /// Bytes of all files.
  public var byteCount: UInt64
  /// Bytes of its pages and sizes in all layers; nil for a backup.
  public var storedByteCount: UInt64?
  /// Whether it has an init fork, so that it will be empty in a compute.
  public var isUnlogged: Bool
}

extension RelationSize {
  /// How many of the largest relations are listed.
  static let listedLimit = 100
}
