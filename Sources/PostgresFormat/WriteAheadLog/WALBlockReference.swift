/// A block that a record of the write-ahead log names.
public struct WALBlockReference: Equatable, Sendable {
  /// The oid of the tablespace; 1663 for `pg_default`, 1664 for `pg_global`.
  public var tablespaceID: UInt32
  /// 0 for the relations that all databases share.
  public var databaseID: UInt32
  /// The relation file number.
  public var relationNumber: UInt32
  /// The block's number in its fork.
  public var block: UInt32
  /// The fork that the block is in.
  public var fork: RelationFork
  /// The reference's number in its record, 0 to 32; what it means depends on the kind of record.
  public var id: UInt8
  /// What the record brings for the page, and whether its old contents matter.
  public var flags: Flags

  /// How replay treats the page. The bits are this program's own, not those of the WAL.
  public struct Flags: OptionSet, Sendable {
    /// The bits of all flags that are set.
    public var rawValue: UInt8

    /// The flags with these bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The record brings the whole page, perhaps only for a check (`wal_consistency_checking`).
    public static let hasImage = Self(rawValue: 1)
    /// Replay puts the image in place of the page, whose old contents do not matter.
    public static let imageIsApplied = Self(rawValue: 2)
    /// Replay makes the page from nothing, and its old contents do not matter.
    public static let initialisesPage = Self(rawValue: 4)
  }
}
