import Pipeline
import Synchronization
import System

/// Counts that stages on several threads add to.
package final class ImportCounters: Sendable {
  private let output = Atomic<UInt64>(0)
  private let writing = Atomic<Bool>(false)

  /// Counts at 0.
  package init() {}

  /// The bytes written so far, added up over all threads.
  package var outputByteCount: UInt64 { output.load(ordering: .relaxed) }

  /// Whether the stage that writes is at it, rather than waiting for something to write.
  package var isWriting: Bool { writing.load(ordering: .relaxed) }

  /// Says that the stage that writes begins, or has ended, what may wait for the output.
  package func setWriting(_ isWriting: Bool) { writing.store(isWriting, ordering: .relaxed) }

  /// Adds written bytes; any thread may call it.
  package func addOutput(_ byteCount: UInt64) {
    output.wrappingAdd(byteCount, ordering: .relaxed)
  }
}

extension RunProgress {
  /// Begins a phase that reads `input`, of `byteCount` bytes if that is known otherwise than from
  /// the input; `counters` say what has been written.
  package func begin(
    _ phase: Phase, reading input: InputProgress, byteCount: UInt64? = nil,
    counters: ImportCounters? = nil
  ) {
    let claimed = inputByteCount
    begin(phase) {
      Amount(
        done: input.inputBytesRead, total: byteCount ?? input.inputByteCount ?? claimed,
        written: counters?.outputByteCount, isReading: input.isReading,
        isWriting: counters?.isWriting ?? false)
    }
  }
}
