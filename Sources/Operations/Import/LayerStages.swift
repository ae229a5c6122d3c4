import Backup
import LayerFormat
import Pipeline
import Synchronization
import System
import Timeline

/// A chunk that is full, with the L0 of each shard that is to hold some of it.
struct FullChunk: Sendable {
  var spool: ChunkSpool
  var layers: [ChunkLayer]
}

/// An L0 of a chunk, still empty.
struct ChunkLayer: Sendable {
  var writer: LayerWriter
  var name: LayerName
}

/// Leave to have one more layer that is finished and not yet stored: each takes space in the scratch.
struct StagedLayer: Sendable {}

/// The chunks on their way to be written as L0 layers beside the rest of the pipeline, one at a time.
///
/// A spool goes back when it is empty, so that there are two of them at most: one that is filled, one
/// that is drained.
struct ChunkWriter: Sendable {
  let full: Channel<FullChunk>
  let empty: Channel<ChunkSpool>
  /// Gets every layer, and ends with the last.
  let finished: Channel<FinishedLayer>
  /// As many as there may be finished layers that are not stored yet; nil if layers stay where they are
  /// written. An L0 of a chunk counts from its beginning.
  let staged: Channel<StagedLayer>?
  private let stagedLimit: Int
  /// Every layer that was sent there.
  private let sent = SentLayers()

  private final class SentLayers: Sendable {
    let layers = Mutex<[FinishedLayer]>([])
  }

  /// Channels of `group`, and a spool that is empty.
  init(
    _ group: StageGroup, memoryLimit: Int, shardCount: Int, stagedLimit: Int?,
    finished: Channel<FinishedLayer>
  ) {
    self.stagedLimit = stagedLimit ?? 0
    staged = stagedLimit.map { count in
      group.channel(capacity: count, Array(repeating: StagedLayer(), count: count))
    }
    full = group.channel(capacity: 1)
    empty = group.channel(
      capacity: 2, [ChunkSpool(memoryLimit: memoryLimit, shardCount: shardCount)])
    self.finished = finished
  }

  /// Writes chunks until `full` ends, and then ends `finished`.
  func run() throws(Failure) {
    while let chunk = try full.receive() {
      var restCount = chunk.layers.count
      _ = try staged?.receive()
      try chunk.spool.drain(into: chunk.layers) { layer throws(Failure) in
        try pass(on: layer)
        restCount -= 1
        if restCount > 0 { _ = try staged?.receive() }
      }
      try empty.send(chunk.spool)
    }
    finished.finish()
  }

  /// Hands on a layer that is complete; waits while too many are not stored yet.
  func send(_ layer: FinishedLayer) throws(Failure) {
    _ = try staged?.receive()
    try pass(on: layer)
  }

  private func pass(on layer: FinishedLayer) throws(Failure) {
    sent.layers.withLock { $0.append(layer) }
    try finished.send(layer)
  }

  /// All layers that are complete, durable or not.
  var layers: [FinishedLayer] { sent.layers.withLock { $0 } }

  /// Takes back the L0s that are complete: they are handed on no more, and no index may name them.
  func takeBackLevel0Layers() -> [FinishedLayer] {
    sent.layers.withLock { layers in
      let level0 = layers.filter(\.name.isLevel0)
      layers.removeAll(where: \.name.isLevel0)
      return level0
    }
  }

  /// Waits until the last chunk that was given is written, and every layer can be read.
  ///
  /// Whoever calls it has one of the two spools; the other comes back when it is empty.
  func waitUntilIdle() throws(Failure) {
    guard let spool = try empty.receive() else { return }
    try empty.send(spool)
    guard let staged else { return }
    for _ in 0..<stagedLimit { _ = try staged.receive() }
    for _ in 0..<stagedLimit { try staged.send(StagedLayer()) }
  }
}

/// A layer whose file has been read back for its hash.
struct HashedLayer: Sendable {
  var layer: FinishedLayer
  /// The SHA-256 of the file in hexadecimal digits.
  var sha256: String
}

/// Reads finished layers back for their hashes beside the rest of the pipeline, several at once.
///
/// That comes before they are made durable: what was just written still is in the page cache.
struct HashStage: Sendable {
  private let finished: Channel<FinishedLayer>
  /// Gets every layer, and ends with the last.
  let hashed: Channel<HashedLayer>
  private let stageCount: Int
  private let running: RunningCount

  /// Takes the layers of `finished`. One thread keeps up with two that compress pages, and with most
  /// disks, unless pages do not shrink.
  init(_ group: StageGroup, jobs: Int, finished: Channel<FinishedLayer>) {
    self.finished = finished
    hashed = group.channel(capacity: ImportPlan.pendingLayerLimit)
    stageCount = min(jobs, ImportPlan.hashJobLimit)
    running = RunningCount(stageCount)
  }

  /// The stages, each of which takes layers until there are no more.
  var stages: [Stage] {
    (1...stageCount).map { number in
      Stage("hash-\(number)") { () throws(Failure) in
        var hasher = FileHasher()
        while let layer = try finished.receive() {
          let sha256 = try hasher.hash(layer.file, byteCount: layer.byteCount)
          try hashed.send(HashedLayer(layer: layer, sha256: sha256))
        }
        if running.endOne() { hashed.finish() }
      }
    }
  }
}

/// Stores hashed layers beside the rest of the pipeline, as a disk or a network takes its time.
final class StoreStage: Sendable {
  private let counters: ImportCounters
  private let stored = Mutex<[HashedLayer]>([])

  /// The layers that are stored.
  var layers: [HashedLayer] { stored.withLock { $0 } }

  /// `counters` count the bytes of every layer.
  init(counters: ImportCounters) { self.counters = counters }

  /// The stages, each of which takes layers until `hashed` ends.
  func stages(
    _ hashed: Channel<HashedLayer>, _ store: any LayerStore, _ chunks: ChunkWriter,
    _ failure: FirstFailure
  ) -> [Stage] {
    store.threadNames.map { name in
      Stage(name) { [self] () throws(Failure) in
        while let next = try hashed.receive() {
          try Interruption.check()
          // What is on its way to a bucket need not arrive once another stage has failed.
          try Interruption.ending(on: { failure.error }) { () throws(Failure) in
            try store.store(next.layer, sha256: next.sha256)
          }
          counters.addOutput(next.layer.byteCount)
          stored.withLock { $0.append(next) }
          try chunks.staged?.send(StagedLayer())
        }
      }
    }
  }
}
