import PostgresFormat

/// What a cluster holds besides pages, in the terms of a timeline: what an import writes and an
/// export reads.
///
/// All lists are in the order of the keys, each element once. Memory: 16 bytes a relation fork, and
/// the small files.
public struct Cluster: Equatable, Sendable {
  /// A database that has files; 0 stands for the shared relations.
  public struct Database: Equatable, Sendable {
    /// The database's oid.
    public var id: UInt32
    /// Its `pg_filenode.map`; nil if it has none, as a directory left behind by a crash.
    public var relationMap: [UInt8]?

    /// A database of these properties.
    public init(id: UInt32, relationMap: [UInt8]?) {
      self.id = id
      self.relationMap = relationMap
    }
  }

  /// A relation fork and its size: 16 bytes.
  public struct Relation: Equatable, Sendable {
    /// Which fork it is.
    public var id: RelationForkID
    /// The blocks of all its segments.
    public var blockCount: UInt32

    /// A fork of this size.
    public init(id: RelationForkID, blockCount: UInt32) {
      self.id = id
      self.blockCount = blockCount
    }
  }

  /// A segment of an SLRU and its size.
  public struct SLRUSegment: Equatable, Sendable {
    /// Which SLRU it belongs to.
    public var kind: SLRUKind
    /// The segment's number, which is its file's name.
    public var number: UInt32
    /// Its blocks, 32 at most.
    public var blockCount: UInt32

    /// A segment of this size.
    public init(kind: SLRUKind, number: UInt32, blockCount: UInt32) {
      self.kind = kind
      self.number = number
      self.blockCount = blockCount
    }
  }

  /// The state of a prepared transaction.
  public struct PreparedTransaction: Equatable, Sendable {
    /// The transaction's id, with its epoch from Postgres 17 on.
    public var id: UInt64
    /// Its two-phase file as a timeline stores it: without its CRC.
    public var stored: [UInt8]

    /// A transaction of this state.
    public init(id: UInt64, stored: [UInt8]) {
      self.id = id
      self.stored = stored
    }
  }

  /// The bytes that small files (maps, prepared transactions, origins) may have together, for they
  /// are kept in memory.
  public static let smallFileLimit = 32 << 20

  /// The major version of Postgres.
  public var version: PostgresVersion
  /// The databases that have files.
  public var databases: [Database] = []
  /// Every fork of every relation.
  public var relations: [Relation] = []
  /// Every segment of the SLRUs.
  public var slruSegments: [SLRUSegment] = []
  /// The prepared transactions.
  public var preparedTransactions: [PreparedTransaction] = []
  /// `pg_control` as a timeline stores it.
  public var controlFile: [UInt8] = []
  /// The checkpoint that the timeline begins with, `Checkpoint.byteCount` bytes.
  public var checkpoint: [UInt8] = []
  /// The contents of `pg_stat/pgstat.stat`; nil if the cluster has no such file.
  public var statistics: [UInt8]?
  /// How far replication origins have come.
  public var replicationOrigins = ReplicationOrigins([])

  /// A cluster that holds nothing yet.
  public init(version: PostgresVersion) { self.version = version }

  /// The forks of a database's relations, found by halving.
  public func relations(ofDatabase id: UInt32) -> ArraySlice<Relation> {
    let order = Self.order(ofDatabase: id)
    let start = firstRelation { Self.order(ofDatabase: $0.id.databaseID) >= order }
    let end = firstRelation { Self.order(ofDatabase: $0.id.databaseID) > order }
    return relations[start..<end]
  }

  /// The index of the first relation beyond a point in the order of the keys.
  private func firstRelation(that isBeyond: (Relation) -> Bool) -> Int {
    var range = relations.indices
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range =
        isBeyond(relations[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }

  /// The order of databases in the key space: the shared relations, of database 0, come last.
  public static func order(ofDatabase id: UInt32) -> UInt64 {
    UInt64(Tablespace.id(ofDatabase: id)) << 32 | UInt64(id)
  }
}

extension Cluster {
  /// Puts the times of another control file of the cluster into this one and its checkpoint: of two
  /// recoveries of a backup, they are what differs.
  package mutating func takeTimes(of control: ControlFile) {
    guard let own = try? ControlFile(decoding: controlFile.bytes),
      checkpoint.count == Checkpoint.byteCount
    else { return }
    controlFile = own.encoded(withTimesOf: control)
    var begin = Checkpoint(checkpoint.bytes)
    begin.time = control.checkpointCopy.time
    checkpoint = begin.bytes
  }
}
