import Backup
import Pipeline
import System
import Timeline

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
