/// The decisions within the directories of Postgres. `names` are the components below the
/// directory, at least one; their indices start at 1.
extension MemberDecision {
  typealias Names = ArraySlice<ArraySlice<UInt8>>

  static func base(_ names: Names, _ kind: MemberKind) -> Self {
    if names[1].hasPrefix("pgsql_tmp") { return leftOut(.temporaryFiles, kind) }
    guard let databaseID = names[1].positiveDecimal else { return foreign(names, kind) }
    switch names.count {
    case 1: return directory(kind)
    case 2 where names[2].isNamed("PG_VERSION"):
      return stored(.versionFile(databaseID: databaseID), kind)
    default: return database(databaseID, names.dropFirst(), kind)
    }
  }

  static func global(_ names: Names, _ kind: MemberKind) -> Self {
    guard names.count == 1 else { return database(0, names, kind) }
    let name = names[1]
    if name.isNamed("pg_control") { return stored(.controlFile, kind) }
    // pg_upgrade renames the file of the old cluster, so that it cannot be started.
    if name.isNamed("pg_control.old") { return leftOut(.setAside, kind) }
    if name.hasPrefix("config_exec_params") { return leftOut(.configuration, kind) }
    if name.hasSuffix(".stat") { return leftOut(.extensionStatistics, kind) }
    if name.hasSuffix(".stat.tmp") { return leftOut(.temporaryFiles, kind) }
    return database(0, names, kind)
  }

  /// The decisions that `global` and the directory of a database share.
  private static func database(_ databaseID: UInt32, _ names: Names, _ kind: MemberKind) -> Self {
    let name = names[names.startIndex]
    if name.hasPrefix("pgsql_tmp") { return leftOut(.temporaryFiles, kind) }
    guard names.count == 1 else { return foreign(names, kind) }
    if let segment = RelationSegment(fileName: name, databaseID: databaseID) {
      return stored(.relationSegment(segment), kind)
    }
    if name.isNamed("pg_filenode.map") {
      return stored(.relationMap(databaseID: databaseID), kind)
    }
    if name.isNamed("pg_filenode.map.tmp") { return leftOut(.temporaryFiles, kind) }
    if name.hasPrefix("pg_internal.init") { return leftOut(.caches, kind) }
    if name.hasPrefix("INCREMENTAL.") { return .incremental }
    if databaseID != 0, RelationSegment.isTemporary(fileName: name) {
      return leftOut(.temporaryRelations, kind)
    }
    return foreign(names, kind)
  }

  static func multixact(_ names: Names, _ kind: MemberKind) -> Self {
    for log in [SLRUKind.multixactMembers, .multixactOffsets]
    where names[1].isNamed(log == .multixactMembers ? "members" : "offsets") {
      return names.count == 1 ? directory(kind) : slru(log, names.dropFirst(), kind)
    }
    return foreign(names, kind)
  }

  static func slru(_ log: SLRUKind, _ names: Names, _ kind: MemberKind) -> Self {
    guard names.count == 1,
      let number = SLRUKind.segmentNumber(fileName: names[names.startIndex])
    else { return foreign(names, kind) }
    return stored(.slruSegment(log, segmentNumber: number), kind)
  }

  static func twoPhase(_ names: Names, _ kind: MemberKind) -> Self {
    guard names.count == 1, [8, 16].contains(names[1].count),
      let id = names[1].upperHexadecimal
    else { return foreign(names, kind) }
    return stored(.twoPhase(xid: id, digitCount: names[1].count), kind)
  }

  static func logical(_ names: Names, _ kind: MemberKind) -> Self {
    if names[1].isNamed("snapshots") || names[1].isNamed("mappings") {
      return names.count == 1 && kind != .symbolicLink
        ? directory(kind) : leftOut(.logicalDecoding, kind)
    }
    guard names.count == 1 else { return foreign(names, kind) }
    if names[1].isNamed("replorigin_checkpoint") { return stored(.replicationOrigins, kind) }
    if names[1].isNamed("replorigin_checkpoint.tmp") { return leftOut(.temporaryFiles, kind) }
    return foreign(names, kind)
  }

  /// Extensions write files with any name here, so no name is foreign.
  static func statistics(_ names: Names, _ kind: MemberKind) -> Self {
    let name = names[1]
    if names.count == 1 {
      if name.isNamed("pgstat.stat") { return stored(.statistics, kind) }
      if name.hasSuffix(".tmp") { return leftOut(.temporaryFiles, kind) }
      if name.isNamed("global.stat") || name.hasPrefix("db_") {
        return leftOut(.version14Statistics, kind)
      }
    }
    return leftOut(.extensionStatistics, kind)
  }

  /// A slot that is being created or dropped is in a directory `<name>.tmp`; the name of a slot is
  /// shorter than `NAMEDATALEN`. (Postgres, `slot.c`)
  static func replicationSlot(_ name: ArraySlice<UInt8>) -> Self {
    if name.hasSuffix(".tmp") { return .leftOut(.temporaryFiles, slot: nil) }
    return .leftOut(.replicationSlots, slot: name.count < 64 ? escaped(name) : nil)
  }
}
