import LayerFormat
import PostgresFormat

/// Values that list others or stand for files, and what they say of the timeline.
extension KeyspaceCheck {
  /// What a directory's value lists, and what is wrong with it as a finding; unknown where there is no
  /// value, or none that can be decoded.
  mutating func list<Element>(
    _ meaning: KeyMeaning, _ bytes: [UInt8]?, _ decode: (RawSpan) throws(FormatError) -> [Element]
  ) -> Checklist<Element> {
    guard let bytes else { return .unknown }
    do throws(FormatError) {
      var hasDuplicates = false
      let list = Checklist(try decode(bytes.bytes), hasDuplicates: &hasDuplicates)
      if hasDuplicates { findings.add(about: meaning, "\(meaning.words) lists something twice") }
      return list
    } catch {
      findings.add(about: meaning, error.message)
      return .unknown
    }
  }

  /// Judges a value that is neither a page, nor a size, nor a list.
  mutating func check(_ meaning: KeyMeaning, _ bytes: [UInt8]) {
    do throws(FormatError) {
      switch meaning {
      case .relationMap: try RelationMapFile.check(bytes.bytes, version: try version())
      case .twoPhaseFile(let id): try checkTwoPhaseFile(id, bytes)
      case .controlFile: try checkControlFile(bytes)
      case .checkpoint: try checkCheckpoint(bytes)
      case .statisticsFile: try checkStatistics(bytes)
      case .replicationOrigin:
        guard bytes.count == 8 else { throw .damaged("it has \(bytes.count) bytes instead of 8") }
      default: break
      }
    } catch {
      findings.add(about: meaning, "\(meaning.words): \(error.message)")
    }
  }

  private func version() throws(FormatError) -> PostgresVersion {
    guard let version = PostgresVersion(rawValue: index.postgresVersion) else {
      throw .damaged("the index' pg_version \(index.postgresVersion) is not known")
    }
    return version
  }

  /// A two-phase file is stored without its checksum, which a pageserver appends on the way out.
  private func checkTwoPhaseFile(_ id: UInt64, _ bytes: [UInt8]) throws(FormatError) {
    var whole = bytes
    whole.appendLittleEndian(CRC32C.checksum(of: bytes.bytes))
    let file = try TwoPhaseFile.decode(whole.bytes)
    guard !file.wasDoubled else { throw .damaged("it is stored with its checksum") }
    let version = try version()
    try file.requireName(
      transactionID: id, digitCount: version.twoPhaseNameDigits, version: version)
  }

  private mutating func checkControlFile(_ bytes: [UInt8]) throws(FormatError) {
    let file = try ControlFile(decoding: bytes.bytes)
    controlFile = file
    guard file.version.rawValue == index.postgresVersion else {
      throw .damaged(
        "it is of Postgres \(file.version.rawValue), the index says \(index.postgresVersion)")
    }
    try file.requireCleanShutdown()
    try file.validateLayout()
    guard file.normalised().changes.isEmpty else {
      throw .damaged("it is not as a compute needs it: \(file.normalised().changes[0])")
    }
    let start = index.initdbLSN
    if file.checkPoint.rawValue == 0 {
      guard file.checkpointCopy.redo == start, index.diskConsistentLSN == start else {
        throw .damaged(
          "its checkpoint's redo \(file.checkpointCopy.redo), the index' initdb_lsn \(start) and "
            + "its end \(index.diskConsistentLSN) differ")
      }
    } else {
      guard file.checkPoint == start, index.previousRecordLSN == start else {
        throw .damaged(
          "its checkpoint is at \(file.checkPoint), the index' initdb_lsn is \(start) and its "
            + "prev_record_lsn \(index.previousRecordLSN?.description ?? "null")")
      }
    }
  }

  /// The checkpoint follows from the control file, the end and the prepared transactions.
  private func checkCheckpoint(_ bytes: [UInt8]) throws(FormatError) {
    guard bytes.count == Checkpoint.byteCount else {
      throw .damaged("it has \(bytes.count) bytes instead of \(Checkpoint.byteCount)")
    }
    let checkpoint = Checkpoint(bytes.bytes)
    guard checkpoint.redo == index.diskConsistentLSN else {
      throw .damaged("its redo is \(checkpoint.redo), the end \(index.diskConsistentLSN)")
    }
    guard let controlFile, let transactionIDs else { return }
    let expected = controlFile.checkpointCopy.forTimeline(
      end: controlFile.checkPoint.rawValue == 0 ? nil : index.diskConsistentLSN,
      preparedTransactions: transactionIDs)
    guard checkpoint == expected else {
      throw .damaged("it is not what follows from the control file")
    }
  }

  private func checkStatistics(_ bytes: [UInt8]) throws(FormatError) {
    _ = try AuxiliaryFile.decodeStatistics(bytes.bytes)
    guard try version().hasStatisticsFile else {
      throw .damaged("Postgres \(index.postgresVersion) has no such file")
    }
  }
}
