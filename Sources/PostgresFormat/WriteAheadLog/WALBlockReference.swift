/// A block that a record of the write-ahead log names.
public struct WALBlockReference: Equatable, Sendable {
  public var tablespaceID: UInt32
  /// 0 for the relations that all databases share.
  public var databaseID: UInt32
  public var relationNumber: UInt32
  public var block: UInt32
  public var fork: RelationFork
  /// The reference's number in its record, 0 to 32; what it means depends on the kind of record.
  public var id: UInt8
  public var flags: Flags

  public struct Flags: OptionSet, Sendable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The record brings the whole page, perhaps only for a check (`wal_consistency_checking`).
    public static let hasImage = Self(rawValue: 1)
    /// Replay puts the image in place of the page, whose old contents do not matter.
    public static let imageIsApplied = Self(rawValue: 2)
    /// Replay makes the page from nothing, and its old contents do not matter.
    public static let initialisesPage = Self(rawValue: 4)
  }
}
