import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Finds what a timeline has stored for the pages of a backup, in the backup's order.
///
/// The pages of a file follow each other in their layer as well, so most of what is read is read
/// once and in large pieces. Belongs to one stage. Memory: 1 MiB.
struct StoredPageReader {
  private let timeline: Timeline
  private let placements: PlacementTable
  private var layer: (index: UInt32, isImage: Bool, blobs: BlobReader)?
  /// The page that the layer's next blob is of.
  private var position: (run: Int, block: UInt32)?

  init(_ timeline: Timeline, _ placements: PlacementTable) {
    self.timeline = timeline
    self.placements = placements
  }

  /// Takes pages until `backup` ends, and fills the batches of `feed` with them and what is stored.
  mutating func run(
    _ backup: Channel<PageBatch>, into feed: BatchFeed<ComparisonBatch>
  ) throws(Failure) {
    while let pages = try backup.receive() {
      let batch = try feed.open()
      batch.take(pages)
      for run in pages.pages.runs {
        for page in 0..<run.pageCount {
          try append(run.file.key(block: run.firstKey.field6 + UInt32(page)), to: batch)
        }
      }
      try feed.submit()
    }
  }

  private mutating func append(_ key: Key, to batch: ComparisonBatch) throws(Failure) {
    guard let (run, block) = placements.find(key) else { return batch.appendMissing() }
    try open(placements.runs[run].layerIndex)
    if position?.run != run || (position?.block ?? 0) > block {
      position = (run, 0)
      let offset = placements.runs[run].offset
      layer?.blobs.move(to: offset)
    }
    while let passed = position?.block, passed < block {
      _ = try layer?.blobs.next(of: key)
      position = (run, passed + 1)
    }
    guard let blob = try layer?.blobs.next(of: key), let layer else {
      preconditionFailure("the layer is open")
    }
    position = (run, block + 1)
    let buffer = layer.blobs.buffer
    batch.append(
      buffer.bytes.extracting(blob.range), run: run, isCompressed: blob.header.isCompressed,
      isWrapped: !layer.isImage)
  }

  private mutating func open(_ index: UInt32) throws(Failure) {
    if layer?.index == index { return }
    let file = try timeline.open(timeline.layers[Int(index)])
    // The walk has read every blob before. A longer one is not a page, and already a finding.
    let blobs = BlobReader(file, limit: BlobReader.usualBufferByteCount)
    layer = (index, file.name.isImage, blobs)
    position = nil
  }
}
