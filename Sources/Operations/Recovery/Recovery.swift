import Backup
import Pipeline
import PostgresFormat
import System

/// Brings the backup of a cluster that was running to a stop, on a copy, by its own Postgres.
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
  private let options: RecoveryOptions
  private let progress: RunProgress?

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

  /// Does all of it, or throws and leaves nothing behind.
  ///
  /// Throws `.damaged` if Postgres cannot recover the backup, `.unsupported` if the programs
  /// do not match it, `.usage` if the server's user cannot work there.
  func run() throws(Failure) -> RecoveredCluster {
    let backup = try OnlineBackup(at: backup)
    switch backup {
    case .directory(let path): try RecoveryAdvice.requireDirectory(path)
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
    let manifest = try manifestCheck(of: backup)
    let byteCount = try requireSpace(for: backup, directory, manifest, at: scratch, programs)

    var intake = ScratchIntake(scratch: scratch, programs: programs, manifest: manifest)
    intake.sizeLimit = sizeLimit
    let input = InputProgress()
    progress?.begin(.copying, reading: input, byteCount: backup.isPipe ? nil : byteCount)
    if let path = options.writeAheadLog {
      // First, so that a file without any WAL is found before a backup has been copied.
      var log = WriteAheadLogIntake(
        path: path, directory: scratch.data + "/pg_wal", progress: input)
      log.sizeLimit = sizeLimit
      log.reserve = scratch.reserve
      try log.run()
      intake.givenWriteAheadLog = log.names
    }
    try unpack(backup, directory, into: &intake, input)
    try intake.requireNoUnexpectedFiles()
    try check(intake)
    guard try SystemCalls.status(at: scratch.data + "/global/pg_control") != nil else {
      throw intake.clues.missingControlFile
    }
    let before = try Self.controlFile(scratch)
    guard let version = intake.version, version == before.version else {
      throw Failure(
        .versionMismatch,
        "'PG_VERSION' of the backup is missing, or does not match its 'global/pg_control'"
      )
    }
    let verified = try manifest?.finish(before, label: intake.label)
    if intake.label != nil { try Self.askForArchiveRecovery(in: scratch) }
    let log = try WriteAheadLogCheck(
      scratch: scratch, control: before, label: intake.label,
      hasRestoreCommand: options.restoreCommand != nil, progress: progress
    ).run()
    // Only now: up to here files of the copy are opened by their paths.
    if let user { try scratch.give(to: user, passable: options.trustsBackup) }
    let server = SingleUserServer(
      programs: programs, scratch: scratch, idleLimit: options.idleLimit)
    let control = try recover(server, from: before, log)
    let moved = try moveTablespaces(server, control, fileCount: intake.fileCount)
    if user != nil { try scratch.takeBack() }
    return RecoveredCluster(
      scratch: scratch, serverVersion: programs.versionText, movedTablespaces: moved,
      leftOut: intake.leftOut, absoluteNameCount: intake.absoluteNameCount,
      manifest: verified ?? ManifestSummary(result: .none))
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

  /// Says how much room the copy takes, and refuses a clear shortage; gives the backup's size.
  private func requireSpace(
    for backup: OnlineBackup, _ directory: BackupDirectory?, _ manifest: ManifestCheck?,
    at scratch: ScratchDirectory, _ programs: PostgresPrograms
  ) throws(Failure) -> UInt64 {
    let needed = try RecoverySpace(
      of: backup, directory, writeAheadLog: options.writeAheadLog, manifest: manifest)
    options.announce?(
      "recovering the backup with Postgres \(programs.versionText) in \(scratch.path.quoted), which "
        + "needs \(needed)")
    try FreeSpace.require(
      needed.leastByteCount, at: scratch.path, purpose: "the recovery", option: "--scratch")
    return needed.inputByteCount
  }

  // MARK: The copy

  private func unpack(
    _ backup: OnlineBackup, _ directory: BackupDirectory?, into intake: inout ScratchIntake,
    _ input: InputProgress
  ) throws(Failure) {
    if let directory {
      var copy = DirectoryCopy(intake, progress, input)
      try copy.run(directory)
      intake = copy.intake
    }
    var copy = TarCopy(intake, progress, input)
    defer { intake = copy.intake }
    switch backup {
    case .tar(let path):
      try copy.run(path, .named, as: .dataDirectory, strippingComponents: stripComponents)
    case .tars(let base, let writeAheadLog, let tablespaces):
      try copy.run(base, .found, as: .dataDirectory)
      for (id, path) in tablespaces {
        try copy.intake.addTablespace(id)
        try copy.run(path, .found, as: .tablespace(id))
      }
      if let writeAheadLog, options.writeAheadLog == nil {
        try copy.run(writeAheadLog, .found, as: .writeAheadLog)
      }
    case .directory: break
    }
  }

  /// Refuses a copy that lacks a tablespace.
  private func check(_ intake: ScratchIntake) throws(Failure) {
    for (id, tablespace) in intake.tablespaces.sorted(by: { $0.key < $1.key })
    where !tablespace.isThere {
      let location = tablespace.location.map { ", which was in '\($0)'," } ?? ""
      throw Failure(
        .missingTablespace, "tablespace \(id)\(location) is not in the backup",
        hint: "Give the directory that contains 'base.tar' and '\(id).tar', or a tar that has the "
          + "contents of 'pg_tblspc/\(id)'.")
    }
  }

  private static func controlFile(_ scratch: ScratchDirectory) throws(Failure) -> ControlFile {
    let name = DirectoryHandle.name("pg_control")
    let directory = try DirectoryHandle(path: scratch.data)
      .openDirectory(DirectoryHandle.name("global"))
    guard try directory.status(of: name)?.kind == .file else {
      throw BackupClues().missingControlFile
    }
    let bytes = try directory.openFile(name).beginning(upTo: ControlFile.byteCount)
    do throws(FormatError) {
      let controlFile = try ControlFile(decoding: bytes.bytes)
      try controlFile.validateLayout()
      return controlFile
    } catch {
      throw Failure(error, in: "file 'global/pg_control'", damage: .controlFileDamaged)
    }
  }

  // MARK: The server

  /// Asks for recovery from an archive, even if there is none.
  ///
  /// The server then insists on the WAL up to the backup's end, whatever way the backup was made,
  /// and recovers one of a standby as well. A cluster without a label has crashed or was stopped.
  /// (Postgres, `xlog.c`, `StartupXLOG`: what it says when it ran off the end of WAL)
  private static func askForArchiveRecovery(in scratch: ScratchDirectory) throws(Failure) {
    try OutputFile(creating: scratch.data + "/recovery.signal", mode: 0o600).close()
  }

  /// Has the server replay the WAL and stop, and gives the control file that it leaves.
  ///
  /// A session that fails after that, as when the machine lacks the database's locale, does not
  /// count: a server that has recovered writes a checkpoint before it ends, however it ends, and
  /// one that has not writes none. (Postgres, `postinit.c`, `InitPostgres`: `ShutdownXLOG` is
  /// registered after `StartupXLOG`)
  private func recover(
    _ server: SingleUserServer, from before: ControlFile, _ log: WriteAheadLogCheck.Extent
  ) throws(Failure) -> ControlFile {
    let scratch = server.scratch
    let position = ReplayPosition(
      in: server.programs.sandbox.directory, from: log.start, before.walSegmentSize
    ) { try? Self.controlFile(scratch) }
    progress?.begin(.replaying) {
      RunProgress.Amount(
        done: position.current().rawValue - log.start.rawValue,
        total: log.end.map { $0.rawValue - log.start.rawValue })
    }
    let channel = try options.restoreCommand.map { command throws(Failure) in
      try RestoreChannel(
        command: command, scratch: scratch, control: before, requested: position.reach)
    }
    progress?.note {
      "LSN \(position.current())" + (log.end.map { " of \($0)" } ?? "")
        + (channel?.isFetching == true ? ", waiting for the restore command" : "")
    }
    let result = try server.run(
      in: Array("template1".utf8), commands: [], control: before, channel: channel,
      position: position)
    let after = try Self.controlFile(scratch)
    guard after.state == .shutDown, after.checkPoint != before.checkPoint else {
      throw Failure(
        .recoveryFailed,
        "Postgres cannot recover the backup: \(ServerLog.describe(result, log: scratch.log))",
        hint: WriteAheadLogCheck.hint)
    }
    position.finish(at: log.end)
    return after
  }

  /// Moves the contents of tablespaces, if there are any, and checks that nothing is left.
  private func moveTablespaces(
    _ server: SingleUserServer, _ control: ControlFile, fileCount: Int
  ) throws(Failure) -> [String] {
    let data = try DirectoryHandle(path: server.scratch.data)
    let directory = try data.openDirectory(DirectoryHandle.name("pg_tblspc"))
    let links = try directory.names()
    guard !links.isEmpty else { return [] }
    // One that was made while WAL from a restore command was replayed leads elsewhere.
    for link in links {
      let target = try directory.linkTarget(of: link)
      let id = UInt32(DirectoryHandle.text(link))
      guard target == id.map(ScratchDirectory.tablespaceLink) else {
        throw WriteAheadLogCheck.newTablespace(at: target)
      }
    }
    let move = TablespaceMove(server: server, control: control, progress: progress)
    let moved = try move.run(fileCount: fileCount)
    if let name = try directory.names().first {
      throw Failure(
        .tablespaceMoveFailed,
        "Postgres has not moved all tablespaces: "
          + "'pg_tblspc/\(escaped(DirectoryHandle.text(name).utf8))' still exists")
    }
    let after = try Self.controlFile(server.scratch)
    guard after.state == .shutDown else {
      throw Failure(
        .tablespaceMoveFailed,
        "Postgres has moved the tablespaces but did not stop cleanly (state: \(after.state))")
    }
    return moved
  }
}

/// A cluster that was brought to a stop on a scratch copy, to be imported from there.
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
}
