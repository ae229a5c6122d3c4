/// What becomes of one member of a backup, decided from its place in the data directory and kind.
///
/// Every place has a decision. What a timeline stores is named exactly, so that no two names stand
/// for the same thing; in directories that Postgres knows, names that it does not write are
/// refused; elsewhere they are the user's own and left out.
public enum DataDirectoryMember: Equatable, Sendable {
  /// `base/<database>/<relation>…`, `global/<relation>…`.
  case relationSegment(RelationSegment)
  /// `pg_filenode.map`; database 0 for the one in `global`.
  case relationMap(databaseID: UInt32)
  /// `PG_VERSION`; nil for the one at the top.
  case versionFile(databaseID: UInt32?)
  /// A file of `pg_xact`, `pg_multixact/members` or `pg_multixact/offsets`.
  case slruSegment(SLRUKind, segmentNumber: UInt32)
  /// A file of `pg_twophase`; how many digits its name has must fit the version.
  case twoPhase(xid: UInt64, digitCount: Int)
  /// `pg_stat/pgstat.stat`.
  case statistics
  /// `pg_logical/replorigin_checkpoint`.
  case replicationOrigins
  /// `global/pg_control`.
  case controlFile
  /// `neon.signal` or `zenith.signal`.
  case neonSignal
  case backupLabel
  case tablespaceMap
  /// Anything in `pg_tblspc`; the name is escaped.
  case tablespace(name: String)
  /// A file of an incremental backup.
  case incremental
  /// A directory that holds nothing to store of its own.
  case directory
  /// Left out on purpose. `slot` is the escaped name of a replication slot, and not nil for every
  /// member of its directory. A directory counts only where it is all that is known of the thing:
  /// a slot's, or a user's own at the top.
  case leftOut(LeftOutReason, slot: String?)
  case refused(FormatError)

  /// Decides by bytes, and for a relation's file, as most are, without allocating: it runs for every
  /// member.
  public init(_ path: MemberPath, kind: MemberKind) {
    // What `base` would come to, without taking the path apart.
    if kind == .file, let segment = RelationSegment(path: path.bytes[...]) {
      self = .relationSegment(segment)
      return
    }
    let components = path.components[...]
    guard let directory = KnownDirectory(components[0]) else {
      self = components.count == 1 ? Self.top(components[0], kind) : Self.user(below: true, kind)
      return
    }
    let rest = components.dropFirst()
    if rest.isEmpty {
      self = Self.known(directory, kind)
      return
    }
    switch directory {
    case .base: self = Self.base(rest, kind)
    case .global: self = Self.global(rest, kind)
    case .transactions: self = Self.slru(.transactions, rest, kind)
    case .multixacts: self = Self.multixact(rest, kind)
    case .twoPhase: self = Self.twoPhase(rest, kind)
    case .logical: self = Self.logical(rest, kind)
    case .statistics: self = Self.statistics(rest, kind)
    case .tablespaces: self = .tablespace(name: escaped(rest[1]))
    case .replicationSlots: self = Self.replicationSlot(rest[1])
    case .writeAheadLog: self = Self.leftOut(.writeAheadLog, kind)
    case .commitTimestamps: self = Self.leftOut(.commitTimestamps, kind)
    case .temporaryStatistics, .sharedMemory: self = Self.leftOut(.temporaryFiles, kind)
    case .subtransactions, .notifications, .serializable, .snapshots:
      self = Self.leftOut(.transientState, kind)
    }
  }

  /// The directory of a known name itself. Of one that is left out, a link to elsewhere is too.
  private static func known(_ directory: KnownDirectory, _ kind: MemberKind) -> Self {
    switch kind {
    case .directory:
      return .directory
    case .symbolicLink:
      guard let reason = directory.reasonToLeaveOutLink else { fallthrough }
      return .leftOut(reason, slot: nil)
    case .file, .hardLink, .other:
      return .refused(kind.refusal(whereBelongs: "a directory"))
    }
  }

  /// The decision for a name that is stored: it must be a file.
  static func stored(_ member: Self, _ kind: MemberKind) -> Self {
    kind == .file ? member : .refused(kind.refusal(whereBelongs: "a file"))
  }

  /// The decision for a name that must be a directory.
  static func directory(_ kind: MemberKind) -> Self {
    kind == .directory ? .directory : .refused(kind.refusal(whereBelongs: "a directory"))
  }

  /// The decision for what is left out, of whatever kind; its directories are nothing.
  static func leftOut(_ reason: LeftOutReason, _ kind: MemberKind) -> Self {
    kind == .directory ? .directory : .leftOut(reason, slot: nil)
  }

  /// The decision for what is a user's own, at the top or below a directory there.
  static func user(below: Bool, _ kind: MemberKind) -> Self {
    below && kind == .directory ? .directory : .leftOut(.userFiles, slot: nil)
  }

  /// The decision for a name in one of Postgres' directories that Postgres does not write there.
  ///
  /// What file systems and desktops leave everywhere is a user's own.
  static func foreign(_ names: ArraySlice<ArraySlice<UInt8>>, _ kind: MemberKind) -> Self {
    if names.contains(where: { $0.isNamed("lost+found") })
      || names.last?.isNamed(".DS_Store") == true
    {
      return leftOut(.userFiles, kind)
    }
    return .refused(
      .damaged(
        "Postgres keeps nothing of this name there",
        hint:
          "If it is not the database's own, move it away, or leave it out of a tar with --exclude.")
    )
  }
}
