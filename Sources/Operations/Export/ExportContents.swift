import Backup
import LayerFormat
import PostgresFormat

/// Everything of a timeline but its pages: what there is, how large it is, and the small files.
///
/// Taken in key order, as the layers have it. Memory: 16 bytes a relation fork, and the values of
/// the small files. What no directory names does not exist, as to a pageserver.
struct ExportContents: Sendable {
  /// A database that has files; 0 stands for the shared relations.
  struct Database: Sendable {
    var id: UInt32
    var relationMap: [UInt8]?
    var hasRelations = false
  }

  /// A fork of a relation and its blocks.
  struct Relation: Sendable {
    var id: RelationForkID
    var blockCount: UInt32
  }

  struct SLRUSegment: Sendable {
    var kind: SLRUKind
    var number: UInt32
    var blockCount: UInt32
  }

  let version: PostgresVersion
  private(set) var databases: [Database] = []
  /// Every fork, in the order of the keys.
  private(set) var relations: [Relation] = []
  /// In the order of the keys.
  private(set) var slruSegments: [SLRUSegment] = []
  /// Prepared transactions as the timeline stores them, in ascending order of their ids.
  private(set) var twoPhaseFiles: [(id: UInt64, stored: [UInt8])] = []
  private(set) var controlFile: [UInt8] = []
  private(set) var checkpoint: [UInt8] = []
  private(set) var statistics: [UInt8]?
  private(set) var origins = ReplicationOrigins([])

  /// The bytes that small files may have together, as many as an import lets them have.
  private static let smallFileLimit = Int(MemberReader.smallFileLimit)
  private var smallFileByteCount = 0
  /// Where each database stands in `databases`.
  private var databaseIndexes: [UInt32: Int] = [:]

  /// The blocks that an init fork may have, for it is kept in memory until its copy is written. Real
  /// ones have a handful.
  private static let initialisationForkLimit: UInt32 = 2048

  /// What directories have named and sizes are still to come for, in the order of the keys.
  private var expectedRelations: ArraySlice<RelationForkID> = []
  private var expectedSegments: ArraySlice<UInt32> = []
  private var expectedTransactions: ArraySlice<UInt64> = []
  private var missingDirectories: Set<KeyMeaning>

  init(version: PostgresVersion) {
    self.version = version
    missingDirectories = [.databaseDirectory, .twoPhaseDirectory, .controlFile, .checkpoint]
    for kind in SLRUKind.allCases { missingDirectories.insert(.slruDirectory(kind)) }
  }

  /// Takes the next value; keys must ascend, and those of pages are ignored.
  mutating func take(_ key: Key, _ value: RawSpan) throws(FormatError) {
    guard let meaning = key.meaning else { return }
    missingDirectories.remove(meaning)
    switch meaning {
    case .databaseDirectory: try takeDatabases(value)
    case .relationMap(let id):
      let map = try kept(value)
      setDatabase(id) { $0.relationMap = map }
    case .relationDirectory(let id): try takeRelations(of: id, value)
    case .relationSize(let id): try takeSize(of: id, value)
    case .slruDirectory:
      try requireAllSizes()
      expectedSegments = try DirectoryValue.decodeSegments(value).sorted()[...]
    case .slruSegmentSize(let kind, let segment):
      try takeSize(of: kind, segment, value)
    case .twoPhaseDirectory:
      try requireAllSizes()
      expectedTransactions = try DirectoryValue.decodeTransactions(
        value, version: version
      ).sorted()[...]
    case .twoPhaseFile(let id): try takeTwoPhaseFile(id, value)
    case .controlFile: controlFile = try kept(value)
    case .checkpoint: checkpoint = try kept(value)
    case .statisticsFile:
      let stored = try kept(value)
      statistics = try AuxiliaryFile.decodeStatistics(stored.bytes)
    case .replicationOrigin(let id): try takeOrigin(id, value)
    case .relationBlock, .slruBlock: break
    }
  }

  /// Checks that nothing is missing.
  func requireComplete() throws(FormatError) {
    if let key = missingDirectories.map({ Key($0) }).min() {
      throw .damaged("key \(key) is missing")
    }
    try requireAllSizes()
    if let id = expectedTransactions.first {
      throw .damaged("the two-phase file of transaction \(id) is missing")
    }
    guard checkpoint.count == Checkpoint.byteCount else {
      throw .damaged("the checkpoint has \(checkpoint.count) bytes")
    }
  }

  /// A value that stays in memory until it is written.
  private mutating func kept(_ value: RawSpan) throws(FormatError) -> [UInt8] {
    smallFileByteCount += value.byteCount
    guard smallFileByteCount <= Self.smallFileLimit else {
      throw .unsupported(
        "the small files have more than \(Self.smallFileLimit >> 20) MiB together")
    }
    return value.array
  }

  private mutating func takeDatabases(_ value: RawSpan) throws(FormatError) {
    databases = try DirectoryValue.decodeDatabases(value)
      .map { Database(id: $0.id, relationMap: $0.hasRelationMap ? [] : nil) }
      .sorted {
        (Tablespace.id(ofDatabase: $0.id), $0.id) < (Tablespace.id(ofDatabase: $1.id), $1.id)
      }
    for (index, database) in databases.enumerated() {
      guard databaseIndexes.updateValue(index, forKey: database.id) == nil else {
        throw .damaged("the database directory lists database \(database.id) twice")
      }
      missingDirectories.insert(.relationDirectory(databaseID: database.id))
      if database.relationMap != nil {
        missingDirectories.insert(.relationMap(databaseID: database.id))
      }
    }
  }

  private mutating func setDatabase(_ id: UInt32, _ change: (inout Database) -> Void) {
    guard let index = databaseIndexes[id] else { return }
    change(&databases[index])
  }

  private mutating func takeRelations(of id: UInt32, _ value: RawSpan) throws(FormatError) {
    try requireAllSizes()
    guard databaseIndexes[id] != nil else { return }
    let forks = try DirectoryValue.decodeRelations(value, databaseID: id).sorted()
    expectedRelations = forks[...]
    setDatabase(id) { $0.hasRelations = !forks.isEmpty }
  }

  private mutating func takeSize(of id: RelationForkID, _ value: RawSpan) throws(FormatError) {
    guard let next = expectedRelations.first, next <= id else { return }
    guard next == id else { throw .damaged("the size of '\(next)' is missing") }
    expectedRelations.removeFirst()
    let blockCount = try Self.size(value)
    guard id.fork != .initialisation || blockCount <= Self.initialisationForkLimit else {
      throw .damaged("'\(id)' has \(blockCount) blocks, too many for an init fork")
    }
    relations.append(Relation(id: id, blockCount: blockCount))
  }

  private mutating func takeSize(
    of kind: SLRUKind, _ segment: UInt32, _ value: RawSpan
  ) throws(FormatError) {
    guard let next = expectedSegments.first, next <= segment else { return }
    guard next == segment else { throw missingSize(of: kind, next) }
    expectedSegments.removeFirst()
    let blockCount = try Self.size(value)
    guard blockCount <= UInt32(SLRUKind.pagesPerSegment) else {
      throw .damaged("segment \(segment) of '\(kind.directory)' has \(blockCount) blocks")
    }
    slruSegments.append(SLRUSegment(kind: kind, number: segment, blockCount: blockCount))
  }

  private mutating func takeTwoPhaseFile(_ id: UInt64, _ value: RawSpan) throws(FormatError) {
    guard let next = expectedTransactions.first, next <= id else { return }
    guard next == id else {
      throw .damaged("the two-phase file of transaction \(next) is missing")
    }
    expectedTransactions.removeFirst()
    twoPhaseFiles.append((id, try kept(value)))
  }

  private mutating func takeOrigin(_ id: UInt16, _ value: RawSpan) throws(FormatError) {
    guard value.byteCount == 8 else {
      throw .damaged("the LSN of replication origin \(id) has \(value.byteCount) bytes")
    }
    origins.origins.append(
      .init(origin: id, remoteLSN: LogSequenceNumber(rawValue: value.bigEndian(at: 0))))
  }

  private func requireAllSizes() throws(FormatError) {
    if let id = expectedRelations.first { throw .damaged("the size of '\(id)' is missing") }
    if let segment = expectedSegments.first {
      throw .damaged("the size of SLRU segment \(segment) is missing")
    }
  }

  private func missingSize(of kind: SLRUKind, _ segment: UInt32) -> FormatError {
    .damaged("the size of segment \(segment) of '\(kind.directory)' is missing")
  }

  private static func size(_ value: RawSpan) throws(FormatError) -> UInt32 {
    guard value.byteCount == 4 else { throw .damaged("a size has \(value.byteCount) bytes") }
    return value.littleEndian(at: 0)
  }
}
