import LayerFormat
import PostgresFormat

/// What values say of the timeline beyond their form, which `KeyspaceRules` checks.
extension KeyspaceCheck {
  /// Checks what is in a value against the index and what came before it.
  mutating func check(_ meaning: KeyMeaning, _ bytes: [UInt8]) {
    do throws(FormatError) {
      switch meaning {
      case .relationMap: try RelationMapFile.check(bytes.bytes, version: try version())
      case .twoPhaseDirectory:
        transactionIDs = PostgresVersion(rawValue: index.postgresVersion).flatMap { version in
          try? DirectoryValue.decodeTransactions(bytes.bytes, version: version)
        }
      case .twoPhaseFile(let id): try checkTwoPhaseFile(id, bytes)
      case .controlFile: try checkControlFile(bytes)
      case .checkpoint: try checkCheckpoint(bytes)
      case .statisticsFile:
        guard try version().hasStatisticsFile else {
          throw .damaged("Postgres \(index.postgresVersion) has no such file")
        }
      default: break
      }
    } catch {
      findings.add(.valueInconsistent, about: meaning, "\(meaning.words): \(error.message)")
    }
  }

  private func version() throws(FormatError) -> PostgresVersion {
    guard let version = PostgresVersion(rawValue: index.postgresVersion) else {
      throw .damaged("pg_version \(index.postgresVersion) of the index is unknown")
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
        "it is from Postgres \(file.version.rawValue), but the index says \(index.postgresVersion)")
    }
    try file.requireCleanShutdown()
    try file.validateLayout()
    guard file.normalised().changes.isEmpty else {
      throw .damaged("it is not as a compute needs it: \(file.normalised().changes[0].message)")
    }
    let start = index.initdbLSN
    if file.checkPoint.rawValue == 0 {
      guard file.checkpointCopy.redo == start, index.diskConsistentLSN == start else {
        throw .damaged(
          "its checkpoint has redo \(file.checkpointCopy.redo), but the index has initdb_lsn "
            + "\(start) and end \(index.diskConsistentLSN)")
      }
    } else {
      guard file.checkPoint == start, index.previousRecordLSN == start else {
        throw .damaged(
          "its checkpoint is at \(file.checkPoint), but the index has initdb_lsn \(start) and "
            + "prev_record_lsn \(index.previousRecordLSN?.description ?? "null")")
      }
    }
  }

  /// The checkpoint follows from the control file, the end and the prepared transactions.
  private func checkCheckpoint(_ bytes: [UInt8]) throws(FormatError) {
    guard bytes.count == Checkpoint.byteCount else { return }
    let checkpoint = Checkpoint(bytes.bytes)
    guard checkpoint.redo == index.diskConsistentLSN else {
      throw .damaged("its redo is \(checkpoint.redo), but the end is \(index.diskConsistentLSN)")
    }
    guard let controlFile, let transactionIDs else { return }
    let expected = controlFile.checkpointCopy.forTimeline(
      end: controlFile.checkPoint.rawValue == 0 ? nil : index.diskConsistentLSN,
      preparedTransactions: transactionIDs)
    guard checkpoint == expected else {
      throw .damaged("it does not follow from the control file")
    }
  }
}
