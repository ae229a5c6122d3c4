import PostgresFormat

/// The meaning of a key: the table of Docs/format.md, Keys, in both directions.
public enum KeyMeaning: Hashable, Sendable {
  /// The list of databases.
  case databaseDirectory
  /// The `pg_filenode.map` of a database; database 0 is for the shared relations.
  case relationMap(databaseID: UInt32)
  /// The list of relation forks of a database.
  case relationDirectory(databaseID: UInt32)
  /// A page of a relation.
  case relationBlock(RelationForkID, block: UInt32)
  /// The number of blocks of a relation fork.
  case relationSize(RelationForkID)
  /// The list of segments of an SLRU.
  case slruDirectory(SLRUKind)
  /// A page of an SLRU.
  case slruBlock(SLRUKind, segment: UInt32, block: UInt32)
  /// The number of blocks of a segment of an SLRU.
  case slruSegmentSize(SLRUKind, segment: UInt32)
  /// The list of prepared transactions.
  case twoPhaseDirectory
  /// The state of a prepared transaction; its id is not 0.
  case twoPhaseFile(transactionID: UInt64)
  /// `pg_control`.
  case controlFile
  /// The checkpoint that the timeline begins with.
  case checkpoint
  /// The cumulative statistics.
  case statisticsFile
  /// The progress of a replication origin.
  case replicationOrigin(id: UInt16)
}

extension Key {
  /// The last field of keys for a size rather than a block.
  static let sizeField: UInt32 = .max

  private enum Group {
    static let relation: UInt8 = 0x00
    static let slru: UInt8 = 0x01
    static let twoPhase: UInt8 = 0x02
    static let control: UInt8 = 0x03
    static let auxiliaryFile: UInt8 = 0x62
    static let replicationOrigin: UInt8 = 0x63
  }

  /// The key of a block of a relation, the most frequent one.
  @inlinable
  public init(_ relation: RelationForkID, block: UInt32) {
    self.init(
      0x00, Tablespace.id(ofDatabase: relation.databaseID), relation.databaseID,
      relation.relationNumber, relation.fork.rawValue, block)
  }

  /// The key for a meaning.
  public init(_ meaning: KeyMeaning) {
    switch meaning {
    case .databaseDirectory:
      self.init(Group.relation, 0, 0, 0, 0, 0)
    case .relationMap(let databaseID):
      self.init(Group.relation, Tablespace.id(ofDatabase: databaseID), databaseID, 0, 0, 0)
    case .relationDirectory(let databaseID):
      self.init(Group.relation, Tablespace.id(ofDatabase: databaseID), databaseID, 0, 0, 1)
    case .relationBlock(let relation, let block):
      self.init(relation, block: block)
    case .relationSize(let relation):
      self.init(relation, block: Self.sizeField)
    case .slruDirectory(let kind):
      self.init(Group.slru, UInt32(kind.rawValue), 0, 0, 0, 0)
    case .slruBlock(let kind, let segment, let block):
      self.init(Group.slru, UInt32(kind.rawValue), 1, segment, 0, block)
    case .slruSegmentSize(let kind, let segment):
      self.init(Group.slru, UInt32(kind.rawValue), 1, segment, 0, Self.sizeField)
    case .twoPhaseDirectory:
      self.init(Group.twoPhase, 0, 0, 0, 0, 0)
    case .twoPhaseFile(let transactionID):
      self.init(
        Group.twoPhase, 0, 0, UInt32(transactionID >> 40),
        UInt8(truncatingIfNeeded: transactionID >> 32), UInt32(truncatingIfNeeded: transactionID))
    case .controlFile:
      self.init(Group.control, 0, 0, 0, 0, 0)
    case .checkpoint:
      self.init(Group.control, 0, 0, 0, 0, 1)
    case .statisticsFile:
      self = Self.statisticsFile
    case .replicationOrigin(let id):
      self.init(Group.replicationOrigin, 0, 0, 0, 0, UInt32(id))
    }
  }

  /// `pg_stat/pgstat.stat` among the auxiliary files: 62 0000 03 01, then the last 13 bytes of
  /// the FNV-1a hash of the file's name. (Neon, `pageserver/src/aux_file.rs`)
  private static let statisticsFile: Key = {
    var hash: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D
    for byte in "pgstat.stat".utf8 {
      hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013B
    }
    return Key(
      high: 0x62_0000_03_01_000000 | UInt64(truncatingIfNeeded: hash >> 80 & 0xFF_FFFF),
      middle: UInt64(truncatingIfNeeded: hash >> 16), low: UInt16(truncatingIfNeeded: hash))
  }()

  /// The meaning of the key; nil for a key that no import writes.
  public var meaning: KeyMeaning? {
    let candidate: KeyMeaning? =
      switch field1 {
      case Group.relation: relationMeaning
      case Group.slru: slruMeaning
      case Group.twoPhase: twoPhaseMeaning
      case Group.control: field6 == 0 ? .controlFile : .checkpoint
      case Group.auxiliaryFile: .statisticsFile
      case Group.replicationOrigin:
        .replicationOrigin(id: UInt16(truncatingIfNeeded: field6))
      default: nil
      }
    // Fields that the meaning does not use must have their usual values.
    guard let candidate, Key(candidate) == self else { return nil }
    return candidate
  }

  private var relationMeaning: KeyMeaning? {
    if field2 == 0 { return .databaseDirectory }
    if field4 == 0 {
      return field6 == 0
        ? .relationMap(databaseID: field3) : .relationDirectory(databaseID: field3)
    }
    guard let fork = RelationFork(rawValue: field5) else { return nil }
    let relation = RelationForkID(databaseID: field3, relationNumber: field4, fork: fork)
    return field6 == Self.sizeField
      ? .relationSize(relation) : .relationBlock(relation, block: field6)
  }

  private var slruMeaning: KeyMeaning? {
    guard let raw = UInt8(exactly: field2), let kind = SLRUKind(rawValue: raw) else { return nil }
    if field3 == 0 { return .slruDirectory(kind) }
    return field6 == Self.sizeField
      ? .slruSegmentSize(kind, segment: field4)
      : .slruBlock(kind, segment: field4, block: field6)
  }

  private var twoPhaseMeaning: KeyMeaning {
    let transactionID = UInt64(field4) << 40 | UInt64(field5) << 32 | UInt64(field6)
    return transactionID == 0 ? .twoPhaseDirectory : .twoPhaseFile(transactionID: transactionID)
  }
}
