import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Takes batches of pages in the order of the backup, and makes layers of them.
///
/// ```
/// run of a large relation ─► stripes ─► an open image layer of each shard
/// run of a small one ──────► stripes ─► chunk ─► the next L0 of each shard
/// ```
///
/// Memory: the open image layers and the chunk's share (`ImportPlan`), and the segment table.
final class TimelineWriter {
  private let plan: ImportPlan
  private let directory: TimelineDirectory
  /// Nil if none is to be written.
  private let receipt: ReceiptFiles?
  /// Chunks on their way to be written, and the layers that are complete.
  private let chunks: ChunkWriter

  private var shards: [ShardWriter]
  /// The key with which the open image layers go on; nil if none is open.
  private var nextImageKey: Key?
  private var chunk: ChunkSpool
  private var temporaryFileCount = 0

  /// Every segment of the backup, once all batches are stored and until `relations` empties it.
  private(set) var segments = SegmentTable()
  private(set) var stampedPageCount: UInt64 = 0
  /// Relations with columns that a newer server has marked, if they are `pg_attribute` at all.
  private(set) var markedRelations: Set<RelationForkID> = []
  /// What the checksums of all pages said.
  private(set) var pageCheck = PageCheckResult()

  /// Claims the timeline's directory and its receipt; throws as `TimelineDirectory` and `ReceiptFiles`
  /// do.
  init(plan: ImportPlan, chunks: ChunkWriter) throws(Failure) {
    self.plan = plan
    self.chunks = chunks
    (directory, receipt) = try Self.claim(plan)
    let written = plan.place.shards
    chunk = ChunkSpool(memoryLimit: plan.chunkMemoryByteCount, shardCount: written.numbers.count)
    shards = written.ids.enumerated().map { [directory] position, shard in
      ShardWriter(plan, shard, at: position) { () throws(Failure) in
        try directory.makeTemporaryFile("index", shard: position)
      }
    }
  }

  private static func claim(
    _ plan: ImportPlan
  ) throws(Failure) -> (TimelineDirectory, ReceiptFiles?) {
    let directory = try TimelineDirectory(plan.place, force: plan.force)
    guard let place = plan.receipt?.place else { return (directory, nil) }
    do throws(Failure) {
      return (directory, try directory.makeReceipt(place, generation: plan.generation))
    } catch {
      directory.abandon()
      throw error
    }
  }

  /// Throws as `init` does if the output cannot be claimed, and leaves nothing behind.
  static func requireUsable(_ plan: ImportPlan) throws(Failure) {
    let (directory, receipt) = try claim(plan)
    receipt?.abandon()
    directory.abandon()
  }

  /// The timeline's path.
  var timelinePath: String { directory.path }
  /// A directory on the file system of the output.
  var directoryPath: String { directory.directoryPath }
  /// The receipt, once it is written; nil for none.
  var receiptPath: String? { receipt?.path }

  /// Stores the pages of the next batch.
  func store(_ pages: PageRuns) throws(Failure) {
    stampedPageCount += UInt64(pages.stampedPageCount)
    pageCheck.add(pages.pageCheck)
    var page = 0
    for run in pages.runs {
      segments.add(run)
      if run.hasMarkedColumns, case .relation(let segment, _) = run.file {
        markedRelations.insert(segment.relation)
      }
      if run.file.isInImageLayer {
        try appendToImageLayers(run, firstPage: page, of: pages)
      } else if run.pageCount > 0 {
        if chunk.needsSpool(for: run.storedByteCount) {
          try chunk.open(spool: makeTemporaryFile("spool", shard: 0))
        }
        try forEachStripe(of: run, firstPage: page, of: pages) { stripe throws(Failure) in
          try chunk.append(
            pages.buffer.bytes.extracting(stripe.blobs), firstKey: stripe.firstKey,
            pageCount: stripe.pages.count, shard: stripe.shard)
        }
        if chunk.isFull(plan.chunkSize) { try finishChunk() }
      }
      page += run.pageCount
    }
  }

  /// The memory that grows with the number of relations.
  var segmentTableByteCount: Int { segments.memoryByteCount }

  /// Every fork of the backup, once all batches are stored; throws as `SegmentTable` does.
  func relations(
    upTo end: LogSequenceNumber
  ) throws(Failure) -> [Cluster.Relation] {
    try segments.relations(upTo: end)
  }

  /// Ends the first pass over a running cluster, once all its batches are stored: what follows are
  /// changed pages. Gives the segments of the base, and what its pages' checksums said.
  func finishBase() throws(Failure) -> (segments: SegmentTable, pageCheck: PageCheckResult) {
    try finishPages()
    try chunks.waitUntilIdle()
    defer {
      segments = SegmentTable()
      pageCheck = PageCheckResult()
      for shard in shards.indices { shards[shard].beginChanges() }
    }
    return (segments, pageCheck)
  }

  // MARK: Image layers

  /// Adds a run to the open image layers, which are cut at page boundaries when they reach their size.
  ///
  /// A layer goes on over the next segment of its relation, but over nothing else: no two of one shard
  /// may overlap, in whatever order the files come.
  private func appendToImageLayers(
    _ run: PageRuns.Run, firstPage: Int, of pages: PageRuns
  ) throws(Failure) {
    if run.firstKey != nextImageKey { try finishImageLayers() }
    try forEachStripe(of: run, firstPage: firstPage, of: pages) { stripe throws(Failure) in
      var key = stripe.firstKey
      var byteCounts = pages.blobByteCounts[stripe.pages]
      var start = stripe.blobs.lowerBound
      while !byteCounts.isEmpty {
        let count = try shards[stripe.shard].append(
          from: &key, byteCounts, pages.buffer.bytes.extracting(start..<stripe.blobs.upperBound),
          makeFile: makeTemporaryFile, finish: chunks.send)
        start += byteCounts.prefix(count).reduce(0, +)
        byteCounts = byteCounts.dropFirst(count)
      }
    }
    let end = Key(advancing: run.firstKey, by: run.pageCount)
    nextImageKey = end
    if run.endsFile, !end.field6.isMultiple(of: RelationSegment.blockCount) {
      try finishImageLayers()
    }
  }

  /// Finishes the image layers that are open.
  private func finishImageLayers() throws(Failure) {
    nextImageKey = nil
    for shard in shards.indices { try shards[shard].finishImageLayer(chunks.send) }
  }

  /// Pages of a run that are in one shard.
  private struct Stripe {
    /// The shard's place among those that are written.
    var shard: Int
    var firstKey: Key
    /// Which of the batch's pages they are.
    var pages: Range<Int>
    /// Where their blobs are in the batch's buffer.
    var blobs: Range<Int>
  }

  /// Gives the parts of a run to `body` that each are in one shard that is written.
  private func forEachStripe(
    of run: PageRuns.Run, firstPage: Int, of pages: PageRuns,
    _ body: (Stripe) throws(Failure) -> Void
  ) throws(Failure) {
    let all = firstPage..<firstPage + run.pageCount
    let written = plan.place.shards
    guard plan.layout.isSharded, case .relation(let segment, _) = run.file else {
      guard let first = written.position(ofShard: 0) else { return }
      return try body(Stripe(shard: first, firstKey: run.firstKey, pages: all, blobs: run.blobs))
    }
    var page = all.lowerBound
    var start = run.blobs.lowerBound
    while page < all.upperBound {
      let key = Key(advancing: run.firstKey, by: page - firstPage)
      let end = min(all.upperBound, page + plan.layout.stripeRest(from: key.field6))
      let byteCount = pages.blobByteCounts[page..<end].reduce(0, +)
      if let shard = written.position(of: segment.relation, block: key.field6) {
        try body(
          Stripe(
            shard: shard, firstKey: key, pages: page..<end, blobs: start..<start + byteCount))
      }
      page = end
      start += byteCount
    }
  }

  // MARK: L0 layers

  /// Has what the chunk holds written as the next L0 of each shard, and takes an empty chunk.
  private func finishChunk() throws(Failure) {
    guard !chunk.isEmpty else { return }
    var layers: [ChunkLayer] = []
    for shard in chunk.shards {
      layers.append(try shards[shard].makeChunkLayer(makeFile: makeTemporaryFile))
    }
    try chunks.full.send(FullChunk(spool: chunk, layers: layers))
    guard let empty = try chunks.empty.receive() else {
      throw Failure(.bug, "the pipeline has ended before its chunks")
    }
    chunk = empty
  }

  /// Finishes the layers of pages, when all pages are stored.
  func finishPages() throws(Failure) {
    try finishImageLayers()
    try finishChunk()
  }

  /// Writes the last L0 of each shard: all metadata at `lsn`, up to and including `end`.
  func writeMetadataLayers(
    _ metadata: KeyspaceWriter, at lsn: LogSequenceNumber, end: LogSequenceNumber
  ) throws(Failure) {
    for shard in shards.indices {
      let start = try shards[shard].nextLevel0Start()
      var writer = try shards[shard].makeLayer(valuesAt: lsn, makeFile: makeTemporaryFile)
      try metadata.write(
        to: &writer, level: plan.compressionLevel, shard: shards[shard].owner.shard.number,
        of: plan.layout)
      try chunks.send(try writer.finish(as: .level0(start..<end + 1)))
    }
  }

  // MARK: Files

  private func makeTemporaryFile(_ kind: String, shard: Int) throws(Failure) -> OutputFile {
    temporaryFileCount += 1
    return try directory.makeTemporaryFile("\(kind)-\(temporaryFileCount)", shard: shard)
  }

  /// Says that no layer follows.
  func finish() { chunks.full.finish() }

  /// Writes the index of each shard, of these layers, all of them durable, under a temporary name.
  func writeIndexes(
    _ layers: [HashedLayer], _ metadata: IndexPart.Metadata
  ) throws(Failure) -> [FinishedIndex] {
    var indexes = shards.map { _ in IndexPart(layers: [:], metadata: metadata) }
    for hashed in layers {
      let layer = hashed.layer
      let position = position(of: layer)
      indexes[position].layers[layer.name.description] = IndexPart.LayerMetadata(
        fileSize: layer.byteCount, generation: plan.generation,
        shard: shards[position].owner.shard.suffix)
    }
    var finished: [FinishedIndex] = []
    for (shard, index) in indexes.enumerated() {
      finished.append(
        try directory.writeIndex(index.encoded(), generation: plan.generation, shard: shard))
    }
    return finished
  }

  /// The digest of a layer, by the name that it gets.
  func digest(of hashed: HashedLayer) -> FileDigest {
    directory.digest(
      of: hashed.layer, at: position(of: hashed.layer), generation: plan.generation,
      sha256: hashed.sha256)
  }

  /// The place of a layer's shard among those that are written.
  private func position(of layer: FinishedLayer) -> Int {
    guard let position = plan.place.shards.position(ofShard: layer.shard) else {
      preconditionFailure("layers are of shards that are written")
    }
    return position
  }

  /// The path that an index gets, from the root on.
  func path(of index: FinishedIndex) -> String { SystemCalls.absolute(directory.path(of: index)) }

  /// Writes the receipt, if there is to be one, and gives everything its name.
  func commit(
    _ layers: [HashedLayer], _ indexes: [FinishedIndex], _ summary: ImportSummary
  ) throws(Failure) {
    if let receipt, let encode = plan.receipt?.encode {
      try receipt.write(try encode(summary), files: summary.layers + indexes.map(\.digest))
    }
    try directory.commit(layers.map(\.layer), indexes, receipt: receipt)
  }

  /// Takes away what was written.
  func abandon() {
    receipt?.abandon()
    directory.abandon()
  }
}

extension KeyspaceWriter {
  /// Writes each value that a shard has as an image into its delta layer.
  func write(
    to writer: inout LayerWriter, level: Int32, shard: Int, of layout: ShardLayout
  ) throws(Failure) {
    var encoder = try BlobEncoder(level: level)
    // Used again for each value: there is one for each relation.
    var image: [UInt8] = []
    var blob: [UInt8] = []
    try write { key, value throws(Failure) in
      if layout.isSharded, case .shard(let owner) = layout.owner(of: key.meaning), owner != shard {
        return
      }
      image.removeAll(keepingCapacity: true)
      DeltaValue.encodeImageHeader(byteCount: value.count, into: &image)
      image += value
      blob.removeAll(keepingCapacity: true)
      try encoder.appendBlob(of: image.bytes, to: &blob)
      try writer.append(blob.bytes, for: key)
    }
  }
}
