import Dispatch
import Testing

@testable import Pipeline
@testable import System

/// The reading thread and its buffers.
@Suite struct ReadAheadTests {
  /// Gives `fillCount` full buffers, each of its number; then it fails, or waits at a gate.
  private final class ScriptedSource: ByteSource {
    private let fillCount: Int
    private let gate: DispatchSemaphore?
    private var fills = 0

    init(fillCount: Int, gate: DispatchSemaphore? = nil) {
      self.fillCount = fillCount
      self.gate = gate
    }

    func fill(_ output: inout OutputRawSpan) throws(Failure) {
      if fills == fillCount {
        gate?.wait()
        throw Failure(.readFailed, "cannot read 'script': it ends")
      }
      let bytes = [UInt8](repeating: UInt8(fills & 0xFF), count: output.freeCapacity)
      let span = unsafe bytes.span.bytes
      output.append(span)
      fills += 1
    }
  }

  /// Goal: buffers come in order, unharmed by those read ahead, and an error comes after all of
  /// them. Method: more buffers than there are, each looked at while it is lent.
  @Test(arguments: [0, 1, 3, 4, 5, 19])
  func buffersThenError(count: Int) throws {
    let readAhead = try ReadAhead { () throws(Failure) in ScriptedSource(fillCount: count) }
    for number in 0..<count {
      let buffer = try #require(try readAhead.next())
      let isRight = buffer.withBytes { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          unsafe bytes.first == UInt8(number) && bytes.last == UInt8(number)
        }
      }
      #expect(isRight && buffer.byteCount == ReadAhead.bufferSize)
    }
    let error = #expect(throws: Failure.self) { _ = try readAhead.next() }
    #expect(error?.exitCode == .inputOutput)
  }

  /// Goal: an error of opening is thrown. Method: a closure that throws.
  @Test func errorOfOpening() throws {
    let readAhead = try ReadAhead { () throws(Failure) in
      throw Failure(.cannotOpenInput, "cannot open 'script'")
    }
    let error = #expect(throws: Failure.self) { _ = try readAhead.next() }
    #expect(error?.exitCode == .cannotOpen)
  }

  /// Goal: a failure elsewhere ends the wait for the input. Method: a source that gives nothing.
  @Test(.timeLimit(.minutes(1))) func failureElsewhere() throws {
    let gate = DispatchSemaphore(value: 0)
    let failure = FirstFailure()
    let readAhead = try ReadAhead(failure: failure) { () throws(Failure) in
      ScriptedSource(fillCount: 0, gate: gate)
    }
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) {
      failure.note(Failure(.bug, "elsewhere"))
    }
    let error = #expect(throws: Failure.self) { _ = try readAhead.next() }
    #expect(error?.message == "elsewhere")
    gate.signal()
  }

  /// Goal: giving up early waits for nobody. Method: drop the read-ahead while its thread is
  /// blocked in a read, and while it waits for a free buffer.
  @Test(.timeLimit(.minutes(1)), arguments: [1, 100])
  func earlyEnd(fillCount: Int) throws {
    let gate = DispatchSemaphore(value: 0)
    var readAhead: ReadAhead? = try ReadAhead { () throws(Failure) in
      ScriptedSource(fillCount: fillCount, gate: gate)
    }
    #expect(try readAhead?.next()?.byteCount == ReadAhead.bufferSize)
    readAhead = nil
    gate.signal()
  }
}
