import Backup
import LayerFormat
import System
import Timeline

/// Counts the layers that `TimelineWriter` would write, and about how long they would be.
struct LayerMeter {
  private let plan: ImportPlan
  private var shards: [Shard]
  private var chunkRunCount = 0
  private var nextImageKey: Key?
  /// Whether small relations would come into sorted layers.
  private(set) var sortsSmallRelations: Bool

  private(set) var imageLayerCount = 0
  private(set) var level0Count = 0
  private(set) var byteCount: UInt64 = 0
  private(set) var pageCount: UInt64 = 0
  private(set) var stampedPageCount: UInt64 = 0
  private(set) var pageCheck = PageCheckResult()
  /// Catalogs of columns of which some have the option `pg_attver`.
  private(set) var markedRelations: Set<RelationForkID> = []
  /// Every segment of the backup.
  var segments = SegmentTable()

  /// About what an entry of the index takes: a block's number, in an L0 the relation's and an LSN as
  /// well, and an offset. What a key shares with its neighbours is stored once a node.
  private static let imageEntryByteCount = 9
  private static let level0EntryByteCount = 22

  /// What is open of a shard.
  private struct Shard {
    var imageLayer = Layer(entryByteCount: imageEntryByteCount)
    var chunk = Layer(entryByteCount: level0EntryByteCount)
    /// All small relations, which may come to be sorted.
    var small = Layer(entryByteCount: imageEntryByteCount)
    var chunkCount = 0
    var chunkByteCount: UInt64 = 0
  }

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

    mutating func add(_ byteCount: Int) {
      blobByteCount += UInt64(byteCount)
      valueCount += 1
    }

    mutating func reset() {
      blobByteCount = 0
      valueCount = 0
    }
  }

  init(_ plan: ImportPlan) {
    self.plan = plan
    shards = plan.place.shards.numbers.map { _ in Shard() }
    sortsSmallRelations = plan.layerLayout == .sorted || plan.isInKeyOrder
  }

  /// Counts the pages of the next batch, whose blobs are made.
  mutating func take(_ pages: PageRuns) {
    stampedPageCount += UInt64(pages.stampedPageCount)
    pageCount += UInt64(pages.pageCount)
    pageCheck.add(pages.pageCheck)
    var page = 0
    for run in pages.runs {
      segments.add(run)
      if let relation = run.markedRelation { markedRelations.insert(relation) }
      if run.file.isInImageLayer, run.firstKey != nextImageKey, !plan.isInKeyOrder {
        finishImageLayers()
      }
      for index in 0..<run.pageCount {
        guard let shard = shard(of: run, index) else { continue }
        add(pages.blobByteCounts[page + index], to: shard, isSmall: !run.file.isInImageLayer)
      }
      if run.file.isInImageLayer {
        nextImageKey = Key(advancing: run.firstKey, by: run.pageCount)
      } else if run.pageCount > 0 {
        chunkRunCount += 1
        finishChunkIfFull()
      }
      page += run.pageCount
    }
  }

  /// The place of the shard that has a page, if it is written.
  private func shard(of run: PageRuns.Run, _ index: Int) -> Int? {
    guard case .relation(let segment, _) = run.file else {
      return plan.place.shards.position(ofShard: 0)
    }
    return plan.place.shards.position(
      of: segment.relation, block: run.firstKey.field6 + UInt32(index))
  }

  private mutating func add(_ byteCount: Int, to shard: Int, isSmall: Bool) {
    if isSmall {
      shards[shard].chunk.add(byteCount)
      shards[shard].small.add(byteCount)
      return
    }
    shards[shard].imageLayer.add(byteCount)
    let layer = shards[shard].imageLayer
    if layer.byteCount >= plan.imageLayerLimit.byteCount
      || layer.valueCount >= plan.imageLayerLimit.valueCount
    {
      finishImageLayer(of: shard)
    }
  }

  private mutating func finishImageLayers() {
    for shard in shards.indices { finishImageLayer(of: shard) }
  }

  private mutating func finishImageLayer(of shard: Int) {
    guard shards[shard].imageLayer.valueCount > 0 else { return }
    byteCount += shards[shard].imageLayer.byteCount
    imageLayerCount += 1
    shards[shard].imageLayer.reset()
  }

  private mutating func finishChunkIfFull() {
    let limit = ChunkSpool.pageLimit(shardCount: shards.count)
    let isFull = shards.contains { shard in
      shard.chunk.blobByteCount >= plan.chunkSize
        || ChunkSpool.isCrowded(
          runCount: chunkRunCount, pageCount: shard.chunk.valueCount, limit)
    }
    if isFull { finishChunk() }
  }

  private mutating func finishChunk() {
    chunkRunCount = 0
    if plan.layerLayout == .auto,
      shards.contains(where: { $0.chunk.valueCount > 0 && plan.isLast(chunk: $0.chunkCount) })
    {
      sortsSmallRelations = true
    }
    for shard in shards.indices where shards[shard].chunk.valueCount > 0 {
      shards[shard].chunkByteCount += shards[shard].chunk.byteCount
      shards[shard].chunkCount += 1
      shards[shard].chunk.reset()
    }
  }

  /// Counts the last layers of pages, those of all other values, and the indexes.
  mutating func finish(_ metadata: KeyspaceWriter, level: Int32) throws(Failure) {
    finishImageLayers()
    finishChunk()
    for shard in shards {
      if sortsSmallRelations {
        guard shard.small.valueCount > 0 else { continue }
        byteCount += shard.small.byteCount
        imageLayerCount += 1 + Int(shard.small.byteCount / plan.imageLayerLimit.byteCount)
      } else {
        byteCount += shard.chunkByteCount
        level0Count += shard.chunkCount
      }
    }
    var encoder = try BlobEncoder(level: level)
    var blob: [UInt8] = []
    var last = Layer(entryByteCount: Self.level0EntryByteCount)
    try metadata.write { _, value throws(Failure) in
      blob.removeAll(keepingCapacity: true)
      try encoder.appendBlob(of: value.bytes, to: &blob)
      last.add(blob.count + DeltaValue.imageHeaderByteCount)
    }
    // Every shard has most of it.
    byteCount += last.byteCount * UInt64(shards.count)
    level0Count += shards.count
    // An entry of an index has the name of a layer, its length and its generation.
    byteCount += 512 * UInt64(shards.count) + 256 * UInt64(imageLayerCount + level0Count)
  }
}
