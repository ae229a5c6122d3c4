import LayerFormat
import PostgresFormat
import System

/// What replaying the WAL of a backup does to the main forks of relations: which pages of the base
/// it replaces, and which it needs.
///
/// A recovery in one pass keeps no pages of main forks in its scratch, but files of the right length without
/// contents, and these only of relations that the WAL names. This tells which files and pages have to be put
/// there before the WAL is replayed, and which pages have to be taken from there afterwards, in place of the
/// base's:
///
/// ```
/// first record that names a block    before replay      after replay
/// brings the page, or makes it       nothing            taken
/// changes the page                   put there          taken
/// none                               nothing            the base's, unless it was truncated away
///
/// first record that names a relation, in any fork, or its database
/// any                                its files          those that are there
/// none                               nothing            the base's
/// ```
///
/// A backup begins with a checkpoint, after which the first change of a page brings all of it
/// (`full_page_writes`); what does not is found by the same rule. Only forks in the default
/// tablespace are in a plan: shared relations and other forks are in the scratch whole.
///
/// Blocks and relations that the base does not have are not remembered, as nothing of the base is theirs: so
/// a plan grows with the base, and not with the WAL. Memory: as `TouchedTable` says, a bit for each relation of
/// the base, and 32 bytes for each that is truncated or dropped.
struct ReplayPlan: Sendable {
  /// The number of a relation in a database's directory.
  struct Relation: Hashable, Sendable {
    var databaseID: UInt32
    var relationNumber: UInt32

    init(databaseID: UInt32, relationNumber: UInt32) {
      self.databaseID = databaseID
      self.relationNumber = relationNumber
    }

    /// The one that a segment is of.
    init(_ segment: RelationSegment) {
      self.init(databaseID: segment.databaseID, relationNumber: segment.relationNumber)
    }

    /// The one that a fork is of.
    init(_ fork: RelationForkID) {
      self.init(databaseID: fork.databaseID, relationNumber: fork.relationNumber)
    }

    /// The one that a record names.
    init(_ relation: WALChange.Relation) {
      self.init(databaseID: relation.databaseID, relationNumber: relation.relationNumber)
    }

    /// Its main fork.
    var mainFork: RelationForkID {
      RelationForkID(databaseID: databaseID, relationNumber: relationNumber, fork: .main)
    }

    /// The segment of the main fork that a block is in.
    func segment(of block: UInt32) -> RelationSegment {
      RelationSegment(
        databaseID: databaseID, relationNumber: relationNumber, fork: .main,
        segmentNumber: block / RelationSegment.blockCount)
    }
  }

  /// What has to be put where replay looks for it, before it comes to the record that needs it.
  enum Need: Equatable, Sendable {
    /// The files of a relation of the base that no record has named before.
    case files(Relation)
    /// This block of the base.
    case block(Relation, UInt32)
    /// All blocks of a relation from this one on.
    case rest(Relation, from: UInt32)
    /// All blocks of a database that is copied as it is at the record, or that an early end may bring back.
    case database(UInt32)
  }

  /// Whether replay may end before the last record, as at a recovery target.
  ///
  /// What a record would have replaced or removed may then be the cluster's after all, so that all
  /// that is touched is needed.
  let mayEndEarly: Bool
  /// The blocks that are touched.
  private let touched: TouchedTable
  /// The least number of blocks that a truncation left of a relation.
  private var cuts: [Relation: UInt32] = [:]
  /// Databases that are removed, or are copies: nothing of the base is theirs from that record on.
  private(set) var replacedDatabases: Set<UInt32> = []
  /// What the base has; nil if that is not known.
  private let base: BaseSizes?
  /// The relations of the base that have files in the scratch, as a record names them, whatever it does
  /// with them, or as pages of them are kept there: a bit for each.
  private var named: [UInt64]

  /// A plan of no records yet.
  init(mayEndEarly: Bool = false, base: BaseSizes? = nil, touched: TouchedTable) {
    self.mayEndEarly = mayEndEarly
    self.base = base
    self.touched = touched
    named = Array(repeating: 0, count: ((base?.count ?? 0) + 63) / 64)
  }

  /// Whether a relation of the base has files: whether a record names it, or a database that it is in, or
  /// pages of it are kept.
  func names(_ relation: Relation) -> Bool {
    guard let index = base?.index(of: relation) else { return false }
    return named[index / 64] >> UInt64(index % 64) & 1 == 1
  }

  /// Notes that a relation is named; false if it was before, or the base does not have it.
  mutating func name(_ relation: Relation) -> Bool {
    guard let index = base?.index(of: relation), !names(relation) else { return false }
    named[index / 64] |= 1 << UInt64(index % 64)
    return true
  }

  /// The relation that was named last, as records often name the same one again.
  private var last: (relation: Relation, blockCount: UInt32)?

  /// Notes that a record names a relation, and gives how many blocks of it the base may have.
  private mutating func baseBlockCount(
    naming relation: Relation, _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) -> UInt32 {
    guard let base else { return .max }
    if let last, last.relation == relation { return last.blockCount }
    if name(relation) { try need(.files(relation), self) }
    let blockCount = base.blockCount(of: relation)
    last = (relation, blockCount)
    return blockCount
  }

  /// Notes that a record names a database, and with it all of its relations.
  private mutating func nameRelations(
    ofDatabase databaseID: UInt32, _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) {
    guard let base else { return }
    for (relation, _) in base.relations(ofDatabase: databaseID) {
      _ = try baseBlockCount(naming: relation, need)
    }
  }

  /// Adds the next record, which does `change` besides changing blocks, and gives `need` what has to be
  /// there before it is replayed.
  ///
  /// Throws what keeps the WAL from being replayed where pages of main forks are missing.
  mutating func add(
    _ record: borrowing WALRecord, _ change: WALChange?,
    _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) {
    for index in record.references.indices {
      let reference = record.references[index]
      try Self.require(reference.tablespaceID)
      guard reference.databaseID != 0 else { continue }
      let relation = Relation(
        databaseID: reference.databaseID, relationNumber: reference.relationNumber)
      guard reference.fork == .main else {
        _ = try baseBlockCount(naming: relation, need)
        continue
      }
      let replaces =
        reference.flags.contains(.imageIsApplied) || reference.flags.contains(.initialisesPage)
      // Most records name a block again.
      if try touched.contains(relation, reference.block) { continue }
      guard try reference.block < baseBlockCount(naming: relation, need) else { continue }
      _ = try touched.note(relation, reference.block)
      guard !replaces || mayEndEarly, mayBeOfBase(relation, reference.block) else { continue }
      try need(.block(relation, reference.block), self)
    }
    if let change { try add(change, need) }
  }

  /// Whether a block that is named for the first time may be one that the base has.
  private func mayBeOfBase(_ relation: Relation, _ block: UInt32) -> Bool {
    !replacedDatabases.contains(relation.databaseID)
      && block < cuts[relation] ?? .max
  }

  private mutating func add(
    _ change: WALChange, _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) {
    switch change {
    case .truncation(let truncation):
      try Self.require(truncation.tablespaceID)
      guard truncation.databaseID != 0 else { return }
      let relation = Relation(
        databaseID: truncation.databaseID, relationNumber: truncation.relationNumber)
      // It may be of the other forks alone: those are in the scratch. The server makes the main fork all the
      // same if there is none. (Postgres, `storage.c`, `smgr_redo`)
      guard truncation.forks.contains(.main) else {
        _ = try baseBlockCount(naming: relation, need)
        return
      }
      try cut(relation, at: truncation.block, need)
    case .relationCreation(let made):
      guard made.databaseID != 0 else { return }
      _ = try baseBlockCount(naming: Relation(made), need)
    case .relationRemoval(let relations):
      // Its number may come again.
      for removed in relations where removed.databaseID != 0 {
        try cut(Relation(removed), at: 0, need)
      }
    case .databaseCopy(let copy):
      try Self.require(copy.tablespaceID)
      try Self.require(copy.sourceTablespaceID)
      try nameRelations(ofDatabase: copy.sourceDatabaseID, need)
      // A copy of what is itself a copy, or new, needs nothing of the base.
      if !replacedDatabases.contains(copy.sourceDatabaseID) {
        try need(.database(copy.sourceDatabaseID), self)
      }
      try replace(copy.databaseID, need)
    case .databaseRemoval(let databaseID, _):
      // Its id, and the numbers of its relations, may come again.
      try replace(databaseID, need)
    case .tablespaceCreation, .parameterChange, .checkpoint: break
    }
  }

  private mutating func cut(
    _ relation: Relation, at block: UInt32, _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) {
    guard try block < baseBlockCount(naming: relation, need), block < cuts[relation] ?? .max else {
      return
    }
    if mayEndEarly, mayBeOfBase(relation, block) { try need(.rest(relation, from: block), self) }
    cuts[relation] = block
  }

  private mutating func replace(
    _ databaseID: UInt32, _ need: (Need, borrowing Self) throws(Failure) -> Void
  ) throws(Failure) {
    try nameRelations(ofDatabase: databaseID, need)
    if mayEndEarly, !replacedDatabases.contains(databaseID) {
      try need(.database(databaseID), self)
    }
    replacedDatabases.insert(databaseID)
  }

  private static func require(_ tablespaceID: UInt32) throws(Failure) {
    guard [Tablespace.defaultID, Tablespace.globalID].contains(tablespaceID) else {
      throw Recovery.needsFullCopy("has relations in tablespace \(tablespaceID)")
    }
  }

  // MARK: What to put there, what to take

  /// Gives the runs of `blocks` of a relation that no record has touched, and that no truncation removed.
  func forEachUntouchedRun(
    of relation: Relation, _ blocks: Range<UInt32>, _ body: (Range<UInt32>) throws(Failure) -> Void
  ) throws(Failure) {
    let end = min(blocks.upperBound, cuts[relation] ?? .max)
    var start = blocks.lowerBound
    guard start < end else { return }
    try touched.forEachRun(of: relation, in: start..<end) { run throws(Failure) in
      if start < run.lowerBound { try body(start..<run.lowerBound) }
      start = max(start, run.upperBound)
    }
    if start < end { try body(start..<end) }
  }

  /// Gives the runs of blocks of a main fork that are no longer the base's once the WAL has been
  /// replayed.
  ///
  /// - Parameters:
  ///   - baseBlockCount: the blocks of it in the base; 0 if it is not there.
  ///   - blocks: those that are asked for: of a segment, up to the end of what it has now.
  ///   - isUnlogged: whether it has an init fork, from which it was made again.
  func forEachChangedRun(
    of relation: Relation, baseBlockCount: UInt32, in blocks: Range<UInt32>, isUnlogged: Bool,
    _ body: (Range<UInt32>) throws(Failure) -> Void
  ) throws(Failure) {
    let kept = keptBlockCount(
      of: relation, baseBlockCount: baseBlockCount, blockCount: blocks.upperBound,
      isUnlogged: isUnlogged)
    try touched.forEachRun(of: relation, in: blocks.clamped(to: 0..<kept), body)
    let rest = blocks.clamped(to: kept..<max(kept, blocks.upperBound))
    if !rest.isEmpty { try body(rest) }
  }

  /// Whether a record names the block.
  func touches(_ relation: Relation, _ block: UInt32) throws(Failure) -> Bool {
    try touched.contains(relation, block)
  }

  /// Below which block of a main fork those that no record touches are the base's; `blockCount` is how
  /// many it has now, as far as it was read.
  func keptBlockCount(
    of relation: Relation, baseBlockCount: UInt32, blockCount: UInt32, isUnlogged: Bool
  ) -> UInt32 {
    if isUnlogged || replacedDatabases.contains(relation.databaseID) { return 0 }
    return min(baseBlockCount, blockCount, cuts[relation] ?? .max)
  }
}
