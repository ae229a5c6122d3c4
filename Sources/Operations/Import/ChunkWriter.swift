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

/// Writes chunks as L0 layers beside the rest of the pipeline, one at a time.
///
/// Runs on a thread of its own, for it waits for the disk. A spool goes back when it is empty, so
/// that there are two of them at most: one that is filled, one that is drained.
actor ChunkWriter: BlockingActor {
  nonisolated let executor = BlockingExecutor(label: "import-backup.chunk-writer")

  // Not the default of another module: the runtime would not use it.
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    // Invariant: the actor holds its executor, which lives as long.
    unsafe executor.asUnownedSerialExecutor()
  }

  func run(
    full: Channel<FullChunk>, empty: Channel<ChunkSpool>, finished: Channel<FinishedLayer>
  ) throws(Failure) {
    while var chunk = try full.wait() {
      try chunk.spool.drain(into: &chunk.writer)
      finished.send(try chunk.writer.finish(as: chunk.name))
      empty.send(chunk.spool)
    }
  }
}
