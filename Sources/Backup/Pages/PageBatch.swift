import LayerFormat
import Pipeline
import PostgresFormat

/// Pages on their way from the backup to a layer, a fixed number of batches at once.
package final class PageBatch: PipelineBatch, @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (reader, worker, writer); it changes hands
  // through a channel, whose lock orders the accesses.

  /// The place of the batch in the order of the backup.
  package var sequence = 0
  /// A structure of its own: who works on many pages gets hold of it once, not for each page.
  package var pages: PageRuns

  /// An empty batch, which looks at the checksums of its pages where `checksPages` is true.
  package init(checksPages: Bool = false) { pages = PageRuns(checksPages: checksPages) }

  /// Whether no more pages or no more files fit.
  package var isFull: Bool { pages.isFull }

  /// Empties the batch and keeps its memory.
  package func reset() { pages.reset() }
}

/// A file of the backup that consists of pages.
package enum PageFile: Sendable {
  /// A segment of a relation fork; `isInImageLayer` if its pages go to image layers, not to L0s.
  case relation(RelationSegment, isInImageLayer: Bool)
  /// A segment of one of the logs of transaction state.
  case slru(SLRUKind, segment: UInt32)

  /// Whether the pages go to image layers; SLRU pages never do.
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
