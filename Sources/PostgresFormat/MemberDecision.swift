/// What to do with one member of a backup, decided from its path in the data directory and its
/// kind.
///
/// Every path has a decision. The names of stored files are matched exactly, so that no two names
/// mean the same thing. In the directories of Postgres, names that it does not write are refused;
/// elsewhere, they are files of the user and left out.
public enum MemberDecision: Equatable, Sendable {
  /// `base/<database>/<relation>…`, `global/<relation>…`.
  case relationSegment(RelationSegment)
  /// `pg_filenode.map`; database 0 for the one in `global`.
  case relationMap(databaseID: UInt32)
  /// `PG_VERSION`; nil for the one at the top.
  case versionFile(databaseID: UInt32?)
  /// A file of `pg_xact`, `pg_multixact/members` or `pg_multixact/offsets`.
  case slruSegment(SLRUKind, segmentNumber: UInt32)
  /// A file of `pg_twophase`; the number of digits in its name must match the version.
  case twoPhase(xid: UInt64, digitCount: Int)
  /// `pg_stat/pgstat.stat`.
  case statistics
  /// `pg_logical/replorigin_checkpoint`.
  case replicationOrigins
  /// `global/pg_control`.
  case controlFile
  /// `neon.signal` or `zenith.signal`.
  case neonSignal
  /// `backup_label`.
  case backupLabel
  /// `tablespace_map`.
  case tablespaceMap
  /// Anything in `pg_tblspc`; the name is escaped.
  case tablespace(name: String)
  /// A file of an incremental backup.
  case incremental
  /// A directory, which needs no value of its own.
  case directory
  /// Left out on purpose. `slot` is the escaped name of the replication slot for every member of a
  /// slot's directory, otherwise nil. Of directories, only those of slots, those of the user at the
  /// top, and litter are left out as such.
  case leftOut(LeftOutReason, slot: String?)
  /// A name in a directory of Postgres that Postgres does not write there.
  case unexpected
  /// The backup cannot be imported with this member.
  case refused(FormatError)

  /// Decides on the bytes of the path, as this runs for every member; for the files of relations,
  /// which are most, without allocating.
  public init(_ path: MemberPath, kind: MemberKind) {
    // The same as `base` would decide, without splitting the path.
    if kind == .file, let segment = RelationSegment(path: path.bytes[...]) {
      self = .relationSegment(segment)
      return
    }
    self.init(path.components[...], kind)
  }

  private init(_ components: ArraySlice<ArraySlice<UInt8>>, _ kind: MemberKind) {
    if components.contains(where: Self.isLitterName) {
      self = .leftOut(.litter, slot: nil)
      return
    }
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

  /// The decision for a known directory itself. A link is left out if the directory would be.
  private static func known(_ directory: KnownDirectory, _ kind: MemberKind) -> Self {
    switch kind {
    case .directory:
      return .directory
    case .symbolicLink:
      guard let reason = directory.reasonToLeaveOutLink else { fallthrough }
      return .leftOut(reason, slot: nil)
    case .file, .hardLink, .other:
      return .refused(kind.refusal(expected: "a directory"))
    }
  }

  /// The decision for a name that is stored: it must be a file.
  static func stored(_ member: Self, _ kind: MemberKind) -> Self {
    kind == .file ? member : .refused(kind.refusal(expected: "a file"))
  }

  /// The decision for a name that must be a directory.
  static func directory(_ kind: MemberKind) -> Self {
    kind == .directory ? .directory : .refused(kind.refusal(expected: "a directory"))
  }

  /// The decision for a name that is left out, of any kind; directories need no decision.
  static func leftOut(_ reason: LeftOutReason, _ kind: MemberKind) -> Self {
    kind == .directory ? .directory : .leftOut(reason, slot: nil)
  }

  /// The decision for a name of the user, at the top or below a directory there.
  static func user(below: Bool, _ kind: MemberKind) -> Self {
    below && kind == .directory ? .directory : .leftOut(.userFiles, slot: nil)
  }

  /// The decision for a name in a directory of Postgres that Postgres does not write there.
  static func foreign(_ names: ArraySlice<ArraySlice<UInt8>>, _ kind: MemberKind) -> Self {
    names.contains { $0.isNamed("lost+found") } ? leftOut(.userFiles, kind) : .unexpected
  }

  /// Whether a component is a name that file systems, desktops and storage systems create in any
  /// directory, and Postgres in none. What is below such a directory is litter as well.
  ///
  /// AppleDouble files (macOS), the Finder's `.DS_Store`, files that were removed while they were
  /// open (NFS, FUSE), thumbnails and attributes of Synology, and the directory of snapshots of
  /// NetApp.
  static func isLitterName(_ component: ArraySlice<UInt8>) -> Bool {
    guard component.first == UInt8(ascii: ".") || component.first == UInt8(ascii: "@") else {
      return false
    }
    return litterPrefixes.contains { component.hasPrefix($0) }
      || litterNames.contains { component.isNamed($0) }
  }

  /// Whether a file of this path in the data directory is none of Postgres's, and left out as such: a
  /// user's, or litter.
  package static func isNotPostgres(path: ArraySlice<UInt8>) -> Bool {
    switch Self(path.split(separator: UInt8(ascii: "/"))[...], .file) {
    case .leftOut(.userFiles, _), .leftOut(.litter, _): true
    default: false
    }
  }

  private static let litterPrefixes = ["._", ".nfs", ".fuse_hidden"]
  private static let litterNames = [".DS_Store", ".snapshot", "@eaDir"]
}
