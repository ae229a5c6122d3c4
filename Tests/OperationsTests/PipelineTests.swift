import Testing

@testable import Pipeline
@testable import System

/// What a stage that fails does to the others.
struct PipelineTests {
  /// Batches that come, and those that were worked on and are taken in their order.
  private struct Workers: Pipeline {
    let work = Channel<Int>([0])
    let done = Channel<Int>()

    let failure = FirstFailure()
    var channels: [any FailableChannel] { [work, done] }
  }

  /// Goal: a worker that fails ends those that wait for work, and who waits for what it should have
  /// handed on. Method: one batch for three workers, and nothing behind it.
  @Test(.timeLimit(.minutes(10))) func failingWorker() async {
    let pipeline = Workers()
    let failure = Failure(.bug, "a batch that cannot be worked on")
    async let taken = outcome { () throws(Failure) in try await pipeline.done.receive() }
    let worked = await outcome { () throws(Failure) in
      try await pipeline.runWorkers(3) { () throws(Failure) in
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

  /// Goal: what went wrong first is told, whatever it leads to elsewhere. Method: a stage fails, and
  /// the work beside it ends with an error of its own, for that reason.
  @Test(.timeLimit(.minutes(10))) func firstFailure() async {
    let pipeline = Workers()
    let failure = Failure(.inputOutput, "the disk is full")
    let fail: Pipeline.Stage = { () throws(Failure) in throw failure }
    let result = await outcome { () throws(Failure) in
      try await pipeline.run([fail]) { () throws(Failure) in
        // Nothing comes: this waits until the channel fails.
        _ = await outcome { () throws(Failure) in try await pipeline.done.receive() }
        throw Failure(.damaged, "the input is cut off")
      }
    }
    #expect(throws: failure) { try result.get() }
  }
}
