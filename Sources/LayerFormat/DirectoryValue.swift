import PostgresFormat

/// The values that list what exists: databases, relations, SLRU segments, prepared transactions.
///
/// ```
/// u64 count, then each entry:
///   databases      u32 tablespace, u32 database, u8 1 if it has a pg_filenode.map
///   relations      u32 relation file number, u8 fork
///   SLRU segments  u32 segment
///   two-phase      u32 transaction (u64 from Postgres 17 on)
/// ```
///
/// Big-endian. The lists are sets, written sorted. (Neon, `pageserver/src/pgdatadir_mapping.rs`;
/// Docs/format.md, Values)
public enum DirectoryValue {
  /// One database of the database directory.
  public struct Database: Hashable, Sendable {
    /// The database's oid, 0 for the shared relations.
    public var id: UInt32
    /// Whether it has a `pg_filenode.map`.
    public var hasRelationMap: Bool

    /// A database of these properties.
    public init(id: UInt32, hasRelationMap: Bool) {
      self.id = id
      self.hasRelationMap = hasRelationMap
    }
  }

  // Limits, so that readers need a bounded amount of memory.

  /// More databases than any cluster has.
  private static let databaseLimit = 1 << 20
  /// The members of 2^32 multixacts take 82,041 segments of 32 pages; no other SLRU has more.
  /// (Postgres, `src/backend/access/transam/multixact.c`)
  private static let segmentLimit = 1 << 17
  /// `max_prepared_transactions` goes up to `MAX_BACKENDS`. (Postgres,
  /// `src/include/postmaster/postmaster.h`)
  private static let transactionLimit = 1 << 18

  /// Encodes the database directory from databases in the order of their keys.
  public static func encode(databases: [Database]) -> [UInt8] {
    var bytes = header(count: databases.count, entryByteCount: 9)
    for database in databases {
      bytes.appendBigEndian(Tablespace.id(ofDatabase: database.id))
      bytes.appendBigEndian(database.id)
      bytes.append(database.hasRelationMap ? 1 : 0)
    }
    return bytes
  }

  /// The databases in the order of the list.
  public static func decodeDatabases(_ bytes: RawSpan) throws(FormatError) -> [Database] {
    let count = try count(
      in: bytes, entryByteCount: 9, limit: databaseLimit, subject: "database directory")
    var databases: [Database] = []
    for offset in stride(from: 8, to: 8 + 9 * count, by: 9) {
      let id: UInt32 = bytes.bigEndian(at: offset + 4)
      guard bytes.bigEndian(at: offset) == Tablespace.id(ofDatabase: id) else {
        throw .damaged("the database directory contains an unknown tablespace")
      }
      let flag: UInt8 = bytes.bigEndian(at: offset + 8)
      guard flag <= 1 else { throw .damaged("the database directory contains the flag \(flag)") }
      databases.append(Database(id: id, hasRelationMap: flag == 1))
    }
    return databases
  }

  /// Encodes a relation directory from `count` forks in the order of their keys.
  public static func encode(
    relationCount count: Int, _ relations: some Sequence<RelationForkID>
  ) -> [UInt8] {
    var bytes = header(count: count, entryByteCount: 5)
    for relation in relations {
      bytes.appendBigEndian(relation.relationNumber)
      bytes.append(relation.fork.rawValue)
    }
    precondition(bytes.count == 8 + 5 * count, "the number of forks does not match the count")
    return bytes
  }

  /// The forks of a database's relations in the order of the list.
  public static func decodeRelations(
    _ bytes: RawSpan, databaseID: UInt32
  ) throws(FormatError) -> [RelationForkID] {
    let count = try count(
      in: bytes, entryByteCount: 5, limit: .max, subject: "relation directory")
    var relations: [RelationForkID] = []
    relations.reserveCapacity(count)
    for offset in stride(from: 8, to: 8 + 5 * count, by: 5) {
      let number: UInt32 = bytes.bigEndian(at: offset)
      guard number != 0 else { throw .damaged("a relation directory contains relation 0") }
      guard let fork = RelationFork(rawValue: bytes.bigEndian(at: offset + 4)) else {
        throw .damaged("a relation directory contains an unknown fork")
      }
      relations.append(
        RelationForkID(
          databaseID: databaseID, relationNumber: number, fork: fork))
    }
    return relations
  }

  /// Encodes an SLRU's directory from segment numbers in ascending order.
  public static func encode(segments: [UInt32]) -> [UInt8] {
    var bytes = header(count: segments.count, entryByteCount: 4)
    for segment in segments { bytes.appendBigEndian(segment) }
    return bytes
  }

  /// The segment numbers of an SLRU in the order of the list.
  public static func decodeSegments(_ bytes: RawSpan) throws(FormatError) -> [UInt32] {
    let count = try count(
      in: bytes, entryByteCount: 4, limit: segmentLimit, subject: "SLRU directory")
    return (0..<count).map { bytes.bigEndian(at: 8 + 4 * $0) }
  }

  /// Encodes the two-phase directory from transaction ids in ascending order.
  ///
  /// Before version 17, ids have no upper half.
  public static func encode(transactions: [UInt64], version: PostgresVersion) -> [UInt8] {
    var bytes = header(count: transactions.count, entryByteCount: width(version))
    for transaction in transactions {
      if version >= .v17 {
        bytes.appendBigEndian(transaction)
      } else {
        bytes.appendBigEndian(UInt32(truncatingIfNeeded: transaction))
      }
    }
    return bytes
  }

  /// The ids of the prepared transactions in the order of the list.
  public static func decodeTransactions(
    _ bytes: RawSpan, version: PostgresVersion
  ) throws(FormatError) -> [UInt64] {
    let width = width(version)
    let count = try count(
      in: bytes, entryByteCount: width, limit: transactionLimit, subject: "two-phase directory")
    let transactions = (0..<count).map { index in
      version >= .v17
        ? bytes.bigEndian(at: 8 + width * index)
        : UInt64(bytes.bigEndian(at: 8 + width * index, as: UInt32.self))
    }
    // Its file would have the directory's key.
    guard !transactions.contains(0) else {
      throw .damaged("the two-phase directory contains transaction 0")
    }
    return transactions
  }

  private static func width(_ version: PostgresVersion) -> Int { version >= .v17 ? 8 : 4 }

  private static func header(count: Int, entryByteCount: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + count * entryByteCount)
    bytes.appendBigEndian(UInt64(count))
    return bytes
  }

  /// The number of entries, which must use up every byte.
  private static func count(
    in bytes: RawSpan, entryByteCount: Int, limit: Int, subject: String
  ) throws(FormatError) -> Int {
    guard bytes.byteCount >= 8, (bytes.byteCount - 8) % entryByteCount == 0,
      bytes.bigEndian(at: 0, as: UInt64.self) == UInt64((bytes.byteCount - 8) / entryByteCount)
    else {
      throw .damaged("the count of the \(subject) does not match its \(bytes.byteCount) bytes")
    }
    let count = (bytes.byteCount - 8) / entryByteCount
    guard count <= limit else {
      throw .damaged("the \(subject) has \(count) entries, more than \(limit)")
    }
    return count
  }
}

/// The value of a small file and its path: only the cumulative statistics are stored this way.
///
/// ```
/// u8 1, u32 length of the path, the path, u32 length of the contents, the contents
/// ```
///
/// Big-endian. (Neon, `pageserver/src/aux_file.rs`; Docs/format.md, Values)
public enum AuxiliaryFile {
  /// The path of the cumulative statistics in a data directory, from Postgres 15 on.
  public static let statisticsPath = "pg_stat/pgstat.stat"

  private static let version: UInt8 = 1

  /// The value for a statistics file with these contents.
  public static func encodeStatistics(_ contents: [UInt8]) -> [UInt8] {
    var bytes = [version]
    bytes.appendBigEndian(UInt32(statisticsPath.utf8.count))
    bytes += statisticsPath.utf8
    bytes.appendBigEndian(UInt32(contents.count))
    bytes += contents
    return bytes
  }

  /// The contents of the statistics file; throws if the value is anything else.
  public static func decodeStatistics(_ value: RawSpan) throws(FormatError) -> [UInt8] {
    let header = encodeStatistics([])
    guard value.byteCount >= header.count,
      value.extracting(0..<header.count - 4).array == Array(header.dropLast(4)),
      Int(value.bigEndian(at: header.count - 4, as: UInt32.self)) == value.byteCount - header.count
    else { throw .damaged("the value of the statistics file is malformed") }
    return value.extracting(header.count..<value.byteCount).array
  }
}
