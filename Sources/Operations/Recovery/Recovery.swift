import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System

/// Has the backup of a cluster that was running recovered by its own Postgres, in a scratch directory.
///
/// ```
/// programs run? ─► room? ─► WAL, backup ─► replay the WAL, stop ─► shut down? ─► tablespaces
///                           copied         postgres --single       pg_control    one by one
/// ```
struct Recovery {
  private let backup: String
  private let outputDirectory: String
  private let stripComponents: Int
  private let manifest: String?
  private let checksManifest: Bool
  private let sizeLimit: SizeLimit?
  var options: RecoveryOptions
  /// Which timeline's backup it must be; nil for any.
  var identity: BackupIdentity?
  let progress: RunProgress?

  /// A recovery of `backup`, whose scratch directory is beside `outputDirectory` unless the options
  /// name another place.
  init(
    of backup: String, outputDirectory: String, stripComponents: Int, manifest: String?,
    checksManifest: Bool, sizeLimit: SizeLimit?, _ options: RecoveryOptions, progress: RunProgress?
  ) {
    self.backup = backup
    self.outputDirectory = outputDirectory
    self.stripComponents = stripComponents
    self.manifest = manifest
    self.checksManifest = checksManifest
    self.sizeLimit = sizeLimit
    self.options = options
    self.progress = progress
  }

  /// What became of a full copy.
  enum Outcome {
    case recovered(RecoveredCluster)
    /// It is not the backup that it must be, so it was neither read to its end nor recovered.
    case mismatched(BackupIdentity.Mismatch)
  }

  /// Recovers a full copy of the backup.
  ///
  /// Throws `.damaged` if Postgres cannot recover the backup.
  func run(in place: Place) throws(Failure) -> Outcome {
    var intake = place.intake
    let input = InputProgress()
    progress?.begin(
      .copying, reading: input, byteCount: place.backup.isPipe ? nil : place.inputByteCount)
    try takeGivenWriteAheadLog(into: &intake, input)
    try unpack(place.backup, place.directory, into: &intake, input)
    if let mismatch = intake.identity?.mismatch { return .mismatched(mismatch) }
    let copy = try examine(intake, place)
    let files = CopiedPages(place.scratch.data)
    let log = try checkLog(copy, place.scratch, page: files.page)
    let replay = try replay(copy, log, place)
    let moved = try moveTablespaces(place.server, replay.control, fileCount: intake.fileCount)
    try place.takeBack()
    return .recovered(RecoveredCluster(copy, replay, movedTablespaces: moved, place))
  }

  /// Where a recovery takes place, and with what.
  struct Place {
    let backup: OnlineBackup
    /// Whether the backup is recovered in one pass, and not on a full copy.
    let isInOnePass: Bool
    /// The data directory of the backup, opened; nil of tars.
    let directory: BackupDirectory?
    let programs: PostgresPrograms
    /// Nil if there is nothing to compare the backup with.
    let manifest: ManifestCheck?
    /// Decides about the backup's files; nothing was copied yet.
    let intake: ScratchIntake
    /// The bytes of the backup's files as they are read.
    let inputByteCount: UInt64
    let idleLimit: Duration

    var scratch: ScratchDirectory { intake.scratch }
    var server: SingleUserServer {
      SingleUserServer(programs: programs, scratch: scratch, idleLimit: idleLimit)
    }

    /// Lets the server's user own the copy, if that is another one.
    func give() throws(Failure) {
      guard let user = programs.sandbox.user else { return }
      try scratch.give(to: user, passable: programs.sandbox.isTrusted)
    }

    /// Keeps that user out again.
    func takeBack() throws(Failure) {
      if programs.sandbox.user != nil { try scratch.takeBack() }
    }
  }

  /// What of a backup is in the scratch directory, ready to be replayed.
  struct Copy {
    let version: PostgresVersion
    let control: ControlFile
    let label: BackupLabel?
    let manifest: ManifestSummary
    let leftOut: LeftOutTally
    let absoluteNameCount: Int
    let settings: OwnRecoverySettings
    /// The files of the WAL that were given besides the backup.
    let givenWriteAheadLog: Set<String>
  }

  /// The refusal of a backup that turns out to need a full copy when it has been read.
  static func needsFullCopy(_ reason: String) -> Failure {
    Failure(
      .fullCopyNeeded, "the cluster \(reason), so it cannot be recovered in one pass",
      hint: "Let Postgres recover a full copy of the backup, with '--full-copy'."
    ).remedied(by: Remedy(options: ["--full-copy"]))
  }

  /// Makes the scratch directory and looks at backup and programs; what it makes goes with the result.
  ///
  /// Throws `.unsupported` if the programs do not match the backup, `.usage` if the server's user cannot
  /// work there.
  func prepare() throws(Failure) -> Place {
    let backup = try OnlineBackup(at: backup)
    switch backup {
    case .directory(let path): try RecoveryAdvice(backup: path).requireDirectory(path)
    case .tar(let path): if path != "-" { try requireReadable(path) }
    case .tars: break
    }
    let parent = try ScratchDirectory.parent(
      options.scratchParent ?? RecoveryOptions.place(beside: outputDirectory))
    let scratch = try ScratchDirectory(in: parent, keep: options.keepsScratch)
    let user = try PostgresPrograms.user(named: options.user, trustsBackup: options.trustsBackup)
    let programs = try PostgresPrograms(
      in: options.programs,
      sandbox: Sandbox(for: user, in: scratch, trustsBackup: options.trustsBackup),
      log: scratch.log)
    try programs.requireAccess(to: parent, log: scratch.log)
    try require(programs, for: backup)
    let directory = try backup.opened(for: options)
    let inOnePass =
      !options.copiesAll && !backup.hasTablespaces && directory?.hasTablespaces != true
    let manifest = try manifestCheck(of: backup)
    let space = try RecoverySpace(
      of: backup, directory, inOnePass: inOnePass, writeAheadLog: options.writeAheadLog,
      manifest: manifest)
    options.announce?(
      "recovering the backup with Postgres \(programs.versionText) in \(scratch.path.quoted), which "
        + "needs \(space)")
    try FreeSpace.require(
      space.leastByteCount, at: scratch.path, purpose: "the recovery", option: "--scratch")
    var intake = ScratchIntake(scratch: scratch, programs: programs, manifest: manifest)
    intake.sizeLimit = sizeLimit
    intake.identity = identity
    return Place(
      backup: backup, isInOnePass: inOnePass, directory: directory, programs: programs,
      manifest: manifest, intake: intake,
      inputByteCount: space.inputByteCount, idleLimit: options.idleLimit)
  }

  /// Refuses programs that cannot recover the backup, as far as its beginning says which version it
  /// is of.
  private func require(
    _ programs: PostgresPrograms, for backup: OnlineBackup
  ) throws(Failure) {
    switch RecoveryAdvice.version(of: backup) {
    case .success(let version?): try programs.require(version)
    case .success(nil): break
    case .failure(let error):
      throw Failure(error, in: self.backup.quoted, damage: .versionFileDamaged)
    }
  }

  /// What compares the backup with its manifest: with the one given, the one beside its tars or in
  /// the directory, or the one that a tar may hold at its end.
  private func manifestCheck(of backup: OnlineBackup) throws(Failure) -> ManifestCheck? {
    guard checksManifest else { return nil }
    let check = ManifestCheck()
    var known = manifest
    if known == nil { known = try backup.knownManifest() }
    if let known {
      try check.read(fileAt: known, isGiven: manifest != nil)
    } else if case .directory = backup {
      return nil
    }
    return check
  }

  // MARK: The copy

  /// Copies the WAL that is given besides the backup; first, so that a file without any WAL is found
  /// before a backup has been copied.
  func takeGivenWriteAheadLog(
    into intake: inout ScratchIntake, _ input: InputProgress
  ) throws(Failure) {
    guard let path = options.writeAheadLog else { return }
    var log = WriteAheadLogIntake(
      path: path, directory: intake.scratch.data + "/pg_wal", progress: input)
    log.sizeLimit = sizeLimit
    log.reserve = intake.scratch.reserve
    try log.run()
    try intake.takeGivenWriteAheadLog(log.names)
  }

  private func unpack(
    _ backup: OnlineBackup, _ directory: BackupDirectory?, into intake: inout ScratchIntake,
    _ input: InputProgress
  ) throws(Failure) {
    guard intake.identity?.mismatch == nil else { return }
    if let directory {
      var copy = DirectoryCopy(intake, progress, input)
      try copy.run(directory)
      intake = copy.intake
    }
    var copy = BackupCopy(intake, progress)
    defer { intake = copy.intake }
    func open(_ path: String, _ origin: InputOrigin) throws(Failure) -> TarReader {
      try TarReader(path: path, origin, sizeLimit: sizeLimit, progress: input)
    }
    switch backup {
    case .tar(let path):
      try copy.run(
        open(path, .named), as: .dataDirectory, strippingComponents: stripComponents)
    case .tars(let base, let writeAheadLog, let tablespaces):
      if let writeAheadLog, options.writeAheadLog == nil {
        try copy.run(open(writeAheadLog, .found), as: .writeAheadLog)
        copy.intake.identity?.judgeLog(isGiven: false)
      }
      try copy.run(open(base, .found), as: .dataDirectory)
      for (id, path) in tablespaces {
        try copy.intake.addTablespace(id)
        try copy.run(open(path, .found), as: .tablespace(id))
      }
    case .directory: break
    }
  }

  /// Looks at what the scratch directory holds when the backup has been read, and compares the backup
  /// with its manifest; `segments` are those of which only the pages were read.
  func examine(
    _ intake: ScratchIntake, _ place: Place, segments: SegmentTable = SegmentTable()
  ) throws(Failure) -> Copy {
    try intake.requireNoUnexpectedFiles()
    try requireTablespaces(of: intake)
    let scratch = intake.scratch
    guard try SystemCalls.status(at: scratch.data + "/global/pg_control") != nil else {
      throw intake.clues.missingControlFile
    }
    let control = try Self.controlFile(scratch)
    guard let version = intake.version, version == control.version else {
      throw Failure(
        .versionMismatch,
        "'PG_VERSION' of the backup is missing, or does not match its 'global/pg_control'"
      )
    }
    try intake.requireWholePages(control)
    let verified = try place.manifest?.finish(control, label: intake.label, segments: segments)
    if let refusal = Self.refusal(of: intake.settings, options) { throw refusal }
    if isArchiveRecovery(intake.label) { try Self.askForArchiveRecovery(in: scratch) }
    return Copy(
      version: version, control: control, label: intake.label,
      manifest: verified ?? ManifestSummary(result: .none), leftOut: intake.leftOut,
      absoluteNameCount: intake.absoluteNameCount, settings: intake.settings,
      givenWriteAheadLog: intake.givenWriteAheadLog)
  }

  /// Whether the server is to go on from the archive at the end of the copy's WAL, and to mind
  /// targets.
  private func isArchiveRecovery(_ label: BackupLabel?) -> Bool {
    label != nil || options.restoreCommand != nil || options.target != nil
      || options.targetTimeline != nil
  }

  /// The refusal of a backup that has a target of its own, with the options that ask for the same, or whose
  /// settings may have one in a file that they include; nil if there is none, or if the options say what is
  /// wanted.
  static func refusal(of own: OwnRecoverySettings, _ options: RecoveryOptions) -> Failure? {
    guard let settings = own.settings, options.target == nil, options.targetTimeline == nil,
      !options.ignoresSettings
    else { return nil }
    var words: [String] = []
    var options: [String] = []
    var isOfUnknownZone = false
    if let (name, value) = settings.target {
      let kind = name.dropFirst("recovery_target_".count)
      words.append("\(name) = '\(escaped(value.utf8))'")
      isOfUnknownZone = kind == RecoveryTarget.Kind.time.rawValue && !RecoveryTarget.hasZone(value)
      options += ["--recovery-target", kind.isEmpty ? value : "\(kind)=\(value)"]
      if settings.isExclusive {
        words.append("recovery_target_inclusive = off")
        options.append("--recovery-target-exclusive")
      }
    }
    if let timeline = settings.timeline {
      words.append("recovery_target_timeline = '\(escaped(timeline.utf8))'")
      options += ["--recovery-target-timeline", timeline]
    }
    let message: String
    if !words.isEmpty {
      message = "the backup is to be recovered to \(words.joined(separator: ", "))"
    } else if let include = settings.include {
      message =
        "the backup is to be recovered as its settings say, and a file that they include, which is not "
        + "read, may have a target: \(escaped(include.utf8))"
    } else {
      return nil
    }
    return Failure(
      .recoveryTargetInBackup, message,
      hint:
        "Say where the recovery is to end with '--recovery-target'"
        + (isOfUnknownZone ? ", the time with its offset from UTC" : "")
        + ", or recover all of the WAL with '--ignore-recovery-settings'."
    ).remedied(by: words.isEmpty || isOfUnknownZone ? nil : Remedy(options: options))
  }

  /// The look through the WAL of a copy.
  func check(_ copy: Copy, _ scratch: ScratchDirectory) -> WriteAheadLogCheck {
    WriteAheadLogCheck(
      scratch: scratch, control: copy.control, label: copy.label,
      isArchiveRecovery: isArchiveRecovery(copy.label),
      hasRestoreCommand: options.restoreCommand != nil, targetTimeline: options.targetTimeline,
      // A target may be before a gap, and one that is not reached is an error anyway.
      givenFiles: options.target == nil ? copy.givenWriteAheadLog : [], progress: progress)
  }

  /// Looks through the WAL of a copy, gives every record to `observe`, and refuses a copy without a label
  /// that is not of one moment, as far as that shows.
  ///
  /// If nothing shows it, the user has to say so. A cluster that was shut down needs no label, and of a
  /// copy without the WAL to begin with the server says more.
  ///
  /// - Parameter page: what the copy has of a block.
  func checkLog(
    _ copy: Copy, _ scratch: ScratchDirectory,
    observe: WriteAheadLogCheck.Observer = { _, _ in },
    page: (ReplayPlan.Relation, UInt32) throws(Failure) -> TornCopyCheck.Page
  ) throws(Failure) -> WriteAheadLogCheck.Extent {
    let check = check(copy, scratch)
    var changes = copy.label == nil ? try check.earlierChanges() : nil
    if let databases = changes?.databases {
      changes?.remove(
        databases: try Self.databasesInRemoval(among: databases, copy.version, in: scratch))
    }
    var log: WriteAheadLogCheck.Extent
    do throws(Failure) {
      log = try check.run { record, change throws(Failure) in
        try changes?.add(record, change, isEarlier: false)
        try observe(record, change)
      }
    } catch {
      // WAL that was copied while it was written may be broken off: a torn copy explains more.
      if error.code == .walDamaged || error.code == .walMissing {
        _ = try changes?.requireOneMoment(knowsLaterRecords: false, page)
      }
      throw error
    }
    let count = try changes?.requireOneMoment(knowsLaterRecords: !check.asksFromStart, page)
    guard copy.label == nil, ![.shutDown, .shutDownInRecovery].contains(copy.control.state) else {
      return log
    }
    if let start = changes?.start, count ?? 0 > 0 {
      log.snapshotCheck = SnapshotCheck(result: .compared, startLSN: start.description)
    } else if options.assumesSnapshot {
      log.snapshotCheck = SnapshotCheck(result: .assumed)
    } else if log.end != nil || options.restoreCommand != nil {
      throw Self.snapshotUnproved(copy.control)
    }
    return log
  }

  private static func snapshotUnproved(_ control: ControlFile) -> Failure {
    Failure(
      .snapshotUnproved,
      "the backup has no 'backup_label', and no WAL from before its last checkpoint, at "
        + "\(control.checkpointCopy.redo), to show whether its files are of one moment",
      hint:
        "For an atomic snapshot of the whole directory, and for a copy that was made while no server "
        + "ran, add '--assume-snapshot'. Any other copy of a running server's files lacks rows, without "
        + "an error: take a backup with pg_basebackup instead. If you do not know which it is, give the "
        + "WAL from before that checkpoint with '--wal'."
    ).remedied(by: nil)  // to be read, not to be pasted
  }

  /// Refuses a copy that lacks a tablespace.
  private func requireTablespaces(of intake: ScratchIntake) throws(Failure) {
    for (id, tablespace) in intake.tablespaces.sorted(by: { $0.key < $1.key })
    where !tablespace.isThere {
      let location = tablespace.location.map { ", which was in '\($0)'," } ?? ""
      throw Failure(
        .missingTablespace, "tablespace \(id)\(location) is not in the backup",
        hint: "Give the directory that contains 'base.tar' and '\(id).tar', or a tar that has the "
          + "contents of 'pg_tblspc/\(id)'.")
    }
  }

  static func controlFile(_ scratch: ScratchDirectory) throws(Failure) -> ControlFile {
    guard let file = try ClusterFiles(scratch.data).file("global/pg_control") else {
      throw BackupClues().missingControlFile
    }
    let bytes = try file.beginning(upTo: ControlFile.byteCount)
    do throws(FormatError) {
      let controlFile = try ControlFile(decoding: bytes.bytes)
      try controlFile.validateLayout()
      return controlFile
    } catch {
      throw Failure(error, in: "file 'global/pg_control'", damage: .controlFileDamaged)
    }
  }
}

/// A cluster that was recovered in a scratch directory, to be imported from there.
struct RecoveredCluster: Sendable {
  /// Removed, with the copy in it, when it is released.
  let scratch: ScratchDirectory
  /// Of the Postgres that did it, as it words that itself.
  let serverVersion: String
  /// The names of the tablespaces whose contents are in the default one now, escaped.
  let movedTablespaces: [String]
  /// What was not copied.
  let leftOut: LeftOutTally
  /// Names in the tar that began with a slash.
  let absoluteNameCount: Int
  /// What the backup's manifest said.
  let manifest: ManifestSummary

  /// Where the recovery ended.
  let end: LogSequenceNumber?
  /// When the last transaction was committed before that; nil if that is not known.
  let lastCommit: String?
  /// Why it was taken for a copy of one moment; nil if nothing had to say so.
  let snapshotCheck: SnapshotCheck?

  init(
    _ copy: Recovery.Copy, _ replay: Recovery.Replay, movedTablespaces: [String] = [],
    _ place: Recovery.Place
  ) {
    end = replay.end
    lastCommit = replay.lastCommit
    snapshotCheck = replay.snapshotCheck
    scratch = place.scratch
    serverVersion = place.programs.versionText
    self.movedTablespaces = movedTablespaces
    leftOut = copy.leftOut
    absoluteNameCount = copy.absoluteNameCount
    manifest = copy.manifest
  }
}
