import PostgresFormat

extension KeyMeaning {
  /// The file in a data directory that the value is, or is a part of; for a page also the block in
  /// its relation fork or SLRU segment.
  public var file: (path: String, block: UInt32?) {
    switch self {
    case .databaseDirectory: ("base", nil)
    case .relationMap(let databaseID):
      (RelationSegment.directory(ofDatabase: databaseID) + "/pg_filenode.map", nil)
    case .relationDirectory(let databaseID):
      (RelationSegment.directory(ofDatabase: databaseID), nil)
    case .relationBlock(let relation, let block):
      (relation.segment(ofBlock: block).path, block)
    case .relationSize(let relation): (relation.description, nil)
    case .slruDirectory(let kind): (kind.directory, nil)
    case .slruBlock(let kind, let segment, let block):
      (kind.path(ofSegment: segment), block)
    case .slruSegmentSize(let kind, let segment): (kind.path(ofSegment: segment), nil)
    case .twoPhaseDirectory: ("pg_twophase", nil)
    case .twoPhaseFile(let transactionID):
      ("pg_twophase/" + transactionID.hexadecimal(8), nil)
    case .controlFile, .checkpoint: ("global/pg_control", nil)
    case .statisticsFile: (AuxiliaryFile.statisticsPath, nil)
    case .replicationOrigin: ("pg_logical/replorigin_checkpoint", nil)
    }
  }

  /// The value in words, for a sentence: `the size of 'base/5/1259'`.
  public var words: String {
    let (path, block) = file
    if let block { return "block \(block) of '\(path)'" }
    return switch self {
    case .databaseDirectory: "the database directory"
    case .relationDirectory: "the relation directory of '\(path)'"
    case .relationSize, .slruSegmentSize: "the size of '\(path)'"
    case .slruDirectory, .twoPhaseDirectory: "the directory of '\(path)'"
    case .checkpoint: "the checkpoint"
    case .replicationOrigin(let id): "replication origin \(id)"
    default: "'\(path)'"
    }
  }
}

extension RelationForkID {
  /// The segment file that holds a block.
  func segment(ofBlock block: UInt32) -> RelationSegment {
    RelationSegment(
      databaseID: databaseID, relationNumber: relationNumber, fork: fork,
      segmentNumber: block / RelationSegment.blockCount)
  }
}
