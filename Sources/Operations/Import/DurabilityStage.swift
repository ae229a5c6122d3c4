import Backup
import Pipeline
import System
import Timeline

/// Makes finished layers durable beside the rest of the pipeline.
///
/// Runs on a thread of its own, as fsync(2) waits for the disk. A permit goes back for each layer,
/// so that only so many wait at once.
actor DurabilityStage: BlockingActor {
  nonisolated let executor = BlockingExecutor(label: "import-backup.durability")

  // Not the default of another module: the runtime would not use it.
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    // Invariant: the actor holds its executor, which lives as long.
    unsafe executor.asUnownedSerialExecutor()
  }

  private let counters: ImportCounters

  /// The layers that are durable.
  private(set) var layers: [FinishedLayer] = []

  /// Tells `counters` of every layer.
  init(counters: ImportCounters) { self.counters = counters }

  func run(
    finished: Channel<FinishedLayer>, permits: Channel<Void>
  ) throws(Failure) {
    while let layer = try finished.wait() {
      try Interruption.check()
      try layer.file.makeDurable()
      counters.addOutput(layer.byteCount)
      layers.append(layer)
      permits.send(())
    }
  }
}
