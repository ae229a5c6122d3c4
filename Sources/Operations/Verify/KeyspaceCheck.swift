import LayerFormat
import Pipeline
import PostgresFormat

/// Thinks as a pageserver does: what the directories list must be there, each key with exactly one
/// value, and nothing else.
///
/// ```
/// database directory
///   per database    relation map, relation directory
///     per fork      block 0 … n - 1, size n
/// SLRU directory    per segment: block 0 … n - 1, size n      three times
/// two-phase directory, two-phase files
/// control file, checkpoint, statistics, replication origins
/// ```
///
/// Takes values in key order, in which each list comes before what it lists and each size behind
/// its blocks: so it streams. Memory: the lists of one database and of the databases.
struct KeyspaceCheck {
  let index: IndexPart.Metadata
  var findings: Findings
  private var seen: Set<Key> = []

  // Each list is unknown until its key has been read.
  private var databases = Checklist<Key>.unknown
  private var relations = Checklist<RelationForkID>.unknown
  private var databaseID: UInt32?
  private var segments = Checklist<Key>.unknown
  private var transactions = Checklist<UInt64>.unknown
  /// The prepared transactions; nil where they cannot be known.
  var transactionIDs: [UInt64]?
  var controlFile: ControlFile?
  private var run: PageRun?

  /// The relation fork or SLRU segment that the walk is in.
  private struct PageRun {
    /// The key of its size.
    var sizeKey: Key
    var nextBlock: UInt64 = 0
  }

  /// Keys that always exist, even where they list nothing.
  private static let required: [KeyMeaning] =
    [.databaseDirectory] + SLRUKind.allCases.map { .slruDirectory($0) }
    + [.twoPhaseDirectory, .controlFile, .checkpoint]

  init(_ index: IndexPart.Metadata, findings: Findings) {
    self.index = index
    self.findings = findings
  }

  /// Takes the next key.
  mutating func take(_ entry: ValueBatch.Entry) {
    let value = entry.value
    guard let meaning = entry.meaning else {
      findings.add("key \(value.key) in layer '\(value.layer.fileName)' means nothing")
      return
    }
    if value.shadowedCount > 0 {
      findings.add(about: meaning, "\(meaning.words) has \(value.shadowedCount + 1) values")
    }
    if !value.isReachable {
      findings.add(
        about: meaning,
        "\(meaning.words) is hidden by an image layer that covers its key and does not have it")
    }
    var bytes: [UInt8]?
    switch entry.outcome {
    case .damaged(let reason):
      findings.add(
        about: meaning, "\(meaning.words) in layer '\(value.layer.fileName)': \(reason)")
    case .record: findings.add(about: meaning, "\(meaning.words) is a WAL record")
    case .value(let value): bytes = value
    case .page, .unread: break
    }
    if !meaning.isPage, let lsn = value.stored.entry.lsn, lsn != index.initdbLSN {
      findings.add(
        about: meaning, "\(meaning.words) stands at LSN \(lsn), not at that of the import")
    }
    take(meaning, value.key, bytes)
  }

  private mutating func take(_ meaning: KeyMeaning, _ key: Key, _ bytes: [UInt8]?) {
    switch meaning {
    case .relationBlock(let relation, let block):
      enter(relation)
      takeBlock(block, of: Key(.relationSize(relation)))
    case .relationSize(let relation):
      enter(relation)
      takeSize(bytes, key, limit: .max)
    case .slruBlock(let kind, let segment, let block):
      enter(kind, segment)
      takeBlock(block, of: Key(.slruSegmentSize(kind, segment: segment)))
    case .slruSegmentSize(let kind, let segment):
      enter(kind, segment)
      takeSize(bytes, key, limit: UInt32(SLRUKind.pagesPerSegment))
    default:
      finishRun()
      seen.insert(key)
      takeValue(meaning, key, bytes)
    }
  }

  private mutating func takeValue(_ meaning: KeyMeaning, _ key: Key, _ bytes: [UInt8]?) {
    switch meaning {
    case .databaseDirectory:
      databases = list(meaning, bytes) { bytes throws(FormatError) in
        try DirectoryValue.decodeDatabases(bytes).flatMap { database in
          (database.hasRelationMap ? [Key(.relationMap(databaseID: database.id))] : [])
            + [Key(.relationDirectory(databaseID: database.id))]
        }
      }
    case .relationMap(let id):
      enterDatabase(id)
      tickDatabase(meaning, key)
      if let bytes { check(meaning, bytes) }
    case .relationDirectory(let id):
      enterDatabase(id)
      tickDatabase(meaning, key)
      relations = list(meaning, bytes) { bytes throws(FormatError) in
        try DirectoryValue.decodeRelations(bytes, databaseID: id)
      }
    case .slruDirectory(let kind):
      finishLists()
      segments = list(meaning, bytes) { bytes throws(FormatError) in
        try DirectoryValue.decodeSegments(bytes).map { Key(.slruSegmentSize(kind, segment: $0)) }
      }
    case .twoPhaseDirectory:
      finishLists()
      guard let version = PostgresVersion(rawValue: index.postgresVersion) else { return }
      var ids: [UInt64]?
      transactions = list(meaning, bytes) { bytes throws(FormatError) in
        let decoded = try DirectoryValue.decodeTransactions(bytes, version: version)
        ids = decoded
        return decoded
      }
      transactionIDs = ids
    case .twoPhaseFile(let id):
      let isListed = transactions.take(id) { missed in
        findings.add("prepared transaction \(missed) is listed, but has no file")
      }
      if !isListed { findings.add(about: meaning, "\(meaning.words) is not listed") }
      if let bytes { check(meaning, bytes) }
    default:
      if let bytes { check(meaning, bytes) }
    }
  }

  // MARK: Databases and relations

  private mutating func tickDatabase(_ meaning: KeyMeaning, _ key: Key) {
    let isListed = databases.take(key) { findings.addMissing($0) }
    if !isListed {
      findings.add(about: meaning, "\(meaning.words) is there, but no database lists it")
    }
  }

  private mutating func enterDatabase(_ id: UInt32) {
    guard id != databaseID else { return }
    finishLists()
    databaseID = id
  }

  private mutating func enter(_ relation: RelationForkID) {
    let key = Key(.relationSize(relation))
    guard key != run?.sizeKey else { return }
    finishRun()
    enterDatabase(relation.databaseID)
    run = PageRun(sizeKey: key)
    let isListed = relations.take(relation) { findings.addMissing(Key(.relationSize($0))) }
    if !isListed {
      findings.add(
        about: .relationSize(relation), "'\(relation)' is there, but no relation directory lists it"
      )
    }
  }

  private mutating func enter(_ kind: SLRUKind, _ segment: UInt32) {
    let key = Key(.slruSegmentSize(kind, segment: segment))
    guard key != run?.sizeKey else { return }
    finishRun()
    run = PageRun(sizeKey: key)
    let isListed = segments.take(key) { findings.addMissing($0) }
    if !isListed {
      let meaning = KeyMeaning.slruSegmentSize(kind, segment: segment)
      findings.add(about: meaning, "'\(meaning.file.path)' is there, but no directory lists it")
    }
  }

  /// What the lists that were open promised and did not turn up.
  private mutating func finishLists() {
    finishRun()
    relations.finish { findings.addMissing(Key(.relationSize($0))) }
    relations = .unknown
    segments.finish { findings.addMissing($0) }
    segments = .unknown
  }

  // MARK: Pages

  private mutating func takeBlock(_ block: UInt32, of sizeKey: Key) {
    guard var run else { return }
    if UInt64(block) > run.nextBlock { findings.addGap(run.nextBlock..<UInt64(block), sizeKey) }
    run.nextBlock = UInt64(block) + 1
    self.run = run
  }

  private mutating func takeSize(_ bytes: [UInt8]?, _ key: Key, limit: UInt32) {
    guard let run else { return }
    self.run = nil
    guard let bytes, let meaning = key.meaning else { return }
    guard bytes.count == 4 else {
      findings.add(about: meaning, "\(meaning.words) has \(bytes.count) bytes instead of 4")
      return
    }
    let size: UInt32 = bytes.bytes.littleEndian(at: 0)
    if size > limit { findings.add(about: meaning, "\(meaning.words) is \(size) blocks") }
    if run.nextBlock < size { findings.addGap(run.nextBlock..<UInt64(size), key) }
    if run.nextBlock > size {
      findings.add(
        about: meaning, "\(meaning.words) is \(size) blocks, but there are \(run.nextBlock)")
    }
  }

  private mutating func finishRun() {
    guard let run else { return }
    self.run = nil
    findings.addMissing(run.sizeKey)
  }

  /// Judges what must be there and has not come, when all keys have been taken.
  mutating func finish() {
    finishLists()
    databases.finish { findings.addMissing($0) }
    transactions.finish { findings.add("prepared transaction \($0) is listed, but has no file") }
    for meaning in Self.required where !seen.contains(Key(meaning)) {
      findings.addMissing(Key(meaning))
    }
  }
}
