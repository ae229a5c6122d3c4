import Dispatch
import PostgresFormat
import TestSupport
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
  @Test(.timeLimit(.minutes(10))) func failureElsewhere() throws {
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
  @Test(.timeLimit(.minutes(10)), arguments: [1, 100])
  func earlyEnd(fillCount: Int) throws {
    let gate = DispatchSemaphore(value: 0)
    var readAhead: ReadAhead? = try ReadAhead { () throws(Failure) in
      ScriptedSource(fillCount: fillCount, gate: gate)
    }
    #expect(try readAhead?.next()?.byteCount == ReadAhead.bufferSize)
    readAhead = nil
    gate.signal()
  }

  /// Goal: a large file that is read at two places gives the bytes of the file, and counts them. Method:
  /// files of 64 MiB and a little more and less, with a number every 512 bytes; buffers kept for a while.
  @Test(arguments: [64 << 20, 64 << 20 + 512, 65 << 20 - 512, 64 << 20 - 512])
  func largeFile(byteCount: Int) throws {
    let directory = try TemporaryDirectory(inMemory: true)
    let path = directory.path + "/file"
    let file = try OutputFile(creating: path, mode: 0o600)
    var bytes = [UInt8](repeating: 0, count: byteCount)
    for offset in stride(from: 0, to: byteCount, by: 512) {
      let number = UInt32(offset)
      for index in 0..<4 {
        bytes[offset + index] = UInt8(truncatingIfNeeded: number >> (8 * index))
      }
    }
    try file.write(bytes.bytes, at: 0)
    try file.close()
    let progress = InputProgress()
    let readAhead = try ReadAhead(bufferCount: 13) { () throws(Failure) in
      try FileSource(path: path, progress: progress)
    }
    var offset = 0
    var kept: [LentBuffer] = []
    while let buffer = try readAhead.next() {
      let expected = bytes.bytes.extracting(offset..<min(offset + ReadAhead.bufferSize, byteCount))
      let isRight = buffer.withBytes { lent in
        lent.byteCount == expected.byteCount
          && CRC32C.checksum(of: lent) == CRC32C.checksum(of: expected)
      }
      #expect(isRight, "at \(offset)")
      offset += buffer.byteCount
      kept.append(buffer)
      if kept.count > 3 { kept.removeFirst() }
    }
    #expect(offset == byteCount && progress.inputBytesRead == UInt64(byteCount))
  }
}
