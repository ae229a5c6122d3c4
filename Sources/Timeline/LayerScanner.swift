import LayerFormat
import PostgresFormat
import System

/// Reads a layer's values in key order, as they are stored, in large reads.
///
/// Blobs must stand back to back from the first page to the index, as a pageserver takes a blob's
/// end from the next one's start, but for what is skipped; the padding must be zeros. Memory: the
/// buffer, or the longest blob where that is longer.
package struct LayerScanner {
  /// A value as it is stored.
  package struct Value {
    package var entry: LayerEntry
    package var header: BlobHeader
    /// Where the value's bytes stand in `buffer`, without the header.
    package var range: Range<Int>
  }

  private let layer: LayerFile
  private let limit: Int
  private let bufferByteCount: Int
  private var cursor: LayerIndexCursor
  /// The entry that was looked at and not taken yet; nil inside where there is none.
  private var lookahead: LayerEntry??
  /// Holds the value that was given last.
  package private(set) var buffer: [UInt8]
  private var bufferOffset = UInt64(LayerSummary.byteCount)
  private var filledByteCount = 0
  private var offset = UInt64(LayerSummary.byteCount)

  /// The buffer of a reader that has one layer open at a time.
  package static let usualBufferByteCount = 1 << 20

  /// Begins before the first value; one that is stored in more than `limit` bytes ends in an error.
  package init(
    _ layer: LayerFile, bufferByteCount: Int = Self.usualBufferByteCount,
    limit: Int = Timeline.valueLimit
  ) throws(Failure) {
    self.layer = layer
    self.limit = limit
    self.bufferByteCount = bufferByteCount
    cursor = try LayerIndexCursor(layer)
    buffer = [UInt8](repeating: 0, count: bufferByteCount)
  }

  /// The entry of the value that `next` gives; the buffer stays as it is.
  package mutating func peek() throws(Failure) -> LayerEntry? {
    if let lookahead { return lookahead }
    let entry = try cursor.next()
    lookahead = .some(entry)
    return entry
  }

  /// The next value; nil after the last, when every byte of the file has been accounted for.
  package mutating func next() throws(Failure) -> Value? {
    guard let entry = try peek() else {
      try checkPadding()
      return nil
    }
    lookahead = nil
    guard entry.offset == offset else {
      throw layer.failure(
        "the value of key \(entry.key) begins at \(entry.offset), not at \(offset), where the one "
          + "before it ends")
    }
    try fill(BlobHeader.longByteCount)
    let header: BlobHeader
    let headerByteCount: Int
    do throws(FormatError) {
      (header, headerByteCount) = try BlobHeader.decode(
        buffer.bytes.extracting(0..<filledByteCount), at: Int(offset - bufferOffset))
    } catch {
      throw layer.failure("key \(entry.key): \(error.message)")
    }
    let blobByteCount = headerByteCount + header.byteCount
    guard UInt64(blobByteCount) <= layer.indexOffset - offset else {
      throw layer.failure("the value of key \(entry.key) reaches into the index")
    }
    guard header.byteCount <= limit else {
      throw layer.failure(
        "the value of key \(entry.key) is stored in \(header.byteCount) bytes, more than \(limit)")
    }
    try fill(blobByteCount)
    let start = Int(offset - bufferOffset) + headerByteCount
    offset += UInt64(blobByteCount)
    return Value(entry: entry, header: header, range: start..<start + header.byteCount)
  }

  /// Gives back what a long value took, whose bytes are not wanted any more.
  mutating func releaseLongValue() {
    guard buffer.count > bufferByteCount else { return }
    buffer = []
    filledByteCount = 0
    bufferOffset = offset
  }

  /// Goes over the next value without reading it.
  package mutating func skip() throws(Failure) {
    lookahead = nil
    let next = try peek()?.offset ?? layer.indexOffset
    guard next > offset, next <= layer.indexOffset else {
      throw layer.failure("a value begins at \(next), before the end of the one before it")
    }
    offset = next
  }

  /// Makes the next `count` bytes stand in the buffer, as far as there are so many before the
  /// index.
  private mutating func fill(_ count: Int) throws(Failure) {
    let start = Int(offset - bufferOffset)
    guard start + count > filledByteCount else { return }
    let room = max(count, bufferByteCount)
    if buffer.count != room { buffer = [UInt8](repeating: 0, count: room) }
    bufferOffset = offset
    let wanted = Int(min(UInt64(buffer.count), layer.indexOffset - offset))
    filledByteCount = try layer.read(into: &buffer, count: wanted, at: offset)
    guard filledByteCount == wanted else { throw layer.failure("it is cut off") }
  }

  private mutating func checkPadding() throws(Failure) {
    let padding = Int(min(layer.indexOffset - offset, UInt64(IndexTree.nodeByteCount)))
    guard padding < IndexTree.nodeByteCount else {
      throw layer.failure("bytes before the index belong to no value")
    }
    try fill(padding)
    let start = Int(offset - bufferOffset)
    guard buffer[start..<start + padding].allSatisfy({ $0 == 0 }) else {
      throw layer.failure("the padding before the index is not zeros")
    }
  }
}
