import LayerFormat
import PostgresFormat

/// A file of the backup that consists of pages.
package enum PageFile: Sendable {
  case relation(RelationSegment, isInImageLayer: Bool)
  case slru(SLRUKind, segment: UInt32)

  package var isInImageLayer: Bool {
    if case .relation(_, let isInImageLayer) = self { return isInImageLayer }
    return false
  }

  /// The key of a block, counted from the fork's or the SLRU segment's first.
  package func key(block: UInt32) -> Key {
    switch self {
    case .relation(let segment, _): Key(segment.relation, block: block)
    case .slru(let kind, let segment): Key(.slruBlock(kind, segment: segment, block: block))
    }
  }
}

extension RelationSegment {
  /// The fork that the segment is a part of.
  package var relation: RelationForkID {
    RelationForkID(databaseID: databaseID, relationNumber: relationNumber, fork: fork)
  }
}
