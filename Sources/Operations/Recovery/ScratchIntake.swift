import Backup
import LayerFormat
import PostgresFormat
import System

/// Decides about each file of a backup whether it goes into a scratch directory, and where.
///
/// Only what recovery needs does: no configuration, nothing of users, no replication slots. Names
/// that an import would refuse are refused here as well.
struct ScratchIntake {
  /// Which part of a backup a name is relative to.
  enum Part: Equatable {
    case dataDirectory
    case writeAheadLog
    case tablespace(UInt32)
  }

  /// A tablespace, as far as the backup tells of it.
  struct Tablespace {
    /// Where its directory was, escaped, if that is known.
    var location: String?
    /// Whether its contents are in the backup, be they none.
    var isThere = false
  }

  /// Where a file is written.
  struct Target {
    let path: String
    /// How long it becomes.
    let byteCount: UInt64
  }

  let scratch: ScratchDirectory
  let programs: PostgresPrograms
  /// Receives the contents of every file; nil if there is nothing to compare them with.
  let manifest: ManifestCheck?

  /// What the backup may unpack to; nil for anything.
  var sizeLimit: SizeLimit?
  /// Which timeline's backup it must be; nil for any.
  var identity: BackupIdentity?
  /// Files of the WAL that were given besides the backup: those in the backup, which may be older,
  /// are passed over.
  private(set) var givenWriteAheadLog: Set<String> = []
  /// What the names of files that are not copied say of the backup.
  private(set) var clues = BackupClues()
  private var unexpectedFiles = UnexpectedFiles()
  /// Members whose names begin with a slash, which is dropped.
  var absoluteNameCount = 0

  private(set) var leftOut = LeftOutTally()
  private(set) var tablespaces: [UInt32: Tablespace] = [:]
  private(set) var version: PostgresVersion?
  private(set) var label: BackupLabel?
  /// What the backup's own settings say about its recovery.
  private(set) var settings = OwnRecoverySettings()
  private(set) var fileCount = 0
  /// The first file of a relation that ended within a page.
  private var partialFile: (path: String, byteCount: UInt64)?
  /// Directories that are known to be there; forgotten when they are many.
  private var directories: Set<String> = []
  private static let directoryLimit = 1 << 12

  init(
    scratch: ScratchDirectory, programs: PostgresPrograms, manifest: ManifestCheck? = nil
  ) {
    self.scratch = scratch
    self.manifest = manifest
    self.programs = programs
  }

  /// Where the file is to be written; nil for what needs no writing.
  ///
  /// - Throws: for what is refused; an unexpected file ends the copying, and what comes after it is
  ///   only looked at by name.
  mutating func target(
    of member: BackupMember, at path: MemberPath, in part: Part
  ) throws(Failure) -> Target? {
    let target =
      switch part {
      case .dataDirectory: try dataDirectory(member, path)
      case .writeAheadLog: try writeAheadLog(member, path, path.components[...])
      case .tablespace(let id): try tablespace(id, member, path, path.components[...])
      }
    return isRefused ? nil : target
  }

  /// Whether the copy will be refused, so that no contents need be read.
  var isRefused: Bool { !unexpectedFiles.isEmpty }

  /// Throws if there were unexpected files; called after the last one.
  func requireNoUnexpectedFiles() throws(Failure) {
    if let failure = unexpectedFiles.failure { throw clues.foreign("the backup") ?? failure }
  }

  private static let topFiles = ["PG_VERSION", "global/pg_control"].map { Array($0.utf8) }

  /// Throws if a relation's file ended within a page although the cluster was shut down: no server was
  /// extending it then.
  func requireWholePages(_ control: ControlFile) throws(Failure) {
    guard let partialFile, label == nil, control.state == .shutDown else { return }
    throw MemberIntake.endsWithinPage(partialFile.path, byteCount: partialFile.byteCount)
  }

  /// Throws if a member is of another cluster than those before, whose names differ only in the
  /// directories that are stripped.
  mutating func requireOneCluster(
    _ member: BackupMember, at path: MemberPath, strippingComponents count: Int
  ) throws(Failure) {
    guard member.kind == .file, Self.topFiles.contains(path.bytes) else { return }
    try clues.requireOneCluster(member.name, strippingComponents: count)
  }

  /// Notes a member that is above the data directory, where it is not copied.
  mutating func noteAbove(_ member: BackupMember) { clues.note(member.name) }

  /// Looks into a file that has been written, if it says something about the cluster.
  mutating func finish(_ path: String) throws(Failure) {
    fileCount += 1
    switch path {
    case scratch.data + "/PG_VERSION":
      let version = try decode(
        path, damage: .versionFileDamaged, PostgresVersion.init(versionFile:))
      try programs.require(version)
      self.version = version
    case scratch.data + "/global/pg_control":
      try identify(path, byteCount: ControlFile.byteCount) { $0.take(controlFile: $1) }
    case _ where path.hasPrefix(scratch.data + "/pg_wal/"):
      try identify(path, byteCount: WALSegmentName.headerByteCount) { $0.take(segment: $1) }
    case scratch.data + "/backup_label":
      let label = try decode(path, damage: .backupLabelDamaged, BackupLabel.decode)
      identity?.take(label)
      self.label = label
    case scratch.tablespaceMap:
      let map = try decode(path, damage: .tablespaceMapDamaged, TablespaceMap.decode)
      for (id, location) in map.locations {
        tablespaces[id, default: .init()].location = escaped(location)
      }
    default:
      if let name = OwnRecoverySettings.fileNames.first(where: { scratch.settings($0) == path }) {
        let bytes = try SystemCalls.contents(of: path, limit: 16 << 20)
        settings.take(name, bytes.bytes)
        fileCount -= 1  // none of the cluster's
      }
    }
  }

  /// Shows the beginning of a file that has been written to the identity, if there is one.
  private mutating func identify(
    _ path: String, byteCount: Int, _ take: (inout BackupIdentity, RawSpan) -> Void
  ) throws(Failure) {
    guard var judged = identity else { return }
    let bytes = try InputFile(foundAt: path).beginning(upTo: byteCount)
    guard bytes.count == byteCount else { return }  // for others to refuse
    take(&judged, bytes.bytes)
    identity = judged
  }

  /// Takes what WAL was given besides the backup, and is in the scratch directory.
  mutating func takeGivenWriteAheadLog(_ names: Set<String>) throws(Failure) {
    givenWriteAheadLog = names
    for name in names {
      try identify(
        "\(scratch.data)/pg_wal/\(name)", byteCount: WALSegmentName.headerByteCount
      ) { $0.take(segment: $1) }
    }
    identity?.judgeLog(isGiven: true)
  }

  private func decode<Value>(
    _ path: String, damage: ErrorCode, _ decode: (RawSpan) throws(FormatError) -> Value
  ) throws(Failure) -> Value {
    let bytes = try SystemCalls.contents(of: path, limit: 1 << 20)
    do throws(FormatError) {
      return try decode(bytes.bytes)
    } catch {
      throw Failure(
        error, in: "file '\(path.dropFirst(scratch.path.utf8.count + 1))'", damage: damage)
    }
  }

  // MARK: Decisions

  private mutating func dataDirectory(
    _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> Target? {
    let components = path.components
    let decision = MemberDecision(path, kind: member.kind)
    switch decision {
    case .relationSegment:
      return try relation(member, path, components[...], below: scratch.data)
    case .relationMap, .versionFile, .slruSegment, .twoPhase, .statistics, .replicationOrigins,
      .controlFile, .backupLabel,
      .leftOut(.commitTimestamps, _) where member.kind == .file:
      return try file(member, components[...], below: scratch.data)
    case .tablespaceMap:
      return Target(path: scratch.tablespaceMap, byteCount: member.byteCount)
    case .tablespace:
      return try tablespaceMember(member, path)
    case .directory:
      try makeDirectories(components[...], below: scratch.data)
    case .leftOut(.writeAheadLog, _) where components.count > 1:
      return try writeAheadLog(member, path, components.dropFirst())
    case .leftOut(let reason, let slot):
      clues.note(member.name)
      if member.kind != .directory || reason.countsDirectories { leaveOut(member, path, reason) }
      if let slot { leftOut.addSlot(slot) }
      if member.kind == .file, path.components.count == 1 {
        let name = path.description
        settings.note(name)
        if OwnRecoverySettings.fileNames.contains(name) {
          return Target(path: scratch.settings(name), byteCount: member.byteCount)
        }
      }
    case .neonSignal:
      throw Failure(
        .recoveryNotNeeded,
        "the backup is from a pageserver and needs no recovery: it contains '\(path)'",
        hint: "Leave out '--recover-with'.")
    case .unexpected:
      unexpectedFiles.add(path)
    case .incremental, .refused:
      throw MemberIntake.refusal(decision, path)
    }
    return nil
  }

  /// A file of the WAL: segments and timelines' histories.
  private mutating func writeAheadLog(
    _ member: BackupMember, _ path: MemberPath, _ names: ArraySlice<ArraySlice<UInt8>>
  ) throws(Failure) -> Target? {
    guard names.count == 1, let name = names.first,
      WriteAheadLogFile.isName(String(decoding: name, as: UTF8.self))
    else {
      if member.kind != .directory { leaveOut(member, path, .writeAheadLog) }
      return nil
    }
    guard member.kind == .file else {
      throw MemberIntake.refusal(.refused(member.kind.refusal(expected: "a file")), path)
    }
    let text = String(decoding: name, as: UTF8.self)
    guard !givenWriteAheadLog.contains(text) else { return nil }
    return Target(path: "\(scratch.data)/pg_wal/\(text)", byteCount: member.byteCount)
  }

  /// `pg_tblspc/OID` and what is below it.
  private mutating func tablespaceMember(
    _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> Target? {
    let components = path.components
    guard let id = UInt32(String(decoding: components[1], as: UTF8.self)), id > 0 else {
      unexpectedFiles.add(path)
      return nil
    }
    guard components.count == 2 else {
      return try tablespace(id, member, path, components.dropFirst(2))
    }
    switch member.kind {
    case .directory: try addTablespace(id)
    case .symbolicLink:
      let target = member.linkTarget.map { escaped($0.utf8) }
      tablespaces[id, default: .init()].location = target
    default:
      throw Failure(
        .wrongFileType, "member '\(path)': a tablespace must be a link or a directory")
    }
    return nil
  }

  /// `PG_15_202209061/DATABASE/RELATION` within a tablespace, which is as `base/DATABASE/RELATION`.
  private mutating func tablespace(
    _ id: UInt32, _ member: BackupMember, _ path: MemberPath, _ names: ArraySlice<ArraySlice<UInt8>>
  ) throws(Failure) -> Target? {
    try addTablespace(id)
    guard let first = names.first, first.starts(with: "PG_".utf8) else {
      if member.kind != .directory { leaveOut(member, path, .userFiles) }
      return nil
    }
    if names.count == 1 {
      if member.kind == .directory { try makeDirectories(names, below: scratch.tablespace(id)) }
      return nil
    }
    let decision = MemberDecision(
      try Self.join(Array("base".utf8)[...], names.dropFirst()), kind: member.kind)
    switch decision {
    case .relationSegment:
      return try relation(member, path, names, below: scratch.tablespace(id))
    case .relationMap, .versionFile:
      return try file(member, names, below: scratch.tablespace(id))
    case .directory:
      try makeDirectories(names, below: scratch.tablespace(id))
    case .leftOut(let reason, _):
      if member.kind != .directory { leaveOut(member, path, reason) }
    case .unexpected:
      unexpectedFiles.add(path)
    default:
      throw MemberIntake.refusal(decision, path)
    }
    return nil
  }

  /// A path of checked names below another one.
  static func join(
    _ first: ArraySlice<UInt8>, _ names: ArraySlice<ArraySlice<UInt8>>
  ) throws(Failure) -> MemberPath {
    let bytes = Array(([first] + names).joined(separator: [UInt8(ascii: "/")]))
    do throws(FormatError) {
      if let path = try MemberPath(bytes.bytes) { return path }
    } catch {
      throw Failure(error, in: "member '\(escaped(bytes))'", damage: .badMemberName)
    }
    preconditionFailure("a path that begins with a name is not empty")
  }

  private mutating func leaveOut(
    _ member: BackupMember, _ path: MemberPath, _ reason: LeftOutReason
  ) {
    leftOut.add(path.description, byteCount: member.byteCount, reason: reason)
  }

  // MARK: Places

  /// Says that the contents of a tablespace are in the backup, and makes their directory.
  mutating func addTablespace(_ id: UInt32) throws(Failure) {
    guard tablespaces[id]?.isThere != true else { return }
    tablespaces[id, default: .init()].isThere = true
    try SystemCalls.makePrivateDirectory(scratch.tablespace(id))
    try SystemCalls.makeLink(
      "\(scratch.data)/pg_tblspc/\(id)", to: ScratchDirectory.tablespaceLink(id))
  }

  /// The place of a file, once its directory is there.
  private mutating func file(
    _ member: BackupMember, _ names: ArraySlice<ArraySlice<UInt8>>, below directory: String
  ) throws(Failure) -> Target {
    try makeDirectories(names.dropLast(), below: directory)
    return Target(path: Self.join(directory, names), byteCount: member.byteCount)
  }

  /// The same of a relation's file, of which the whole pages count: one that was read while it grew may
  /// end within a page. A server takes no notice of that, and the WAL brings the page.
  /// (Postgres, `src/backend/storage/smgr/md.c`, `_mdnblocks`)
  private mutating func relation(
    _ member: BackupMember, _ path: MemberPath, _ names: ArraySlice<ArraySlice<UInt8>>,
    below directory: String
  ) throws(Failure) -> Target {
    let target = try file(member, names, below: directory)
    guard member.wholePagesByteCount < member.byteCount else { return target }
    if partialFile == nil { partialFile = ("\(path)", member.byteCount) }
    return Target(path: target.path, byteCount: member.wholePagesByteCount)
  }

  private mutating func makeDirectories(
    _ names: ArraySlice<ArraySlice<UInt8>>, below directory: String
  ) throws(Failure) {
    let path = Self.join(directory, names)
    guard !names.isEmpty, !directories.contains(path) else { return }
    if directories.count >= Self.directoryLimit { directories.removeAll(keepingCapacity: true) }
    directories.insert(path)
    try makeDirectories(names.dropLast(), below: directory)
    guard try SystemCalls.status(at: path) == nil else { return }
    try SystemCalls.makePrivateDirectory(path)
  }

  /// These names are Postgres's own, in ASCII.
  private static func join(_ directory: String, _ names: ArraySlice<ArraySlice<UInt8>>) -> String {
    names.reduce(directory) { $0 + "/" + String(decoding: $1, as: UTF8.self) }
  }
}

extension ScratchIntake {
  /// Begins to compare a file with the manifest; nil if its contents are not needed.
  func beginCheck(
    of member: BackupMember, at path: MemberPath, in part: Part
  ) throws(Failure) -> ManifestCheck? {
    guard let manifest, member.kind == .file, !isRefused else { return nil }
    switch part {
    case .dataDirectory:
      try manifest.begin(path)
    case .tablespace(let id):
      try manifest.begin(Self.join(Array("pg_tblspc/\(id)".utf8)[...], path.components[...]))
    case .writeAheadLog: return nil
    }
    return manifest.wantsContents ? manifest : nil
  }
}
