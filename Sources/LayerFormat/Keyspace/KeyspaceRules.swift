import PostgresFormat

/// Checks that keys and values follow the grammar of `Keyspace`.
///
/// Takes values in the order of the keys, in which each list comes before what it promises and each
/// size after its blocks: so it streams. Memory: the lists of one database and of the databases.
public struct KeyspaceRules: Sendable {
  private let version: PostgresVersion?
  private let checksBlocks: Bool

  private var lastKey: Key?
  private var always = Checklist(Keyspace.always)
  // Each list is unknown until its key has been taken.
  private var databases = Checklist<Key>.unknown
  private var relations = Checklist<RelationForkID>.unknown
  private var segments = Checklist<Key>.unknown
  private var transactions = Checklist<Key>.unknown
  /// Which database or SLRU the walk is in: that of `relations` or `segments`.
  private var place: Place?
  /// The relation fork or SLRU segment that the walk is in.
  private var run: BlockRun?

  private enum Place: Equatable {
    case database(UInt32)
    case slru(SLRUKind)
  }

  /// Rules for a timeline, before its first key.
  ///
  /// - Parameters:
  ///   - version: the major version of Postgres; nil if it is not known, so that the two-phase
  ///     directory cannot be read.
  ///   - checksBlocks: whether blocks are taken too, and have to fit their sizes.
  public init(version: PostgresVersion?, checksBlocks: Bool) {
    self.version = version
    self.checksBlocks = checksBlocks
  }

  /// Takes the next key and its value; what is wrong with them goes to `report`.
  ///
  /// Returns whether the key is promised, or needs no promise, and its value has the form that it
  /// must have. The contents of files of Postgres are not looked at.
  @discardableResult
  public mutating func take(
    _ key: Key, _ value: RawSpan, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    take(key, value: value, report)
  }

  /// Takes the next key, of a page, whose bytes do not matter here, or of a value that could not be
  /// read.
  public mutating func take(_ key: Key, _ report: (KeyspaceFault) -> Void) {
    // The usual case: the next block.
    if key == run?.nextKey {
      lastKey = key
      run?.takeNext(key)
    } else {
      _ = take(key, value: nil, report)
    }
  }

  private mutating func take(
    _ key: Key, value: RawSpan?, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    if let lastKey, key <= lastKey {
      report(KeyspaceFault(key, .outOfOrder))
      return false
    }
    lastKey = key
    guard let meaning = key.meaning else {
      report(KeyspaceFault(key, .unknownKey))
      return false
    }
    switch meaning {
    case .relationBlock(let relation, let block):
      enter(relation, report)
      return takeBlock(key, block, report)
    case .relationSize(let relation):
      enter(relation, report)
      return takeSize(meaning, key, value, report)
    case .slruBlock(let kind, let segment, let block):
      enter(kind, segment, report)
      return takeBlock(key, block, report)
    case .slruSegmentSize(let kind, let segment):
      enter(kind, segment, report)
      return takeSize(meaning, key, value, report)
    default:
      finishRun(report)
      _ = always.take(key) { report(KeyspaceFault($0, .missing)) }
      return takeValue(meaning, key, value, report)
    }
  }

  /// Reports what is missing, when all keys have been taken.
  public mutating func finish(_ report: (KeyspaceFault) -> Void) {
    finishLists(report)
    databases.finish { report(KeyspaceFault($0, .missing)) }
    always.finish { report(KeyspaceFault($0, .missing)) }
  }

  // MARK: Lists

  private mutating func takeValue(
    _ meaning: KeyMeaning, _ key: Key, _ value: RawSpan?, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    switch meaning {
    case .databaseDirectory:
      databases = list(key, value, report) { bytes throws(FormatError) in
        try DirectoryValue.decodeDatabases(bytes).flatMap { database in
          (database.hasRelationMap ? [Key(.relationMap(databaseID: database.id))] : [])
            + [Key(.relationDirectory(databaseID: database.id))]
        }
      }
      return true
    case .relationMap(let id):
      enter(.database(id), report)
      return Self.mark(key, in: &databases, report) == .listed && value != nil
    case .relationDirectory(let id):
      enter(.database(id), report)
      let membership = Self.mark(key, in: &databases, report)
      // What nothing promises promises nothing.
      guard membership != .unlisted else { return false }
      relations = list(key, value, report) { bytes throws(FormatError) in
        try DirectoryValue.decodeRelations(bytes, databaseID: id)
      }
      return membership == .listed
    case .slruDirectory(let kind):
      enter(.slru(kind), report)
      segments = list(key, value, report) { bytes throws(FormatError) in
        try DirectoryValue.decodeSegments(bytes).map { Key(.slruSegmentSize(kind, segment: $0)) }
      }
      return true
    case .twoPhaseDirectory:
      finishLists(report)
      guard let version else { return false }
      transactions = list(key, value, report) { bytes throws(FormatError) in
        try DirectoryValue.decodeTransactions(bytes, version: version)
          .map { Key(.twoPhaseFile(transactionID: $0)) }
      }
      return true
    case .twoPhaseFile:
      return Self.mark(key, in: &transactions, report) == .listed && value != nil
    default:
      finishLists(report)
      guard let value else { return false }
      return hasForm(meaning, key, value, report)
    }
  }

  /// What a directory's value lists; unknown if there is no value, or none that can be decoded.
  private func list<Element>(
    _ key: Key, _ value: RawSpan?, _ report: (KeyspaceFault) -> Void,
    _ decode: (RawSpan) throws(FormatError) -> [Element]
  ) -> Checklist<Element> {
    guard let value else { return .unknown }
    do throws(FormatError) {
      let list = Checklist(try decode(value))
      if list.hasDuplicates { report(KeyspaceFault(key, .listsTwice)) }
      return list
    } catch {
      report(KeyspaceFault(key, .damaged(error.message)))
      return .unknown
    }
  }

  /// Ticks a key off its list, and reports those before it that never turned up, and itself if it
  /// is not in the list.
  private static func mark(
    _ key: Key, in list: inout Checklist<Key>, _ report: (KeyspaceFault) -> Void
  ) -> Checklist<Key>.Membership {
    let membership = list.take(key) { report(KeyspaceFault($0, .missing)) }
    if membership == .unlisted { report(KeyspaceFault(key, .unlisted)) }
    return membership
  }

  /// Reports what the lists that are open promised and did not turn up.
  private mutating func finishLists(_ report: (KeyspaceFault) -> Void) {
    finishRun(report)
    relations.finish { report(KeyspaceFault(Key(.relationSize($0)), .missing)) }
    segments.finish { report(KeyspaceFault($0, .missing)) }
    transactions.finish { report(KeyspaceFault($0, .missing)) }
    place = nil
  }

  private mutating func enter(_ place: Place, _ report: (KeyspaceFault) -> Void) {
    guard place != self.place else { return }
    finishLists(report)
    self.place = place
  }

  /// Whether a value that is no page and no list has the form that it must have.
  private func hasForm(
    _ meaning: KeyMeaning, _ key: Key, _ value: RawSpan, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    guard let problem = meaning.problem(of: value) else { return true }
    report(KeyspaceFault(key, problem))
    return false
  }

  // MARK: Blocks and sizes

  private mutating func enter(_ relation: RelationForkID, _ report: (KeyspaceFault) -> Void) {
    let sizeKey = Key(.relationSize(relation))
    guard sizeKey != run?.sizeKey else { return }
    finishRun(report)
    enter(.database(relation.databaseID), report)
    let membership = relations.take(relation) {
      report(KeyspaceFault(Key(.relationSize($0)), .missing))
    }
    if membership == .unlisted { report(KeyspaceFault(sizeKey, .unlisted)) }
    run = BlockRun(sizeKey: sizeKey, isListed: membership == .listed)
  }

  private mutating func enter(
    _ kind: SLRUKind, _ segment: UInt32, _ report: (KeyspaceFault) -> Void
  ) {
    let sizeKey = Key(.slruSegmentSize(kind, segment: segment))
    guard sizeKey != run?.sizeKey else { return }
    finishRun(report)
    enter(.slru(kind), report)
    let membership = Self.mark(sizeKey, in: &segments, report)
    run = BlockRun(sizeKey: sizeKey, isListed: membership == .listed)
  }

  private mutating func takeBlock(
    _ key: Key, _ block: UInt32, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    run?.take(key, block, report)
    return run?.isListed == true
  }

  private mutating func takeSize(
    _ meaning: KeyMeaning, _ key: Key, _ value: RawSpan?, _ report: (KeyspaceFault) -> Void
  ) -> Bool {
    guard let run else { return false }
    self.run = nil
    guard let value else { return false }
    let isSound = hasForm(meaning, key, value, report)
    if checksBlocks && value.byteCount == 4 {
      run.finish(size: value.littleEndian(at: 0), report)
    }
    return run.isListed && isSound
  }

  private mutating func finishRun(_ report: (KeyspaceFault) -> Void) {
    guard let run else { return }
    self.run = nil
    report(KeyspaceFault(run.sizeKey, .missing))
  }
}
