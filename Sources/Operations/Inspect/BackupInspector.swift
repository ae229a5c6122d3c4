import Backup
import Pipeline
import PostgresFormat
import System

/// Reads a backup once, as an import does but for its pages, and describes it.
///
/// What would end an import is remembered, the first of it, and the reading goes on. Memory: the
/// table of segments that an import keeps, some 150 bytes a relation, and `CatalogRows`.
struct BackupInspector {
  private let source: any BackupSource
  private var intake: MemberIntake
  private var segments = SegmentTable()
  private var relations = RelationTally(ofTimeline: false)
  private var catalogRows = CatalogRows()
  private var refusal: Failure?
  private var isIncremental = false
  private var hasBackupLabel = false
  private var description = BackupDescription()

  /// Describes the backup at `path`, `-` for standard input; of several tars the one of the data
  /// directory.
  ///
  /// Throws if the input cannot be read to its proper end.
  static func inspect(
    _ path: String, strippingComponents: Int, sizeLimit: SizeLimit? = nil,
    progress: RunProgress? = nil
  ) throws(Failure) -> BackupDescription {
    var tar: String?
    if case .tars(let base, _, _) = try OnlineBackup(at: path) { tar = base }
    let input = InputProgress()
    progress?.begin(.reading, reading: input)
    let source = try openBackup(
      tar ?? path, tar == nil ? .named : .found, strippingComponents: strippingComponents,
      contents: .smallFiles, sizeLimit: sizeLimit, progress: input)
    var inspector = BackupInspector(
      source: source, strippingComponents: strippingComponents,
      recoveryRefusal: RecoveryAdvice(backup: path).refusal)
    inspector.description.backupPath = absoluteInput(path)
    inspector.description.isDirectory = tar == nil && isDirectory(path)
    inspector.noteOnlineBackup(at: path)
    if inspector.description.isDirectory { inspector.noteServer(workingIn: path) }
    while let member = try source.nextMember() {
      try Interruption.check()
      progress?.note { escaped(member.name.utf8) }
      inspector.take(member)
    }
    inspector.check()
    try inspector.addNames()
    return inspector.description
  }

  private init(
    source: any BackupSource, strippingComponents: Int,
    recoveryRefusal: @escaping RecoveryRefusal
  ) {
    self.source = source
    intake = MemberIntake(
      source: source, stripComponents: strippingComponents, recoveryRefusal: recoveryRefusal,
      smallRelationSize: 0)
  }

  /// Remembers what an import looks at before it opens the backup.
  private mutating func noteOnlineBackup(at path: String) {
    do throws(Failure) {
      try OnlineBackup.requireNone(for: RecoveryAdvice(backup: path))
    } catch {
      refuse(error)
    }
  }

  /// Remembers a server that works in a data directory, which keeps an import from beginning.
  private mutating func noteServer(workingIn path: String) {
    do throws(Failure) {
      try ServerLock.requireNone(in: try DirectoryHandle(path: path))
    } catch {
      refuse(error)
    }
  }

  /// Takes one member; an error of the source itself shows again when its next member is asked for.
  private mutating func take(_ member: BackupMember) {
    if member.kind != .directory {
      description.fileCount += 1
      description.byteCount &+= member.byteCount
    }
    do throws(Failure) {
      note(member, at: try member.path(strippingComponents: intake.stripComponents))
      if let pages = try intake.take(member) { try count(pages, of: member) }
    } catch {
      refuse(error)
    }
  }

  /// Remembers what says of which kind the backup is.
  private mutating func note(_ member: BackupMember, at path: MemberPath?) {
    guard let path else { return }
    switch MemberDecision(path, kind: member.kind) {
    case .incremental: isIncremental = true
    case .backupLabel: hasBackupLabel = true
    default: break
    }
  }

  private mutating func count(
    _ pages: MemberIntake.Pages, of member: BackupMember
  ) throws(Failure) {
    guard case .relation(let segment, _) = pages.file else { return }
    relations.add(
      RelationID(databaseID: segment.databaseID, relationNumber: segment.relationNumber),
      segment.fork, byteCount: member.byteCount)
    segments.add(
      segment, blockCount: UInt32(member.byteCount / UInt64(PageHeader.pageByteCount)),
      highestLSN: LogSequenceNumber(rawValue: 0), block: 0, isNew: true)
    // Of a directory no pages are read now: they can be looked up later.
    guard !description.isDirectory else { return }
    try catalogRows.read(
      segment, catalog: intake.contents.numberOfClassCatalog(inDatabase: segment.databaseID),
      from: source, sizes: relations)
  }

  private mutating func refuse(_ error: Failure) {
    if refusal == nil { refusal = error }
  }

  // MARK: At the end

  /// Judges the whole backup in the order of an import, and fills in the description.
  private mutating func check() {
    var contents = intake.contents
    do throws(Failure) {
      try intake.requireNoUnexpectedFiles()
      let assessment = try contents.assessed()
      description.importLSN = assessment.importLSN.description
      description.endLSN = assessment.endLSN.description
      description.previousRecordLSN = assessment.previousRecordLSN?.description
      let relations = try segments.relations(upTo: assessment.endLSN)
      try contents.requireComplete(relations, version: assessment.version)
    } catch {
      refuse(error)
    }
    describeControlFile()
    description.backupKind = kind(of: contents)
    description.isImportable = refusal == nil
    description.refusal = refusal.map {
      BackupDescription.Refusal(
        code: $0.code.rawValue, exitCode: $0.exitCode.rawValue, error: $0.message, hint: $0.hint)
    }
    description.inputByteCount =
      description.isDirectory ? description.byteCount : source.inputBytesRead
    description.isCompressed = source.isCompressed
    description.databases = relations.databases(also: contents.databases.keys)
    description.relationCount = relations.relationCount
    description.unloggedRelationCount = relations.unloggedRelationCount
    description.relations = relations.largest(RelationSize.listedLimit)
    description.preparedTransactionCount = contents.twoPhaseFiles.count
    description.replicationOriginCount = contents.replicationOrigins?.origins.count ?? 0
    description.lostReplicationSlots = contents.leftOut.slots.sorted()
    description.leftOut = contents.leftOut.summary
  }

  /// Adds what databases and relations are called, as far as their catalogs say it.
  private mutating func addNames() throws(Failure) {
    let contents = intake.contents
    guard let version = contents.version else { return }
    var maps = RelationMaps()
    for case (let id, let map?) in contents.databases {
      maps.add(map.bytes, ofDatabase: id, version: version)
    }
    var search = NameSearch(description.relations, maps: maps)
    for row in contents.possibleDatabaseRows() { search.take(row) }
    if description.isDirectory {
      try searchFiles(&search, maps)
    } else {
      catalogRows.search(&search, maps: maps)
    }
    search.name(&description.databases, &description.relations)
  }

  /// Looks the names up in a data directory, in which a server may be running.
  private func searchFiles(_ search: inout NameSearch, _ maps: RelationMaps) throws(Failure) {
    do throws(Failure) {
      let data = try ClusterFiles(description.backupPath)
      for id in search.databases(of: description.databases.map(\.id)).sorted() {
        guard let catalog = maps.number(of: RelationMapFile.classCatalog, inDatabase: id) else {
          continue
        }
        try data.forEachPage(
          of: ReplayPlan.Relation(databaseID: id, relationNumber: catalog)
        ) { page throws(Failure) in search.takeRelations(on: page, ofDatabase: id) }
      }
    } catch {
      // A file that is not there any more names nothing.
      guard error.exitCode == .damaged || error.exitCode == .cannotOpen else { throw error }
    }
  }

  /// All that can be said of the control file: little if its version is not known, nothing
  /// if it is of a known one and its checksum is wrong.
  private mutating func describeControlFile() {
    description.postgresVersion = intake.versionFileBytes.flatMap { bytes in
      Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
    guard let bytes = intake.controlFileBytes,
      let identity = ControlFileIdentity(decoding: bytes.bytes)
    else { return }
    let controlFile: ControlFile?
    do throws(FormatError) {
      controlFile = try ControlFile(decoding: bytes.bytes)
    } catch {
      guard error.code != nil else { return }
      controlFile = nil
    }
    description.systemIdentifier = String(identity.systemIdentifier)
    description.controlFileVersion = identity.controlFileVersion
    description.catalogVersion = identity.catalogVersion
    description.state = identity.state.description
    guard let controlFile else { return }
    description.postgresVersion = controlFile.version.rawValue
    description.hasDataChecksums = controlFile.dataChecksumVersion != 0
    description.walSegmentByteCount = controlFile.walSegmentSize
    description.postgresTimeline = controlFile.checkpointCopy.timelineID
    description.checkpointLSN = controlFile.checkPoint.description
  }

  private func kind(of contents: ClusterContents) -> String {
    if isIncremental { return "incremental backup" }
    if hasBackupLabel { return "running cluster" }
    if contents.signal != nil { return ClusterAssessment.Kind.fullbackup.rawValue }
    guard let bytes = intake.controlFileBytes,
      let identity = ControlFileIdentity(decoding: bytes.bytes)
    else { return "unknown" }
    return switch identity.state {
    case .shutDown: ClusterAssessment.Kind.cleanShutdown.rawValue
    case .shutDownInRecovery: "standby"
    case .unknown: "unknown"
    default: "running cluster"
    }
  }
}
