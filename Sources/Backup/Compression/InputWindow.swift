import System

/// The bytes of the input as they come, looked at before they are taken.
///
/// Can count what is read from the input. As a source it gives what was looked at, then the rest, read
/// right into the reader's buffer.
package final class InputWindow: SplittableSource {
  /// How far one can look ahead.
  package static let capacity = 256 << 10

  private let source: any ByteSource
  private let progress: InputProgress?
  private let buffer = ByteBuffer(capacity: capacity)
  private var position = 0

  /// The number of bytes taken so far.
  private(set) var byteOffset: UInt64 = 0

  /// Whether all bytes of the input were taken.
  package private(set) var isAtEnd = false

  /// A window on the start of `source`; the bytes read from it are added to `progress`, unless the
  /// source does that itself.
  package init(_ source: any ByteSource, progress: InputProgress? = nil) {
    self.source = source
    self.progress = progress
  }

  /// Reads on when every byte read was taken.
  func refillIfEmpty() throws(Failure) {
    guard position == buffer.byteCount, !isAtEnd else { return }
    try buffer.fill(from: source)
    position = 0
    isAtEnd = buffer.byteCount == 0
    progress?.addBytesRead(buffer.byteCount)
  }

  /// Splits the source, if nothing has been taken.
  package func split(intoPiecesOf byteCount: Int) -> [any ByteSource & Sendable]? {
    guard byteOffset == 0, let source = source as? any SplittableSource else { return nil }
    return source.split(intoPiecesOf: byteCount)
  }

  /// Lends the bytes that were read and not taken, and takes as many as `body` says.
  package func take<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> (Result, bytesTaken: Int)
  ) throws(Failure) -> Result {
    let (result, bytesTaken) = try buffer.withBytes { (bytes) throws(Failure) in
      try body(bytes.extracting(droppingFirst: position))
    }
    position += bytesTaken
    byteOffset += UInt64(bytesTaken)
    return result
  }

  /// Appends what was read but not taken, then reads from the source right into `output`.
  ///
  /// Throws what the source throws.
  package func fill(_ output: inout OutputRawSpan) throws(Failure) {
    if position < buffer.byteCount {
      take { bytes in
        let count = min(bytes.byteCount, output.freeCapacity)
        output.append(bytes.extracting(first: count))
        return ((), bytesTaken: count)
      }
    }
    let byteCountBefore = output.byteCount
    try source.fill(&output)
    let byteCount = output.byteCount - byteCountBefore
    byteOffset += UInt64(byteCount)
    progress?.addBytesRead(byteCount)
  }
}
