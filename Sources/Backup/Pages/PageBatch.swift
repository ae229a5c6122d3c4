import Pipeline

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

  package var isFull: Bool { pages.isFull }

  package func reset() { pages.reset() }
}
