import System

/// A buffer of the input on loan: when its last owner releases it, it is filled again.
///
/// So pages are compressed where they were read. What is not given back is read ahead no more,
/// which is the bound on memory.
package final class LentBuffer: @unchecked Sendable {
  // Invariant: filled by the reading thread before it is lent, and then changed only through
  // `withMutableBytes`, each range of it by one stage at a time.
  private let buffer: ByteBuffer
  private let pool: BufferPool

  fileprivate init(_ buffer: ByteBuffer, of pool: BufferPool) {
    self.buffer = buffer
    self.pool = pool
  }

  deinit { pool.giveBack(buffer) }

  /// The number of bytes that the input put into the buffer.
  package var byteCount: Int { buffer.byteCount }

  /// Where `bytes` are in the buffer; nil if they are not, or not all, from it.
  package func range(of bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    let contents = unsafe contents
    guard let start = contents.baseAddress, let first = bytes.baseAddress,
      unsafe first >= start, unsafe first + bytes.count <= start + contents.count
    else { return nil }
    let offset = unsafe first - start
    return offset..<offset + bytes.count
  }

  /// Lends a range of the bytes to be read and changed; traps beyond their end.
  ///
  /// No one else may look at the range meanwhile.
  package func withMutableBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try buffer.withMutableBytes(range, body)
  }

  /// The bytes, valid as long as the loan is held.
  @unsafe package var contents: UnsafeRawBufferPointer { unsafe buffer.contents }

  /// Lends all bytes of the buffer to `body`; rethrows its error.
  package func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try buffer.withBytes(body)
  }
}

/// A fixed number of buffers in one piece of memory, which they take when they are needed first.
final class BufferPool: Sendable {
  private let free: Channel<ByteBuffer>

  init(bufferCount: Int, bufferSize: Int) {
    let slab = MemorySlab(byteCount: bufferCount * bufferSize)
    let buffers = (0..<bufferCount).reversed().map { index in
      ByteBuffer(in: slab, index * bufferSize..<(index + 1) * bufferSize)
    }
    free = Channel(capacity: bufferCount, buffers, order: .lastInFirstOut)
  }

  /// Waits for a free buffer, and fills it with the next bytes of `source`.
  ///
  /// Returns nil if the source is at its end, and once the pool is closed.
  func fill(from source: any ByteSource) throws(Failure) -> LentBuffer? {
    guard let buffer = try? free.receive() else { return nil }
    let lent = LentBuffer(buffer, of: self)
    try buffer.fill(from: source)
    return buffer.byteCount == 0 ? nil : lent
  }

  /// Ends a wait for a buffer, without one.
  func close() { free.fail(Failure(.bug, "nobody reads on")) }

  fileprivate func giveBack(_ buffer: ByteBuffer) {
    try? free.send(buffer)  // which fails once the pool is closed
  }
}
