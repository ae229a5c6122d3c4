import PostgresFormat

// Each file that ends in a CRC is read twice: as it is, and with a correct CRC, which no mutation
// finds.

extension FuzzTarget {
  func runName(_ bytes: RawSpan) throws(FormatError) {
    requireShowable(escaped(bytes.array))
    guard let path = try MemberPath(bytes, strippingComponents: 0) else { return }
    precondition(
      path.components.allSatisfy {
        !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
      }, "a path does not contain '..'")
    var refusal: FormatError?
    for kind in [MemberKind.file, .directory, .symbolicLink, .hardLink, .other] {
      switch MemberDecision(path, kind: kind) {
      case .relationSegment(let segment):
        precondition(
          Array(path.description.utf8) == path.bytes, "the name of a relation needs no escapes")
        _ = segment.segmentNumber * RelationSegment.blockCount  // traps if it is too large
      case .refused(let error) where kind == .file:
        refusal = error
      case .unexpected where kind == .file:
        refusal = .damaged("unexpected file '\(path)'")
      default: break
      }
    }
    for count in 1...2 { _ = try MemberPath(bytes, strippingComponents: count) }
    if let refusal { throw refusal }
  }

  /// The bytes are those before the zeros at the end of the file.
  func runControlFile(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount <= ControlFile.byteCount else { throw .damaged("too long to be padded") }
    var file = bytes.array
    file += [UInt8](repeating: 0, count: ControlFile.byteCount - file.count)
    _ = ControlFileIdentity(decoding: file.bytes)
    _ = try? ControlFile(decoding: file.bytes)
    let end = ControlFile.Offset.checksum
    let checksum = CRC32C.checksum(of: file.bytes.extracting(0..<end))
    file.setLittleEndian(checksum, at: end)
    let controlFile = try ControlFile(decoding: file.bytes)

    let stored = controlFile.normalised().bytes
    let normalised = try ControlFile(decoding: stored.bytes)
    precondition(normalised.normalised().changes.isEmpty, "normalising once is enough")
    precondition(controlFile.settings.count == 5)
    let checkpoint = controlFile.checkpointCopy
    let prepared = [3, checkpoint.nextTransactionID, checkpoint.nextTransactionID &- 1]
    for end in [nil, checkpoint.redo] {
      let stored = checkpoint.forTimeline(end: end, preparedTransactions: prepared)
      precondition(stored.timelineID == 1 && stored.prevTimelineID == 1)
      _ = stored.forShutdown(at: checkpoint.redo)
    }
    _ = try? checkpoint.requireAssigned(
      preparedTransaction: prepared[2], version: controlFile.version)
    let clean = Result { () throws(FormatError) in try controlFile.requireCleanShutdown() }
    try controlFile.validateLayout()
    try WALLayout.requireRecordEnd(checkpoint.redo)
    // 0 in a backup by a pageserver.
    if controlFile.checkPoint.rawValue != 0 {
      let recordEnd = try WALLayout.endOfCheckpointRecord(
        startingAt: controlFile.checkPoint, segmentSize: controlFile.walSegmentSize)
      precondition(recordEnd > controlFile.checkPoint, "a record ends after its start")
    }
    try clean.get()
  }

  func runTwoPhase(_ bytes: RawSpan) throws(FormatError) {
    if (try? TwoPhaseFile.decode(bytes)) != nil { return }
    guard bytes.byteCount >= 12 else { throw .damaged("no room for a header") }
    var file = bytes.array
    file.removeLast(4)
    file.setLittleEndian(UInt32(file.count + 4), at: 4)
    let whole = TwoPhaseFile.encode(stored: file)
    let decoded = try TwoPhaseFile.decode(whole.bytes)
    precondition(decoded.storedByteCount == file.count && !decoded.wasDoubled)
    let twice = TwoPhaseFile.encode(stored: whole)
    let doubled = try TwoPhaseFile.decode(twice.bytes)
    precondition(doubled.storedByteCount == file.count && doubled.wasDoubled)
    for version in [PostgresVersion.v16, .v17] {
      try decoded.requireName(
        transactionID: UInt64(decoded.transactionID), digitCount: version.twoPhaseNameDigits,
        version: version)
    }
  }

  func runOrigins(_ bytes: RawSpan) throws(FormatError) {
    _ = try? ReplicationOrigins.decode(bytes)
    guard bytes.byteCount >= 4 else { throw .damaged("no room for a checksum") }
    var file = Array(bytes.array.dropLast(4))
    file.appendLittleEndian(CRC32C.checksum(of: file.bytes))
    let origins = try ReplicationOrigins.decode(file.bytes)
    precondition(origins.encode() == file, "origins are written as they were read")
  }

  func runSignal(_ bytes: RawSpan) throws(FormatError) {
    _ = try? PostgresVersion(versionFile: bytes)
    let signal = try NeonSignal.decode(bytes)
    let encoded = signal.encode()
    let again = try NeonSignal.decode(encoded.bytes)
    precondition(again == signal, "a signal is written as read")
  }

  func runBackupLabel(_ bytes: RawSpan) throws(FormatError) {
    let label = try BackupLabel.decode(bytes)
    precondition(label.timelineID > 0)
  }

  func runTablespaceMap(_ bytes: RawSpan) throws(FormatError) {
    for (id, path) in try TablespaceMap.decode(bytes).locations {
      precondition(id > 0 && !path.isEmpty, "a tablespace has an oid and a path")
    }
  }

  func runCatalog(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount <= PageHeader.pageByteCount else { throw .damaged("more than a page") }
    var page = bytes.array
    page += [UInt8](repeating: 0, count: PageHeader.pageByteCount - page.count)
    var count = 0
    for version in [PostgresVersion.v14, .v15] {
      let rows = CatalogRow.visible(on: page.bytes, version: version)
      for row in CatalogRow.possible(on: page.bytes, version: version) { requireShowable(row.name) }
      for row in rows { requireShowable(row.name) }
      count += rows.count
    }
    for row in RelationRow.possible(on: page.bytes) { requireShowable(row.name) }
    _ = RelationRow.looksLikeCatalog(page.bytes)
    if count == 0 { throw .damaged("no row") }
  }

  func runRelationMap(_ bytes: RawSpan) throws(FormatError) {
    for (version, byteCount) in [(PostgresVersion.v15, 512), (.v16, 524)]
    where bytes.byteCount <= byteCount {
      var map = bytes.array
      map += [UInt8](repeating: 0, count: byteCount - map.count)
      _ = try? RelationMapFile.check(map.bytes, version: version)
      let end = version == .v15 ? 504 : 520
      map.setLittleEndian(CRC32C.checksum(of: map.bytes.extracting(0..<end)), at: end)
      try RelationMapFile.check(map.bytes, version: version)
      precondition(RelationMapFile.pairs(of: map.bytes).count <= 64)
    }
  }
}
