import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Finds what a timeline has stored for the pages of a backup, in the backup's order.
///
/// The pages of a file follow each other in their layer as well, so most of what is read is read
/// once and in large pieces. Belongs to one stage. Memory: 2 MiB.
struct StoredPageReader {
  private let timeline: Timeline
  /// Where a page is looked for, one after another.
  private let tables: [PlacementTable]
  /// The layer that was read last, and the one before it: changed pages are in layers of their own.
  private var layer: OpenLayer?
  private var otherLayer: OpenLayer?

  private struct OpenLayer {
    var index: UInt32
    var isImage: Bool
    var blobs: BlobReader
    /// The page that the next blob is of.
    var position: (table: Int, run: Int, block: UInt32)?
  }

  init(_ timeline: Timeline, _ tables: [PlacementTable]) {
    self.timeline = timeline
    self.tables = tables
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
    for table in tables.indices {
      guard let (run, block) = tables[table].find(key) else { continue }
      return try append(key, at: (table, run, block), to: batch)
    }
    batch.appendMissing()
  }

  private mutating func append(
    _ key: Key, at place: (table: Int, run: Int, block: UInt32), to batch: ComparisonBatch
  ) throws(Failure) {
    let run = tables[place.table].runs[place.run]
    guard var layer = try take(run.layerIndex) else { preconditionFailure("the layer is open") }
    var block: UInt32 = 0
    if let position = layer.position, position.table == place.table, position.run == place.run,
      position.block <= place.block
    {
      block = position.block
    } else {
      layer.blobs.move(to: run.offset)
    }
    while block < place.block {
      _ = try layer.blobs.next(of: key)
      block += 1
    }
    let blob = try layer.blobs.next(of: key)
    layer.position = (place.table, place.run, place.block + 1)
    let buffer = layer.blobs.buffer
    batch.append(
      buffer.bytes.extracting(blob.range), run: place.table == 0 ? place.run : nil,
      isCompressed: blob.header.isCompressed, isWrapped: !layer.isImage)
    self.layer = layer
  }

  /// Takes out the layer of this index, open.
  private mutating func take(_ index: UInt32) throws(Failure) -> OpenLayer? {
    if layer?.index == index { return layer.take() }
    swap(&layer, &otherLayer)
    if layer?.index == index { return layer.take() }
    let file = try timeline.open(timeline.layers[Int(index)])
    // The walk has read every blob before. A longer one is not a page, and already a finding.
    let blobs = BlobReader(file, limit: BlobReader.usualBufferByteCount)
    return OpenLayer(index: index, isImage: file.name.isImage, blobs: blobs)
  }
}

/// Pages of the base that a timeline has as they are in the backup: read back from there.
final class StoredBasePages: BasePages {
  private let timeline: Timeline
  private let tables: [PlacementTable]
  private var reader: LayerPageReader

  /// Pages that are in one of the tables.
  init(_ timeline: Timeline, _ tables: [PlacementTable]) throws(Failure) {
    self.timeline = timeline
    self.tables = tables
    reader = try LayerPageReader()
  }

  func lend(
    _ key: Key, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    for table in tables {
      guard let (run, _) = table.find(key) else { continue }
      let layer = timeline.layers[Int(table.runs[run].layerIndex)]
      return try reader.lend(
        key, in: layer.fileName, open: { () throws(Failure) in try timeline.open(layer) },
        to: body)
    }
    return false
  }
}
