import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Takes batches of pages in the order of the backup, and makes layers of them.
///
/// Memory: the open image layer or the chunk's share (`ImportPlan`), and the segment table.
final class TimelineWriter {
  private let plan: ImportPlan
  private let directory: TimelineDirectory
  /// Nil if none is to be written.
  private let receipt: ReceiptFiles?
  /// Chunks on their way to be written, and the layers that are complete.
  private let chunks: ChunkWriter

  private var imageLayer: (writer: LayerWriter, firstKey: Key)?
  private var chunk: ChunkSpool
  private var chunkCount = 0
  /// How many L0s of changed pages there are; nil before the first pass has ended.
  private var changesCount: Int?
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
    chunk = ChunkSpool(memoryLimit: plan.chunkMemoryByteCount)
  }

  private static func claim(
    _ plan: ImportPlan
  ) throws(Failure) -> (TimelineDirectory, ReceiptFiles?) {
    let directory = try TimelineDirectory(
      output: plan.outputDirectory, tenant: plan.tenant, timeline: plan.timeline,
      force: plan.force, owner: plan.outputOwner)
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

  /// The timeline's directory.
  var timelinePath: String { directory.path }
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
          try chunk.open(spool: makeTemporaryFile("spool"))
        }
        try chunk.append(
          pages.buffer.bytes.extracting(run.blobs), firstKey: run.firstKey,
          pageCount: run.pageCount)
        if chunk.byteCount >= plan.chunkSize || chunk.isCrowded { try finishChunk() }
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
    try finishChunk()
    try chunks.waitUntilIdle()
    defer {
      segments = SegmentTable()
      pageCheck = PageCheckResult()
      changesCount = 0
    }
    return (segments, pageCheck)
  }

  // MARK: Image layers

  /// Adds a run to the open image layer, cutting it at page boundaries when it reaches its size.
  private func appendToImageLayers(
    _ run: PageRuns.Run, firstPage: Int, of pages: PageRuns
  ) throws(Failure) {
    var key = run.firstKey
    var byteCounts = pages.blobByteCounts[firstPage..<firstPage + run.pageCount]
    var start = run.blobs.lowerBound
    while !byteCounts.isEmpty {
      var layer: (writer: LayerWriter, firstKey: Key)
      if let open = imageLayer.take() {  // one owner: its arrays are not copied
        layer = open
      } else {
        layer = (try makeLayer(valuesAt: nil, limit: plan.imageLayerLimit), key)
      }
      let (count, byteCount) = layer.writer.addBlocks(from: &key, byteCounts)
      try layer.writer.write(pages.buffer.bytes.extracting(start..<start + byteCount))
      imageLayer = layer
      byteCounts = byteCounts.dropFirst(count)
      start += byteCount
      if layer.writer.isFull { try finishImageLayer(before: key) }
    }
    if run.endsFile { try finishImageLayer(before: key) }
  }

  private func finishImageLayer(before end: Key) throws(Failure) {
    guard let layer = imageLayer else { return }
    imageLayer = nil
    try finish(
      layer.writer,
      as: LayerName(keys: layer.firstKey..<end, extent: .image(at: plan.imageLSN)))
  }

  // MARK: L0 layers

  /// Has what the chunk holds written as the next L0, and takes an empty chunk.
  func finishChunk() throws(Failure) {
    guard !chunk.isEmpty else { return }
    let range: Range<LogSequenceNumber>
    let values: LogSequenceNumber
    if let changesCount {
      (range, values) = try plan.changesRange(changesCount, afterChunks: chunkCount)
      self.changesCount = changesCount + 1
    } else {
      range = try plan.chunkRange(chunkCount)
      values = range.lowerBound
      chunkCount += 1
    }
    let writer = try makeLayer(valuesAt: values)
    try chunks.full.send(FullChunk(spool: chunk, writer: writer, name: .level0(range)))
    guard let empty = try chunks.empty.receive() else {
      throw Failure(.bug, "the pipeline has ended before its chunks")
    }
    chunk = empty
  }

  /// Writes the last L0: all metadata at `lsn`, up to and including `end`.
  func writeMetadataLayer(
    _ metadata: KeyspaceWriter, at lsn: LogSequenceNumber, end: LogSequenceNumber
  ) throws(Failure) {
    let start =
      if let changesCount, changesCount > 0 {
        try plan.changesRange(changesCount, afterChunks: chunkCount).range.lowerBound
      } else {
        try plan.chunkRange(chunkCount).lowerBound
      }
    var writer = try makeLayer(valuesAt: lsn)
    try metadata.write(to: &writer, level: plan.compressionLevel)
    try finish(writer, as: .level0(start..<end + 1))
  }

  // MARK: Files

  private func makeLayer(
    valuesAt lsn: LogSequenceNumber?, limit: LayerWriter.Limit? = nil
  ) throws(Failure) -> LayerWriter {
    LayerWriter(
      file: try makeTemporaryFile("layer"), tenant: plan.tenant, timeline: plan.timeline,
      valuesAt: lsn, limit: limit)
  }

  private func makeTemporaryFile(_ kind: String) throws(Failure) -> OutputFile {
    temporaryFileCount += 1
    return try directory.makeTemporaryFile("\(kind)-\(temporaryFileCount)")
  }

  private func finish(_ writer: consuming LayerWriter, as name: LayerName) throws(Failure) {
    try chunks.send(try writer.finish(as: name))
  }

  /// Says that no layer follows.
  func finish() { chunks.full.finish() }

  /// Writes the index of these layers, all of them durable, under a temporary name.
  func writeIndex(
    _ layers: [HashedLayer], _ metadata: IndexPart.Metadata
  ) throws(Failure) -> FinishedIndex {
    var index = IndexPart(layers: [:], metadata: metadata)
    for hashed in layers {
      index.layers[hashed.layer.name.description] = IndexPart.LayerMetadata(
        fileSize: hashed.layer.byteCount, generation: plan.generation)
    }
    return try directory.writeIndex(index.encoded(), generation: plan.generation)
  }

  /// Writes the receipt, if there is to be one, and gives everything its name.
  func commit(
    _ layers: [HashedLayer], _ index: FinishedIndex, _ summary: ImportSummary
  ) throws(Failure) {
    if let receipt, let encode = plan.receipt?.encode {
      try receipt.write(try encode(summary), files: summary.layers + [index.digest])
    }
    try directory.commit(layers.map(\.layer), index, receipt: receipt)
  }

  /// Takes away what was written.
  func abandon() {
    receipt?.abandon()
    directory.abandon()
  }
}

extension KeyspaceWriter {
  /// Writes each value as an image into a delta layer.
  func write(to writer: inout LayerWriter, level: Int32) throws(Failure) {
    var encoder = try BlobEncoder(level: level)
    // Used again for each value: there is one for each relation.
    var image: [UInt8] = []
    var blob: [UInt8] = []
    try write { key, value throws(Failure) in
      image.removeAll(keepingCapacity: true)
      DeltaValue.encodeImageHeader(byteCount: value.count, into: &image)
      image += value
      blob.removeAll(keepingCapacity: true)
      try encoder.appendBlob(of: image.bytes, to: &blob)
      try writer.append(blob.bytes, for: key)
    }
  }
}
