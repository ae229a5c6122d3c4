import LayerFormat
import PostgresFormat
import System
import Timeline

/// The layers of one shard, or of an unsharded timeline, while they are written.
struct ShardWriter {
  /// Makes a temporary file of some kind for the shard at this place.
  typealias MakeFile = (_ kind: String, _ shard: Int) throws(Failure) -> OutputFile
  /// Takes a layer that is complete.
  typealias Finish = (FinishedLayer) throws(Failure) -> Void

  let owner: LayerOwner
  /// The shard's place among those that are written.
  private let position: Int
  private let plan: ImportPlan
  /// Takes the indexes of the open image layer; nil if they are few and stay in memory.
  private let spill: IndexSpill?
  private var imageLayer: ImageLayer?
  private(set) var chunkCount = 0
  /// How many L0s of changed pages there are; nil before the first pass has ended.
  private var changesCount: Int?

  /// An image layer that is open, and the keys that it covers so far.
  private struct ImageLayer {
    var writer: LayerWriter
    var keys: Range<Key>
  }

  init(
    _ plan: ImportPlan, _ shard: ShardID, at position: Int,
    makeSpill: @escaping () throws(Failure) -> OutputFile
  ) {
    self.plan = plan
    self.position = position
    owner = LayerOwner(tenant: plan.tenant, timeline: plan.timeline, shard: shard)
    spill = plan.layout.isSharded ? IndexSpill(makeSpill) : nil
  }

  // MARK: Image layers

  /// Adds the blobs of consecutive blocks to the open image layer, until there are no more or the layer
  /// is full: then it is finished. `key` is that of the first, and then of the next.
  ///
  /// - Parameters:
  ///   - byteCounts: the lengths of the blobs; there is one at least.
  ///   - blobs: these blobs, back to back.
  /// - Returns: how many were added, and how many bytes those have.
  mutating func append(
    from key: inout Key, _ byteCounts: ArraySlice<Int>, _ blobs: RawSpan, makeFile: MakeFile,
    finish: Finish
  ) throws(Failure) -> (count: Int, byteCount: Int) {
    var layer: ImageLayer
    if let open = imageLayer.take() {  // one owner: its arrays are not copied
      layer = open
    } else {
      let writer = LayerWriter(
        file: try makeFile("layer", position), of: owner, valuesAt: nil,
        limit: plan.imageLayerLimit, memory: plan.imageLayerMemory, spill: spill)
      layer = ImageLayer(writer: writer, keys: key..<key)
    }
    let (count, byteCount) = layer.writer.addBlocks(from: &key, byteCounts)
    try layer.writer.write(blobs.extracting(0..<byteCount))
    layer.keys = layer.keys.lowerBound..<key
    let isFull = layer.writer.isFull
    imageLayer = layer
    if isFull { try finishImageLayer(finish) }
    return (count, byteCount)
  }

  /// Finishes the open image layer, if there is one.
  mutating func finishImageLayer(_ finish: Finish) throws(Failure) {
    guard var layer = imageLayer.take() else { return }
    try finish(
      try layer.writer.finish(as: LayerName(keys: layer.keys, extent: .image(at: plan.imageLSN))))
  }

  // MARK: L0 layers

  /// Says that the L0s of chunks are not part of the timeline.
  mutating func takeBackChunks() { chunkCount = 0 }

  /// Says that the first pass over a running cluster has ended: what follows are changed pages.
  mutating func beginChanges() { changesCount = 0 }

  /// Begins the L0 of the next chunk, or of the next changed pages.
  mutating func makeChunkLayer(makeFile: MakeFile) throws(Failure) -> ChunkLayer {
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
    return ChunkLayer(
      writer: try makeLayer(valuesAt: values, makeFile: makeFile), name: .level0(range))
  }

  /// Where the last L0 begins: where the one before it ends.
  func nextLevel0Start() throws(Failure) -> LogSequenceNumber {
    if let changesCount, changesCount > 0 {
      try plan.changesRange(changesCount, afterChunks: chunkCount).range.lowerBound
    } else {
      try plan.chunkRange(chunkCount).lowerBound
    }
  }

  /// Begins an L0 whose values are at `lsn`.
  func makeLayer(
    valuesAt lsn: LogSequenceNumber, makeFile: MakeFile
  ) throws(Failure) -> LayerWriter {
    LayerWriter(file: try makeFile("layer", position), of: owner, valuesAt: lsn)
  }
}
