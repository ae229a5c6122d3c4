import Testing

@testable import BackupImport

/// What a stage that fails does to the others.
struct PipelineTests {
  /// Batches that come, and those that were worked on and are taken in their order.
  private struct Workers: Pipeline {
    let work = Channel<Int>([0])
    let done = Channel<Int>()

    func fail(_ error: ImportError) {
      for channel in [work, done] { channel.fail(error) }
    }
  }

  /// Goal: a worker that fails ends those that wait for work, and who waits for what it should have
  /// handed on. Method: one batch for three workers, and nothing behind it.
  @Test(.timeLimit(.minutes(1))) func failingWorker() async {
    let pipeline = Workers()
    let failure = ImportError(.bug, "a batch that cannot be worked on")
    async let taken = outcome { () throws(ImportError) in try await pipeline.done.receive() }
    let worked = await outcome { () throws(ImportError) in
      try await pipeline.runWorkers(3) { () throws(ImportError) in
        _ = try await pipeline.work.receive()
        throw failure
      }
    }
    guard case .failure(let error) = worked, case .failure(let other) = await taken else {
      Issue.record("a stage goes on")
      return
    }
    #expect(error == failure && other == failure)
  }
}
