import LayerFormat
import PostgresFormat

/// What becomes of each member of a backup.
extension BackupReader {
  /// The bytes of small files (maps, prepared transactions, origins) that a backup may have.
  private static let smallFileLimit: UInt64 = 32 << 20
  /// Statistics longer than this are left out: a server gathers them anew.
  private static let statisticsLimit: UInt64 = 16 << 20

  /// Carries out the decision about a member.
  func take(_ member: TarMember, _ path: MemberPath) async throws(ImportError) {
    switch DataDirectoryMember(path, kind: member.kind) {
    case .relationSegment(let segment):
      try await takeRelationSegment(segment, member, path)
    case .slruSegment(let kind, let segmentNumber):
      try await takeSLRUSegment(kind, segmentNumber, member, path)
    case .relationMap(let databaseID):
      try requireOnce(!contents.hasRelationMap(databaseID), path)
      contents.databases[databaseID] = try readSmallFile(member, path)
    case .versionFile(let databaseID):
      try requireOnce(contents.versions[databaseID] == nil, path)
      if let databaseID { contents.addDatabase(databaseID) }
      contents.versions[databaseID] = try decode(member, path, PostgresVersion.init(versionFile:))
    case .twoPhase(let xid, let digitCount):
      try takeTwoPhaseFile(xid, digitCount, member, path)
    case .statistics:
      try takeStatistics(member, path)
    case .replicationOrigins:
      try requireOnce(contents.replicationOrigins == nil, path)
      contents.replicationOrigins = try decode(member, path, ReplicationOrigins.decode)
    case .controlFile:
      try takeControlFile(member, path)
    case .neonSignal:
      let signal = try decode(member, path, NeonSignal.decode)
      guard contents.signal == nil || contents.signal == signal else {
        throw ImportError(.damaged, "'neon.signal' and 'zenith.signal' contradict each other")
      }
      contents.signal = signal
    case .directory: break
    case .leftOut(let reason, let slot):
      leaveOut(member, path, reason, slot: slot)
    case .backupLabel, .tablespaceMap, .tablespace, .incremental, .refused:
      try refuse(member, path)
    }
  }

  // MARK: Files of pages

  private func takeRelationSegment(
    _ segment: RelationSegment, _ member: TarMember, _ path: MemberPath
  ) async throws(ImportError) {
    let limit = UInt64(RelationSegment.blockCount) * UInt64(PageHeader.pageByteCount)
    try requirePages(member, path, limit: limit, "a relation segment's 1 GiB")
    contents.addDatabase(segment.databaseID)
    let isInImageLayer = member.byteCount > 0 && member.byteCount >= plan.smallRelationSize
    try await readPages(
      of: .relation(segment, isInImageLayer: isInImageLayer), member,
      firstBlock: segment.segmentNumber * RelationSegment.blockCount)
  }

  private func takeSLRUSegment(
    _ kind: SLRUKind, _ number: UInt32, _ member: TarMember, _ path: MemberPath
  ) async throws(ImportError) {
    let limit = UInt64(SLRUKind.pagesPerSegment * PageHeader.pageByteCount)
    try requirePages(
      member, path, limit: limit, "an SLRU segment's \(SLRUKind.pagesPerSegment) pages")
    try requireOnce(contents.slruSegments[kind]?[number] == nil, path)
    contents.slruSegments[kind, default: [:]][number] = UInt32(
      member.byteCount / UInt64(PageHeader.pageByteCount))
    try await readPages(of: .slru(kind, segment: number), member, firstBlock: 0)
  }

  /// Refuses a file of pages by its size, before its first byte is read.
  private func requirePages(
    _ member: TarMember, _ path: MemberPath, limit: UInt64, _ limitInWords: String
  ) throws(ImportError) {
    let pageByteCount = UInt64(PageHeader.pageByteCount)
    guard member.byteCount <= limit else {
      throw ImportError(
        .damaged, "file '\(path)' has \(member.byteCount) bytes, more than \(limitInWords)")
    }
    guard member.byteCount.isMultiple(of: pageByteCount) else {
      throw ImportError(
        .damaged,
        "file '\(path)' has \(member.byteCount) bytes, which is no multiple of \(pageByteCount)",
        hint: "The file was cut off or is torn. Make the backup anew.")
    }
  }

  // MARK: Small files

  private func takeControlFile(_ member: TarMember, _ path: MemberPath) throws(ImportError) {
    try requireOnce(contents.controlFile == nil, path)
    contents.controlFile = try decode(member, path) { bytes throws(FormatError) in
      let controlFile = try ControlFile(decoding: bytes)
      try controlFile.requireCleanShutdown()
      try controlFile.validateLayout()
      return controlFile
    }
  }

  private func takeTwoPhaseFile(
    _ xid: UInt64, _ digitCount: Int, _ member: TarMember, _ path: MemberPath
  ) throws(ImportError) {
    try requireOnce(contents.twoPhaseFiles[xid] == nil, path)
    var bytes = try readSmallFile(member, path)
    let file = try decode(bytes, path, TwoPhaseFile.decode)
    bytes.removeSubrange(file.storedByteCount...)
    if file.wasDoubled { contents.mendedTwoPhaseFileCount += 1 }
    contents.twoPhaseFiles[xid] = ClusterContents.PreparedTransaction(
      nameDigitCount: digitCount, file: file, stored: bytes)
  }

  private func takeStatistics(_ member: TarMember, _ path: MemberPath) throws(ImportError) {
    try requireOnce(contents.statistics == nil, path)
    guard member.byteCount <= Self.statisticsLimit else {
      contents.leftOut.add(
        path.description, byteCount: member.byteCount, reason: .largeStatistics)
      return
    }
    contents.statistics = try readSmallFile(member, path)
  }

  private func leaveOut(
    _ member: TarMember, _ path: MemberPath, _ reason: LeftOutReason, slot: String?
  ) {
    // A directory counts only where it is the user's own: what is in it is counted by itself.
    if member.kind != .directory || reason == .userFiles {
      contents.leftOut.add(path.description, byteCount: member.byteCount, reason: reason)
    }
    if let slot { contents.leftOut.addSlot(slot) }
    if let depth = path.componentsBeforeControlFile, depth > 0 { contents.misplacedDepth = depth }
  }

  /// Throws what is wrong with a member that cannot be imported; returns for one that is empty
  /// where that makes it harmless.
  private func refuse(_ member: TarMember, _ path: MemberPath) throws(ImportError) {
    switch DataDirectoryMember(path, kind: member.kind) {
    case .backupLabel:
      throw ImportError(
        .unsupported, "the cluster was running while it was backed up: 'backup_label' is there",
        hint: ControlFile.recoveryHint(for: contents.versions[nil] ?? .v17))
    case .tablespaceMap:
      if member.byteCount > 0 { throw tablespaceError("'tablespace_map' names some") }
    case .tablespace(let name):
      throw tablespaceError("'pg_tblspc/\(name)'")
    case .incremental:
      throw ImportError(
        .unsupported, "the backup is incremental: '\(path)'",
        hint: "Combine it with the backups before it with pg_combinebackup.")
    case .refused(let error):
      throw ImportError(error, in: "member '\(path)'")
    default: break
    }
  }

  private func tablespaceError(_ where: String) -> ImportError {
    ImportError(
      .unsupported, "the cluster has tablespaces, which the storage does not know: \(`where`)",
      hint: "Move everything to the default tablespace (ALTER TABLE ALL IN TABLESPACE … SET "
        + "TABLESPACE pg_default, ALTER DATABASE … SET TABLESPACE pg_default), drop the "
        + "tablespaces, and back the cluster up again.")
  }

  // MARK: Reading

  /// The whole of a file that is kept in memory; together they have a limit.
  private func readSmallFile(
    _ member: TarMember, _ path: MemberPath
  ) throws(ImportError) -> [UInt8] {
    guard member.byteCount <= Self.smallFileLimit - smallFileByteCount else {
      throw ImportError(
        .unsupported,
        "with file '\(path)' of \(member.byteCount) bytes, maps and prepared transactions take "
          + "more than \(Self.smallFileLimit >> 20) MiB")
    }
    smallFileByteCount += member.byteCount
    var bytes = [UInt8](repeating: 0, count: Int(member.byteCount))
    let count = try bytes.withMutableBytes { bytes throws(ImportError) in
      try tar.read(into: &bytes)
    }
    precondition(count == Int(member.byteCount), "the tar reader ends a member at its size")
    return bytes
  }

  private func decode<Value>(
    _ member: TarMember, _ path: MemberPath, _ decode: (RawSpan) throws(FormatError) -> Value
  ) throws(ImportError) -> Value {
    try self.decode(try readSmallFile(member, path), path, decode)
  }

  private func decode<Value>(
    _ bytes: [UInt8], _ path: MemberPath, _ decode: (RawSpan) throws(FormatError) -> Value
  ) throws(ImportError) -> Value {
    do throws(FormatError) {
      return try decode(bytes.bytes)
    } catch {
      throw ImportError(error, in: "member '\(path)'")
    }
  }

  private func requireOnce(_ isFirst: Bool, _ path: MemberPath) throws(ImportError) {
    guard isFirst else {
      throw ImportError(.damaged, "file '\(path)' stands twice in the backup")
    }
  }
}
