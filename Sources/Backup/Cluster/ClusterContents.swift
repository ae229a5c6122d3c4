import LayerFormat
import PostgresFormat

/// What a backup holds besides pages, as its members say it.
///
/// Filled while the backup streams; `ClusterAssessment` says at the end what
/// kind of backup it was and whether it is whole. `Cluster` is made of both.
package struct ClusterContents: Sendable {
  /// The decoded `global/pg_control`; nil until it is read.
  package var controlFile: ControlFile?
  /// What each `PG_VERSION` says; nil for the one at the top.
  var versions: [UInt32?: PostgresVersion] = [:]
  /// What `neon.signal` or `zenith.signal` says; nil in a backup that no pageserver made.
  package var signal: NeonSignal?
  /// Each database that has a file: its relation map if it has one; 0 for the shared relations.
  package var databases: [UInt32: [UInt8]?] = [:]
  var sharedCatalogs = SharedCatalogs()
  /// The blocks of each SLRU segment.
  package var slruSegments: [SLRUKind: [UInt32: UInt32]] = [:]
  /// Prepared transactions by id.
  package var twoPhaseFiles: [UInt64: PreparedTransaction] = [:]
  /// Two-phase files that contained their checksum twice, which is repaired.
  package var mendedTwoPhaseFileCount = 0
  /// The bytes of `pg_stat/pgstat.stat`; nil if the backup has none, or one too large to keep.
  package var statistics: [UInt8]?
  /// The decoded `pg_logical/replorigin_checkpoint`; nil if the backup has none.
  package var replicationOrigins: ReplicationOrigins?
  /// The files that are not stored in a timeline, by reason.
  package var leftOut = LeftOutTally()
  /// What the backup's own settings say about a recovery.
  package var recoverySettings = OwnRecoverySettings()
  /// What the names of other members say of the backup.
  package var clues = BackupClues()
  /// Files in Postgres's directories that Postgres does not write there.
  package var unexpectedFiles = UnexpectedFiles()
  /// Members whose names begin with a slash, which is dropped.
  package var absoluteNameCount = 0

  /// What was refused and passed over, which therefore is not missing. Only a reader that collects
  /// refusals goes on after one.
  private(set) var refused = Refused()

  /// Members that were refused.
  struct Refused: Sendable {
    var controlFile = false
    /// Each `PG_VERSION`; nil for the one at the top.
    var versions: Set<UInt32?> = []
    var segments: [RelationSegment] = []
  }

  /// A prepared transaction's file.
  package struct PreparedTransaction: Sendable {
    /// The digits of the file's name, which must fit the version.
    var nameDigitCount: Int
    /// The decoded file, its checksum verified.
    package var file: TwoPhaseFile
    /// The file without its CRC.
    package var stored: [UInt8]
  }

  /// Remembers a member that was refused.
  mutating func noteRefused(_ decision: MemberDecision) {
    switch decision {
    case .controlFile: refused.controlFile = controlFile == nil
    case .versionFile(let databaseID):
      if versions[databaseID] == nil { refused.versions.insert(databaseID) }
    case .relationSegment(let segment):
      addDatabase(segment.databaseID)
      refused.segments.append(segment)
    case .slruSegment(let kind, let number):
      if slruSegments[kind]?[number] == nil {
        slruSegments[kind, default: [:]][number] = UInt32(SLRUKind.pagesPerSegment)
      }
    default: break
    }
  }

  /// The pages of the SLRUs and of these relations, which are all.
  package func pageCount(with relations: [Cluster.Relation]) -> UInt64 {
    relations.reduce(0) { $0 + UInt64($1.blockCount) }
      + slruSegments.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + UInt64($1) } }
  }

  /// Whether enough of the backup was taken to judge the whole.
  package var canBeAssessed: Bool { !refused.controlFile && !refused.versions.contains(nil) }

  /// Adds the segments that were refused to those that were taken, as if they were full.
  package func addRefused(to segments: inout SegmentTable) {
    for segment in refused.segments {
      segments.add(
        segment, blockCount: RelationSegment.blockCount,
        highestLSN: LogSequenceNumber(rawValue: 0), block: 0, isNew: true)
    }
  }

  /// The file of `pg_attribute` in each database whose map has been read.
  private var attributeFiles: [UInt32: UInt32] = [:]

  /// Keeps a database's map, as it is: it is checked at the end.
  mutating func addRelationMap(_ bytes: [UInt8], ofDatabase databaseID: UInt32) {
    databases[databaseID] = bytes
    attributeFiles[databaseID] = RelationMapFile.relationNumber(
      of: RelationMapFile.attributeCatalog, in: bytes.bytes)
  }

  /// Whether a segment may be one of `pg_attribute`: it is, if the map of its database has been read;
  /// before that, a rewritten catalog may have any number that a user's table has.
  func mayHoldColumns(_ segment: RelationSegment) -> Bool {
    Self.mayHoldColumns(segment, catalog: attributeFiles[segment.databaseID])
  }

  /// The same with the file of its database's `pg_attribute`; nil if that is not known.
  static func mayHoldColumns(_ segment: RelationSegment, catalog: UInt32?) -> Bool {
    guard segment.fork == .main, segment.databaseID != 0 else { return false }
    if let catalog { return segment.relationNumber == catalog }
    return segment.relationNumber == RelationMapFile.attributeCatalog
      || segment.relationNumber >= RelationSegment.firstUserNumber
  }

  /// How many databases have one of these relations as their `pg_attribute`; for when all maps have
  /// been read.
  package func databaseCount(withColumnsIn relations: Set<RelationForkID>) -> Int {
    relations.count { attributeFiles[$0.databaseID] == $0.relationNumber }
  }

  /// The names of databases whose `DROP DATABASE` was interrupted, by oid.
  package func invalidDatabases(_ version: PostgresVersion) -> [String] {
    guard case .some(.some(let map)) = databases[0],
      let number = RelationMapFile.relationNumber(
        of: RelationMapFile.databaseCatalog, in: map.bytes)
    else { return [] }
    return sharedCatalogs.rows(in: number, version: version)
      .filter(\.isInvalidDatabase).map(\.name)
  }

  mutating func addDatabase(_ databaseID: UInt32) {
    if databases[databaseID] == nil { databases[databaseID] = .some(nil) }
  }

  /// Whether the database has a relation map already.
  package func hasRelationMap(_ databaseID: UInt32) -> Bool {
    if case .some(.some) = databases[databaseID] { return true }
    return false
  }
}

/// The pages of the small relations in `global`: `pg_database` and `pg_tablespace` are among them.
///
/// Which files these two are is known only when the relation map has been read, which may come
/// after them. Memory: 8 MiB at most; what does not fit is not looked at.
struct SharedCatalogs: Sendable {
  private var files: [UInt32: [UInt8]] = [:]
  private var byteCount = 0

  /// The largest file that is kept: some 6,000 databases.
  private static let fileLimit: UInt64 = 2 << 20
  private static let limit = 8 << 20

  /// Whether a file of this length, whole pages, is one that may have to be looked at.
  static func mayInclude(_ segment: RelationSegment, byteCount: UInt64) -> Bool {
    segment.databaseID == 0 && segment.fork == .main && segment.segmentNumber == 0
      && byteCount <= fileLimit && byteCount.isMultiple(of: UInt64(PageHeader.pageByteCount))
  }

  /// Keeps the bytes of a relation's file, unless they exceed what is left of the 8 MiB.
  package mutating func add(_ relationNumber: UInt32, _ bytes: [UInt8]) {
    guard byteCount + bytes.count <= Self.limit else { return }
    byteCount += bytes.count
    files[relationNumber] = bytes
  }

  /// The rows of one of the two catalogs that certainly are visible, by oid; none if its file was
  /// not kept.
  package func rows(in relationNumber: UInt32, version: PostgresVersion) -> [CatalogRow] {
    possibleRows(in: relationNumber, version: version).filter(\.isCertain)
  }

  /// The same, and those that may be visible.
  func possibleRows(in relationNumber: UInt32, version: PostgresVersion) -> [CatalogRow] {
    guard let bytes = files[relationNumber] else { return [] }
    let pageByteCount = PageHeader.pageByteCount
    var rows: [CatalogRow] = []
    for start in stride(from: 0, to: bytes.count, by: pageByteCount) {
      rows += CatalogRow.possible(
        on: bytes.bytes.extracting(start..<start + pageByteCount), version: version)
    }
    return rows.sorted { $0.oid < $1.oid }
  }
}

/// Files that were left out for one reason.
public struct LeftOutFiles: Codable, Sendable {
  /// The code of the reason.
  public var code: LeftOutReason
  /// The reason, in words: `write-ahead log`, `configuration`.
  public var reason: String
  /// How many files.
  public var fileCount: Int
  /// Their length together.
  public var byteCount: UInt64
  /// Up to eight of the names, in the order of the backup, control characters escaped.
  public var names: [String]

  /// Files of the given number, length and names.
  public init(
    _ reason: LeftOutReason, fileCount: Int = 0, byteCount: UInt64 = 0, names: [String] = []
  ) {
    code = reason
    self.reason = reason.words
    self.fileCount = fileCount
    self.byteCount = byteCount
    self.names = names
  }
}

/// What was left out on purpose, by reason.
package struct LeftOutTally: Sendable {
  private var entries: [LeftOutReason: LeftOutFiles] = [:]
  /// The replication slots among it, sorted.
  package private(set) var slots: Set<String> = []

  /// Nothing has been left out yet.
  package init() {}

  /// How many names are kept for each reason.
  package static let namesShown = 8

  /// Counts a file of `byteCount` bytes; `name` is escaped, and kept if it is one of the first.
  package mutating func add(_ name: String, byteCount: UInt64, reason: LeftOutReason) {
    var entry = entries[reason] ?? LeftOutFiles(reason)
    entry.fileCount += 1
    entry.byteCount &+= byteCount
    if entry.names.count < Self.namesShown { entry.names.append(name) }
    entries[reason] = entry
  }

  /// Adds a replication slot by its escaped name; a name that was added before changes nothing.
  package mutating func addSlot(_ name: String) {
    slots.insert(name)
  }

  /// One entry a reason, sorted by the reason's words.
  package var summary: [LeftOutFiles] {
    entries.values.sorted { $0.reason < $1.reason }
  }
}
