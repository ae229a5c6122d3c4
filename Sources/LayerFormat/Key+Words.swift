import PostgresFormat

extension Key {
  /// The meaning of the key as text: `base/5/16384 block 7`.
  ///
  /// A key that no import writes is shown as its digits.
  public var words: String {
    meaning.map { $0.description } ?? "key \(self)"
  }
}

extension KeyMeaning: CustomStringConvertible {
  /// The file and block, or the kind of value.
  public var description: String {
    switch self {
    case .databaseDirectory: "directory of databases"
    case .relationMap(let databaseID):
      RelationSegment.directory(ofDatabase: databaseID) + "/pg_filenode.map"
    case .relationDirectory(0): "directory of global relations"
    case .relationDirectory(let databaseID):
      "directory of relations of " + RelationSegment.directory(ofDatabase: databaseID)
    case .relationBlock(let relation, let block): "\(relation) block \(block)"
    case .relationSize(let relation): "\(relation) size"
    case .slruDirectory(let kind): "directory of \(kind.directory)"
    case .slruBlock(let kind, let segment, let block):
      "\(kind.path(ofSegment: segment)) block \(block)"
    case .slruSegmentSize(let kind, let segment): "\(kind.path(ofSegment: segment)) size"
    case .twoPhaseDirectory: "directory of prepared transactions"
    case .twoPhaseFile(let transactionID): "prepared transaction \(transactionID)"
    case .controlFile: "global/pg_control"
    case .checkpoint: "checkpoint"
    case .statisticsFile: AuxiliaryFile.statisticsPath
    case .replicationOrigin(let id): "replication origin \(id)"
    }
  }

  /// Whether the value is a page of 8192 bytes.
  public var isPage: Bool {
    switch self {
    case .relationBlock, .slruBlock: true
    default: false
    }
  }
}

extension Range<Key> {
  /// The meaning of the keys as text: `base/5/16384 blocks 0–131071` if they are blocks of one
  /// file, and no other key could be between them.
  public var words: String {
    if lowerBound == .minimum && upperBound == .maximum { return "all keys" }
    switch (lowerBound.meaning, upperBound.meaning) {
    case (.relationBlock(let fork, let first), .relationBlock(let other, let end))
    where fork == other:
      return Self.blocks(fork.description, first, end)
    case (.relationBlock(let fork, let first), .relationSize(let other)) where fork == other:
      return "\(fork) from block \(first) on"
    case (
      .slruBlock(let kind, let segment, let first), .slruBlock(let other, let otherSegment, let end)
    ) where kind == other && segment == otherSegment:
      return Self.blocks(kind.path(ofSegment: segment), first, end)
    default:
      if lowerBound.next == upperBound { return lowerBound.words }
      return "\(lowerBound.words) … before \(upperBound.words)"
    }
  }

  private static func blocks(_ path: String, _ first: UInt32, _ end: UInt32) -> String {
    end - first == 1 ? "\(path) block \(first)" : "\(path) blocks \(first)–\(end - 1)"
  }
}
