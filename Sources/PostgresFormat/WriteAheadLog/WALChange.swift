/// What a record does to files besides changing the blocks that it names.
///
/// Only what matters for a recovery that does not have all of the cluster's pages.
public enum WALChange: Equatable, Sendable {
  /// Every block from `block` on is removed from the forks.
  case truncation(Truncation)
  /// A fork of this relation is made, unless it is there.
  case relationCreation(Relation)
  /// The files of these relations are removed, as a transaction that dropped or made them has ended.
  case relationRemoval([Relation])
  /// All files of a database are copied, as they are at this record.
  case databaseCopy(DatabaseCopy)
  /// All files of a database in these tablespaces are removed.
  case databaseRemoval(databaseID: UInt32, tablespaceIDs: [UInt32])
  /// A tablespace is made in the directory that the cluster had it in.
  case tablespaceCreation(id: UInt32, location: [UInt8])
  /// Settings that a server must not fall below when it replays what follows.
  case parameterChange(MinimumSettings)
  /// A checkpoint, at a shutdown or while the server runs. (`src/include/catalog/pg_control.h`)
  case checkpoint(Checkpoint)

  /// A relation's file. (`src/include/storage/relfilelocator.h`)
  public struct Relation: Equatable, Sendable {
    /// The oid of the tablespace.
    public var tablespaceID: UInt32
    /// The oid of the database; 0 for the relations that all databases share.
    public var databaseID: UInt32
    /// The relation file number.
    public var relationNumber: UInt32
  }

  /// The blocks that a truncation removes. (`src/include/catalog/storage_xlog.h`,
  /// `xl_smgr_truncate`)
  public struct Truncation: Equatable, Sendable {
    /// The oid of the relation's tablespace.
    public var tablespaceID: UInt32
    /// The oid of the relation's database; 0 for the relations that all databases share.
    public var databaseID: UInt32
    /// The relation file number.
    public var relationNumber: UInt32
    /// The first block of the main fork that is removed, so also the number that are left.
    public var block: UInt32
    /// The forks that are truncated.
    public var forks: Forks

    /// Forks by Postgres's flags (`src/include/catalog/storage_xlog.h`, `SMGR_TRUNCATE_HEAP`).
    ///
    /// `block` counts in the main fork. The two maps are cut to what is left of it.
    public struct Forks: OptionSet, Sendable {
      /// The bits of all flags that are set, as in the record.
      public var rawValue: UInt32

      /// The forks with these bits.
      public init(rawValue: UInt32) { self.rawValue = rawValue }

      /// `SMGR_TRUNCATE_HEAP`: the main fork.
      public static let main = Self(rawValue: 1)
      /// `SMGR_TRUNCATE_VM`: the visibility map.
      public static let visibilityMap = Self(rawValue: 2)
      /// `SMGR_TRUNCATE_FSM`: the free space map.
      public static let freeSpaceMap = Self(rawValue: 4)
    }
  }

  /// A copy of one tablespace's part of a database. (`src/include/commands/dbcommands_xlog.h`)
  public struct DatabaseCopy: Equatable, Sendable {
    /// The oid of the new database.
    public var databaseID: UInt32
    /// The oid of the tablespace that the files are copied to.
    public var tablespaceID: UInt32
    /// The oid of the database that is copied, such as 1 for `template1`.
    public var sourceDatabaseID: UInt32
    /// The oid of the tablespace that the files are copied from.
    public var sourceTablespaceID: UInt32
  }
}

extension WALRecord {
  /// What the record does besides changing blocks; nil for most.
  ///
  /// Costs a comparison for records of other resource managers; allocates memory only for what it
  /// returns. Sources: `src/include/catalog/storage_xlog.h`, `src/include/commands/dbcommands_xlog.h`
  /// and `tablespace.h`, `src/include/catalog/pg_control.h`, `src/include/access/xlog_internal.h`.
  /// - Throws: `damaged` if the record is too short for its kind.
  public func change() throws(FormatError) -> WALChange? {
    switch resourceManager {
    case .log:
      switch kind {
      case WALRecordKind.Log.shutdownCheckpoint, WALRecordKind.Log.onlineCheckpoint:
        return .checkpoint(
          Checkpoint(
            try mainData(atLeast: Checkpoint.byteCount).extracting(0..<Checkpoint.byteCount)))
      case WALRecordKind.Log.parameterChange:
        return .parameterChange(
          MinimumSettings(decoding: try mainData(atLeast: MinimumSettings.byteCount)))
      default: return nil
      }
    case .transaction:
      guard info & WALRecordKind.Transaction.hasMore != 0,
        WALRecordKind.Transaction.ends.contains(info & WALRecordKind.Transaction.mask)
      else { return nil }
      return try relationRemoval()
    case .storage:
      switch kind {
      case WALRecordKind.Storage.creation:
        return .relationCreation(WALChange.Relation(try mainData(atLeast: 16)))
      case WALRecordKind.Storage.truncation:
        return .truncation(WALChange.Truncation(try mainData(atLeast: 20)))
      default: return nil
      }
    case .database:
      switch kind {
      case WALRecordKind.Database.fileCopy:
        return .databaseCopy(WALChange.DatabaseCopy(try mainData(atLeast: 16)))
      case WALRecordKind.Database.drop(version): return try databaseRemoval()
      default: return nil
      }
    case .tablespace:
      guard kind == WALRecordKind.Tablespace.creation else { return nil }
      let data = try mainData(atLeast: 5)
      let location = data.extracting(4..<data.byteCount).array.prefix { $0 != 0 }
      return .tablespaceCreation(id: data.littleEndian(at: 0), location: Array(location))
    default: return nil
    }
  }

  /// What the end of a transaction removes; nil for nothing.
  private func relationRemoval() throws(FormatError) -> WALChange? {
    let end = try transactionEnd()
    guard !end.removed.isEmpty else { return nil }
    return .relationRemoval(
      stride(from: end.removed.lowerBound, to: end.removed.upperBound, by: 12).map { start in
        WALChange.Relation(mainData.extracting(start..<start + 12))
      })
  }

  /// Gives the ids of the transaction that the record commits and of those below it; none of other
  /// records, and of the commit of a prepared transaction.
  ///
  /// - Throws: `damaged` if the record is too short for its kind.
  public func forEachCommittedTransaction(_ body: (UInt32) -> Void) throws(FormatError) {
    guard resourceManager == .transaction,
      info & WALRecordKind.Transaction.mask == WALRecordKind.Transaction.commit
    else { return }
    body(transactionID)
    guard info & WALRecordKind.Transaction.hasMore != 0 else { return }
    let list = try transactionEnd().committed
    for start in stride(from: list.lowerBound, to: list.upperBound, by: 4) {
      body(mainData.littleEndian(at: start))
    }
  }

  /// Where the lists are in the record of a transaction's end that has more than a time.
  /// (`src/backend/access/rmgrdesc/xactdesc.c`, `ParseCommitRecord`)
  private func transactionEnd() throws(FormatError) -> (
    committed: Range<Int>, removed: Range<Int>
  ) {
    let data = try mainData(atLeast: 12)
    let contents: UInt32 = data.littleEndian(at: 8)
    var offset = 12
    /// The next list, whose count comes first, of entries of so many bytes.
    func list(of byteCount: Int) throws(FormatError) -> Range<Int> {
      guard data.byteCount >= offset + 4 else { throw tooShort }
      let count = Int(data.littleEndian(at: offset, as: UInt32.self))
      guard count <= (data.byteCount - offset - 4) / byteCount else { throw tooShort }
      let start = offset + 4
      offset = start + byteCount * count
      return start..<offset
    }
    if contents & 1 != 0 { offset += 8 }  // database and tablespace
    let committed = contents & 2 != 0 ? try list(of: 4) : 0..<0
    return (committed, contents & 4 != 0 ? try list(of: 12) : 0..<0)
  }

  private func databaseRemoval() throws(FormatError) -> WALChange {
    let data = try mainData(atLeast: 8)
    let count = Int(data.littleEndian(at: 4, as: UInt32.self))
    guard count <= (data.byteCount - 8) / 4 else { throw tooShort }
    return .databaseRemoval(
      databaseID: data.littleEndian(at: 0),
      tablespaceIDs: (0..<count).map { data.littleEndian(at: 8 + 4 * $0) })
  }

  @_lifetime(copy self)
  private func mainData(atLeast byteCount: Int) throws(FormatError) -> RawSpan {
    guard mainData.byteCount >= byteCount else { throw tooShort }
    return mainData
  }

  private var tooShort: FormatError {
    .damaged(
      "the WAL record at \(start) is too short for its kind (resource manager "
        + "\(resourceManager.rawValue), info \(info.hexadecimal(2)), \(mainData.byteCount) bytes)")
  }
}

extension WALChange.Relation {
  fileprivate init(_ data: RawSpan) {
    tablespaceID = data.littleEndian(at: 0)
    databaseID = data.littleEndian(at: 4)
    relationNumber = data.littleEndian(at: 8)
  }
}

extension WALChange.Truncation {
  fileprivate init(_ data: RawSpan) {
    block = data.littleEndian(at: 0)
    tablespaceID = data.littleEndian(at: 4)
    databaseID = data.littleEndian(at: 8)
    relationNumber = data.littleEndian(at: 12)
    forks = Forks(rawValue: data.littleEndian(at: 16))
  }
}

extension WALChange.DatabaseCopy {
  fileprivate init(_ data: RawSpan) {
    databaseID = data.littleEndian(at: 0)
    tablespaceID = data.littleEndian(at: 4)
    sourceDatabaseID = data.littleEndian(at: 8)
    sourceTablespaceID = data.littleEndian(at: 12)
  }
}
