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
  private let output: any TimelineOutput
  /// Chunks on their way to be written, and the layers that are complete.
  private let chunks: ChunkWriter

  private var shards: [ShardWriter]
  /// The key with which the open image layers go on; nil if none is open.
  private var nextImageKey: Key?
  private var chunk: ChunkSpool
  /// Whether small relations are gathered to be sorted, rather than for L0s.
  private var sortsSmallRelations: Bool
  /// Whether small relations came into sorted layers.
  private(set) var hasSortedBase = false
  /// Whether the first pass over a running cluster has ended, and what follows are changed pages.
  private var isChanges = false
  /// The paths of L0s that were taken back when small relations came to be sorted.
  private var takenBack: Set<String> = []
  private var unwrapper = PageUnwrapper()
  private var temporaryFileCount = 0

  /// Every segment of the backup, once all batches are stored and until `relations` empties it.
  private(set) var segments = SegmentTable()
  private(set) var stampedPageCount: UInt64 = 0
  /// Relations with columns that a newer server has marked, if they are `pg_attribute` at all.
  private(set) var markedRelations: Set<RelationForkID> = []
  /// What the checksums of all pages said.
  private(set) var pageCheck = PageCheckResult()

  /// Claims the timeline's place and its receipt; throws as `TimelineDirectory` and `TimelineBucket` do.
  init(plan: ImportPlan, chunks: ChunkWriter) throws(Failure) {
    self.plan = plan
    self.chunks = chunks
    output = try Self.claim(plan)
    let written = plan.place.shards
    chunk = ChunkSpool(memoryLimit: plan.chunkMemoryByteCount, shardCount: written.numbers.count)
    sortsSmallRelations = plan.layerLayout == .sorted || plan.isInKeyOrder
    shards = written.ids.enumerated().map { [output] position, shard in
      ShardWriter(plan, shard, at: position) { () throws(Failure) in
        try output.makeTemporaryFile("index", shard: position)
      }
    }
  }

  private static func claim(_ plan: ImportPlan) throws(Failure) -> any TimelineOutput {
    let output: any TimelineOutput =
      if let bucket = plan.bucket {
        try TimelineBucket(plan.place, bucket)
      } else {
        try TimelineDirectory(plan.place, force: plan.force)
      }
    guard let place = plan.receipt?.place else { return output }
    do throws(Failure) {
      try output.claimReceipt(place, generation: plan.generation)
    } catch {
      output.abandon()
      throw error
    }
    return output
  }

  /// Throws as `init` does if the output cannot be claimed, and leaves nothing behind.
  static func requireUsable(_ plan: ImportPlan) throws(Failure) {
    try claim(plan).abandon()
  }

  /// The timeline's path.
  var timelinePath: String { output.path }
  /// A directory on the file system that the layers fill; nil if they do not stay on one.
  var directoryPath: String? { output.directoryPath }
  /// The receipt, once it is written; nil for none.
  var receiptPath: String? { output.receiptPath }
  /// Keeps layers that are finished.
  var layerStore: any LayerStore { output.layerStore }
  /// What there is to say of the store; nil for nothing.
  var storeWeakness: String? { output.weakness }
  /// What the commit could not do although the timeline is complete; nil for nothing.
  var leftover: String? { output.leftover }

  /// Opens a layer that is stored, once the chunks are idle.
  func open(_ layer: FinishedLayer) throws(Failure) -> LayerFile { try output.open(layer) }

  /// Stores the pages of the next batch.
  func store(_ pages: PageRuns) throws(Failure) {
    stampedPageCount += UInt64(pages.stampedPageCount)
    pageCheck.add(pages.pageCheck)
    var page = 0
    for run in pages.runs {
      segments.add(run)
      if let relation = run.markedRelation { markedRelations.insert(relation) }
      if run.file.isInImageLayer {
        try appendToImageLayers(run, firstPage: page, of: pages)
      } else if run.pageCount > 0 {
        try forEachStripe(of: run, firstPage: page, of: pages) { stripe throws(Failure) in
          try gather(
            pages.buffer.bytes.extracting(stripe.blobs), firstKey: stripe.firstKey,
            pageCount: stripe.pages.count, shard: stripe.shard)
        }
        if sortsSmallRelations {
          try spillTable()
        } else if chunk.isFull(plan.chunkSize) {
          try finishChunk()
        }
      }
      page += run.pageCount
    }
  }

  /// The memory that grows with the number of relations.
  var segmentTableByteCount: Int { segments.memoryByteCount }

  /// Every fork of the backup, once all batches are stored; throws as `SegmentTable` does.
  func relations(
    upTo end: LogSequenceNumber, unfinished: Set<RelationForkID>
  ) throws(Failure) -> [Cluster.Relation] {
    try segments.relations(upTo: end, unfinished: unfinished)
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
      isChanges = true
      sortsSmallRelations = false
    }
    return (segments, pageCheck)
  }

  // MARK: Image layers

  /// Adds a run to the open image layers, which are cut at page boundaries when they reach their size.
  ///
  /// A layer goes on over the next segment of its relation, but over nothing else, unless all come in
  /// the order of keys: no two of one shard may overlap, in whatever order the files come.
  private func appendToImageLayers(
    _ run: PageRuns.Run, firstPage: Int, of pages: PageRuns
  ) throws(Failure) {
    if let nextImageKey, run.firstKey != nextImageKey {
      if !plan.isInKeyOrder { try finishImageLayers() }
      guard run.firstKey > nextImageKey || !plan.isInKeyOrder else {
        throw Failure(.bug, "\(run.firstKey.words) came after \(nextImageKey.words)")
      }
    }
    try forEachStripe(of: run, firstPage: firstPage, of: pages) { stripe throws(Failure) in
      try append(
        pages.blobByteCounts[stripe.pages], pages.buffer.bytes.extracting(stripe.blobs),
        from: stripe.firstKey, to: stripe.shard)
    }
    let end = Key(advancing: run.firstKey, by: run.pageCount)
    nextImageKey = end
    if run.endsFile, !plan.isInKeyOrder, !end.field6.isMultiple(of: RelationSegment.blockCount) {
      try finishImageLayers()
    }
  }

  /// Adds the blobs of consecutive blocks to a shard's image layers.
  private func append(
    _ byteCounts: ArraySlice<Int>, _ blobs: RawSpan, from firstKey: Key, to shard: Int
  ) throws(Failure) {
    var key = firstKey
    var rest = byteCounts
    var start = 0
    while !rest.isEmpty {
      let (count, byteCount) = try shards[shard].append(
        from: &key, rest, blobs.extracting(start..<blobs.byteCount),
        makeFile: makeTemporaryFile, finish: chunks.send)
      rest = rest.dropFirst(count)
      start += byteCount
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

  /// Adds the blobs of consecutive blocks of a small relation to the chunk.
  private func gather(
    _ blobs: RawSpan, firstKey: Key, pageCount: Int, shard: Int
  ) throws(Failure) {
    if chunk.needsSpool(for: blobs.byteCount) {
      try chunk.open(spool: makeTemporaryFile("spool", shard: 0))
    }
    try chunk.append(blobs, firstKey: firstKey, pageCount: pageCount, shard: shard)
  }

  /// Has what the chunk holds written as the next L0 of each shard, and takes an empty chunk; or goes
  /// over to sorting, if that would be one L0 too many.
  private func finishChunk() throws(Failure) {
    guard !chunk.isEmpty else { return }
    if plan.layerLayout == .auto, !isChanges,
      chunk.shards.contains(where: { plan.isLast(chunk: shards[$0].chunkCount) })
    {
      return try beginSorting()
    }
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
    if !sortsSmallRelations { try finishChunk() }
    if sortsSmallRelations {  // perhaps only now
      try writeSortedLayers()
      hasSortedBase = true
    }
  }

  // MARK: Sorted layers

  /// Takes back the L0s of small relations, and gathers these to be sorted.
  private func beginSorting() throws(Failure) {
    try chunks.waitUntilIdle()
    sortsSmallRelations = true
    for layer in chunks.takeBackLevel0Layers() {
      try gatherAgain(layer)
      takenBack.insert(layer.file.path)
      try output.takeBack(layer)
    }
    for shard in shards.indices { shards[shard].takeBackChunks() }
  }

  /// Adds the pages of an L0 to the chunk.
  private func gatherAgain(_ layer: FinishedLayer) throws(Failure) {
    let shard = plan.position(of: layer)
    var scanner = try LayerScanner(try output.open(layer))
    var blobs: [UInt8] = []
    var first: Key?
    var count = 0
    func gatherBlobs() throws(Failure) {
      guard let key = first else { return }
      try gather(blobs.bytes, firstKey: key, pageCount: count, shard: shard)
      try spillTable()
      blobs.removeAll(keepingCapacity: true)
      first = nil
      count = 0
    }
    while let value = try scanner.next() {
      try Interruption.check()
      let key = value.entry.key
      if let start = first,
        key != Key(advancing: start, by: count) || count == PageRuns.pageCapacity
      {
        try gatherBlobs()
      }
      if first == nil { first = key }
      let buffer = scanner.buffer
      value.blob.header.encode(into: &blobs)
      blobs.append(buffer.bytes.extracting(value.blob.range))
      count += 1
    }
    try gatherBlobs()
  }

  private func spillTable() throws(Failure) {
    guard chunk.isTableFull else { return }
    try chunk.spillTable { () throws(Failure) in try makeTemporaryFile("table", shard: 0) }
  }

  /// Writes what has been gathered as image layers, between those that there are.
  private func writeSortedLayers() throws(Failure) {
    var others = shards.map { _ in [Key]()[...] }
    for layer in chunks.layers where layer.name.isImage {
      others[plan.position(of: layer)].append(layer.name.keys.lowerBound)
    }
    for shard in others.indices { others[shard].sort(by: >) }
    var open: Int?
    try chunk.drain { runs, blobs throws(Failure) in
      var start = 0
      for run in runs {
        let shard = Int(run.shard)
        if open != shard {
          try finishImageLayers()
          open = shard
        }
        // A layer must not go on over another one.
        while let other = others[shard].last, other <= run.firstKey {
          others[shard].removeLast()
          try shards[shard].finishImageLayer(chunks.send)
        }
        try writeSorted(run, blobs.extracting(start..<start + Int(run.byteCount)), shard)
        start += Int(run.byteCount)
      }
    }
    try finishImageLayers()
  }

  /// Adds a run of wrapped pages to the open image layer of a shard.
  private func writeSorted(
    _ run: RunTable.Run, _ blobs: RawSpan, _ shard: Int
  ) throws(Failure) {
    // Taken out, so that its bytes can be lent while the rest changes.
    var unwrapper = exchange(&self.unwrapper, with: PageUnwrapper())
    defer { self.unwrapper = unwrapper }
    do throws(FormatError) {
      try unwrapper.unwrap(blobs, count: Int(run.pageCount))
    } catch {
      throw Failure(error, in: "spool of small relations", damage: .writtenDataChanged)
    }
    try append(unwrapper.byteCounts[...], unwrapper.blobs.bytes, from: run.firstKey, to: shard)
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
    return try output.makeTemporaryFile("\(kind)-\(temporaryFileCount)", shard: shard)
  }

  /// Says that no layer follows.
  func finish() { chunks.full.finish() }

  /// Those of the layers that have not been taken back.
  func valid(_ layers: [HashedLayer]) -> [HashedLayer] {
    takenBack.isEmpty ? layers : layers.filter { !takenBack.contains($0.layer.file.path) }
  }

  /// Writes the index of each shard, of these layers, all of them durable, under a temporary name.
  func writeIndexes(
    _ layers: [HashedLayer], _ metadata: IndexPart.Metadata
  ) throws(Failure) -> [FinishedIndex] {
    var indexes = shards.map { _ in IndexPart(layers: [:], metadata: metadata) }
    for hashed in layers {
      let layer = hashed.layer
      let position = plan.position(of: layer)
      indexes[position].layers[layer.name.description] = IndexPart.LayerMetadata(
        fileSize: layer.byteCount, generation: plan.generation,
        shard: shards[position].owner.shard.suffix)
    }
    var finished: [FinishedIndex] = []
    for (shard, index) in indexes.enumerated() {
      finished.append(
        try output.writeIndex(index.encoded(), generation: plan.generation, shard: shard))
    }
    return finished
  }

  /// The digest of a layer, by the name that it gets.
  func digest(of hashed: HashedLayer) -> FileDigest {
    output.digest(
      of: hashed.layer, at: plan.position(of: hashed.layer), generation: plan.generation,
      sha256: hashed.sha256)
  }

  /// The path that an index gets, from the root on.
  func path(of index: FinishedIndex) -> String { absolutePlace(output.path(of: index)) }

  /// Writes the receipt, if there is to be one, and gives everything its name.
  func commit(
    _ layers: [HashedLayer], _ indexes: [FinishedIndex], _ summary: ImportSummary
  ) throws(Failure) {
    if let encode = plan.receipt?.encode {
      try output.writeReceipt(
        try encode(summary), files: summary.layers + indexes.map(\.digest))
    }
    try output.commit(layers.map(\.layer), indexes)
  }

  /// Takes away what was written, and says in the failure what is left.
  func abandon(after failure: Failure) -> Failure {
    output.abandon(after: failure)
    guard let advice = output.advice else { return failure }
    var failure = failure
    failure.hint = failure.hint.map { "\($0) \(advice)" } ?? advice
    return failure
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
