import Glibc
import Testing

@testable import Pipeline
@testable import System

/// What a stage that fails does to the others.
struct StageGroupTests {
  /// Goal: what went wrong first is told, whatever it leads to elsewhere. Method: a stage fails, and
  /// the work beside it ends with an error of its own, for that reason.
  @Test(.timeLimit(.minutes(10))) func firstFailure() {
    let group = StageGroup()
    let done = group.channel(capacity: 1, [Int]())
    let failure = Failure(.readFailed, "the disk is full")
    let fail = Stage("fail") { () throws(Failure) in throw failure }
    #expect(throws: failure) {
      try group.run([fail], beside: "wait") { () throws(Failure) in
        // Nothing comes: this waits until the channel fails.
        do throws(Failure) { _ = try done.receive() } catch {
          throw Failure(.backupTruncated, "the input is cut off")
        }
      }
    }
  }

  /// Goal: the work beside the stages ends them when it fails. Method: a stage that waits for what
  /// never comes.
  @Test(.timeLimit(.minutes(10))) func failingBody() {
    let group = StageGroup()
    let never = group.channel(capacity: 1, [Int]())
    let failure = Failure(.backupTruncated, "the input is cut off")
    let wait = Stage("wait") { () throws(Failure) in _ = try never.receive() }
    #expect(throws: failure) {
      try group.run([wait], beside: "fail") { () throws(Failure) in throw failure }
    }
  }

  /// Goal: threads have the names that a person sees in top(1). Method: each asks the system for its
  /// own.
  @Test func names() throws {
    @Sendable func name() -> String {
      String(decoding: Processors.beginning(of: "/proc/thread-self/comm"), as: UTF8.self)
    }
    let found = StageResult<String>()
    let stage = Stage("compress-1") { () throws(Failure) in found.set(name()) }
    let other = try StageGroup().run([stage], beside: "write") { () throws(Failure) in name() }
    #expect(try found.get() == "compress-1\n")
    #expect(other == "write\n")
  }
}

/// The shape that all pipelines have.
struct BatchPipelineTests {
  private final class Batch: PipelineBatch, @unchecked Sendable {
    // Invariant: a batch belongs to one stage at a time.
    var sequence = 0
    var numbers: [Int] = []

    var isFull: Bool { numbers.count == 3 }
    func reset() { numbers.removeAll() }
  }

  private static func pipeline(_ group: StageGroup = StageGroup()) -> BatchPipeline<Batch> {
    BatchPipeline(
      group, BatchPipeline.Names(fill: "fill", work: "work", drain: "drain"), jobs: 3,
      batches: (0..<5).map { _ in Batch() })
  }

  /// Goal: batches are drained in the order in which they were filled, each worked on once, and
  /// what the first stage returns is given back. Method: numbers that workers double, after pauses
  /// of various lengths.
  @Test(.timeLimit(.minutes(10))) func order() throws {
    var drained: [Int] = []
    let count = try Self.pipeline().run(
      fill: { feed throws(Failure) in
        for number in 0..<1000 { try feed.open().numbers.append(number) }
        return 1000
      },
      work: { batches throws(Failure) in
        try batches.each { batch throws(Failure) in
          if batch.sequence.isMultiple(of: 7) { sched_yield() }
          batch.numbers = batch.numbers.map { 2 * $0 }
        }
      },
      drain: { batch throws(Failure) in drained += batch.numbers })
    #expect(count == 1000)
    #expect(drained == (0..<1000).map { 2 * $0 })
  }

  /// Goal: whichever stage fails, all end, and its error is thrown. Method: each fails in turn, in
  /// the middle of its work.
  @Test(.timeLimit(.minutes(10)), arguments: ["fill", "work", "drain", "beside"])
  func failure(of stage: String) {
    let failure = Failure(.bug, "a batch that cannot be worked on")
    let group = StageGroup()
    let never = group.channel(capacity: 1, [Int]())
    let beside = Stage("beside") { () throws(Failure) in
      if stage == "beside" { throw failure }
      _ = try never.receive()
    }
    #expect(throws: failure) {
      try Self.pipeline(group).run(
        beside: [beside],
        fill: { feed throws(Failure) in
          for number in 0..<100_000 {
            if stage == "fill" && number == 100 { throw failure }
            try feed.open().numbers.append(number)
          }
        },
        work: { batches throws(Failure) in
          try batches.each { batch throws(Failure) in
            if stage == "work" && batch.sequence == 20 { throw failure }
          }
        },
        drain: { batch throws(Failure) in
          if stage == "drain" && batch.sequence == 20 { throw failure }
        })
    }
  }
}
