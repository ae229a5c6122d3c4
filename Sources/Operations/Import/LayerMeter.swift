import Backup
import LayerFormat
import System
import Timeline

/// Counts the layers that `TimelineWriter` would write, and about how long they would be.
struct LayerMeter {
  private let imageLayerLimit: LayerWriter.Limit
  private let chunkSize: UInt64
  private var imageLayer = Layer(entryByteCount: imageEntryByteCount)
  private var chunk = Layer(entryByteCount: level0EntryByteCount)
  private var chunkRunCount = 0

  private(set) var imageLayerCount = 0
  private(set) var level0Count = 0
  private(set) var byteCount: UInt64 = 0
  private(set) var pageCount: UInt64 = 0
  private(set) var stampedPageCount: UInt64 = 0
  private(set) var pageCheck = PageCheckResult()
  /// Every segment of the backup.
  var segments = SegmentTable()

  /// About what an entry of the index takes: a block's number, in an L0 the relation's and an LSN as
  /// well, and an offset. What a key shares with its neighbours is stored once a node.
  private static let imageEntryByteCount = 9
  private static let level0EntryByteCount = 22

  /// A layer that is open.
  private struct Layer {
    let entryByteCount: Int
    var blobByteCount: UInt64 = 0
    var valueCount = 0

    /// The summary and the blobs up to a full page, and the nodes of the index.
    var byteCount: UInt64 {
      let page = UInt64(IndexTree.nodeByteCount)
      let nodes = (UInt64(valueCount * entryByteCount) + page - 1) / page
      return UInt64(LayerSummary.byteCount) + (blobByteCount + page - 1) / page * page
        + nodes * page
    }

    mutating func reset() {
      blobByteCount = 0
      valueCount = 0
    }
  }

  init(_ plan: ImportPlan) {
    imageLayerLimit = plan.imageLayerLimit
    chunkSize = plan.chunkSize
  }

  /// Counts the pages of the next batch, whose blobs are made.
  mutating func take(_ pages: PageRuns) {
    stampedPageCount += UInt64(pages.stampedPageCount)
    pageCount += UInt64(pages.pageCount)
    pageCheck.add(pages.pageCheck)
    var page = 0
    for run in pages.runs {
      segments.add(run)
      let blobs = pages.blobByteCounts[page..<page + run.pageCount]
      if run.file.isInImageLayer {
        for byteCount in blobs { addToImageLayer(byteCount) }
        if run.endsFile { finishImageLayer() }
      } else if run.pageCount > 0 {
        addToChunk(blobs.reduce(0, +), valueCount: run.pageCount)
      }
      page += run.pageCount
    }
  }

  private mutating func addToImageLayer(_ byteCount: Int) {
    imageLayer.blobByteCount += UInt64(byteCount)
    imageLayer.valueCount += 1
    if imageLayer.byteCount >= imageLayerLimit.byteCount
      || imageLayer.valueCount >= imageLayerLimit.valueCount
    {
      finishImageLayer()
    }
  }

  private mutating func finishImageLayer() {
    guard imageLayer.valueCount > 0 else { return }
    byteCount += imageLayer.byteCount
    imageLayerCount += 1
    imageLayer.reset()
  }

  private mutating func addToChunk(_ byteCount: Int, valueCount: Int) {
    chunk.blobByteCount += UInt64(byteCount)
    chunk.valueCount += valueCount
    chunkRunCount += 1
    if chunk.blobByteCount >= chunkSize
      || ChunkSpool.isCrowded(runCount: chunkRunCount, pageCount: chunk.valueCount)
    {
      finishChunk()
    }
  }

  private mutating func finishChunk() {
    guard chunk.valueCount > 0 else { return }
    byteCount += chunk.byteCount
    level0Count += 1
    chunk.reset()
    chunkRunCount = 0
  }

  /// Counts the last chunk, the layer of all other values, and the index.
  mutating func finish(_ metadata: KeyspaceWriter, level: Int32) throws(Failure) {
    finishChunk()
    var encoder = try BlobEncoder(level: level)
    var blob: [UInt8] = []
    try metadata.write { _, value throws(Failure) in
      blob.removeAll(keepingCapacity: true)
      try encoder.appendBlob(of: value.bytes, to: &blob)
      chunk.blobByteCount += UInt64(blob.count + DeltaValue.imageHeaderByteCount)
      chunk.valueCount += 1
    }
    finishChunk()
    // An entry of the index has the name of a layer, its length and its generation.
    byteCount += 512 + 256 * UInt64(imageLayerCount + level0Count)
  }
}
