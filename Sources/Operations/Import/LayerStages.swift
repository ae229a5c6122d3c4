import Backup
import LayerFormat
import Pipeline
import System
import Timeline

/// A chunk that is full, with the L0 that is to hold it.
struct FullChunk: Sendable {
  var spool: ChunkSpool
  var writer: LayerWriter
  var name: LayerName
}

/// The chunks on their way to be written as L0 layers beside the rest of the pipeline, one at a time.
///
/// A spool goes back when it is empty, so that there are two of them at most: one that is filled, one
/// that is drained.
struct ChunkWriter: Sendable {
  let full: Channel<FullChunk>
  let empty: Channel<ChunkSpool>
  /// Gets every layer, and ends with the last.
  let finished: Channel<FinishedLayer>

  /// Channels of `group`, and a spool that is empty.
  init(
    _ group: StageGroup, memoryLimit: Int, finished: Channel<FinishedLayer>
  ) {
    full = group.channel(capacity: 1)
    empty = group.channel(capacity: 2, [ChunkSpool(memoryLimit: memoryLimit)])
    self.finished = finished
  }

  /// Writes chunks until `full` ends, and then ends `finished`.
  func run() throws(Failure) {
    while var chunk = try full.receive() {
      try chunk.spool.drain(into: &chunk.writer)
      try finished.send(try chunk.writer.finish(as: chunk.name))
      try empty.send(chunk.spool)
    }
    finished.finish()
  }
}

/// Makes finished layers durable beside the rest of the pipeline, as fsync(2) waits for the disk.
final class DurabilityStage: @unchecked Sendable {
  // Invariant: only the stage that runs it uses it until that has ended.

  private let counters: ImportCounters

  /// The layers that are durable.
  private(set) var layers: [FinishedLayer] = []

  /// `counters` count the bytes of every layer.
  init(counters: ImportCounters) { self.counters = counters }

  /// Takes layers until `finished` ends.
  func run(_ finished: Channel<FinishedLayer>) throws(Failure) {
    while let layer = try finished.receive() {
      try Interruption.check()
      try layer.file.makeDurable()
      counters.addOutput(layer.byteCount)
      layers.append(layer)
    }
  }
}
