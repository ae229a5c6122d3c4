import LayerFormat
import PostgresFormat
import System

/// Reads the blobs of a layer through one buffer: one after another, or at given offsets.
///
/// ```
/// file    summary │ blob │ blob │ blob │ … │ padding │ index
///                        ╎      ▲ offset     ╎
/// buffer                 ├───────────────────┤
/// ```
///
/// An error of the system is thrown as it is (`.inputOutput`), never as damage; `.damaged` is thrown
/// only for bytes that were read and are wrong. Memory: the buffer, or the longest blob if that is
/// longer.
package struct BlobReader {
  private let layer: LayerFile
  private let limit: Int
  private let bufferByteCount: Int
  /// Holds the blob that `next` returned last.
  package private(set) var buffer: [UInt8] = []
  private var bufferOffset: UInt64
  private var filledByteCount = 0
  /// Where the next blob begins.
  package private(set) var offset = UInt64(LayerSummary.byteCount)

  /// For a caller that has one layer open at a time and reads most of it.
  package static let usualBufferByteCount = 1 << 20
  /// For a caller that reads single blobs.
  package static let lookupBufferByteCount = 16 << 10

  /// Starts before the first blob; a blob of more than `limit` stored bytes is an error.
  package init(
    _ layer: LayerFile, bufferByteCount: Int = Self.usualBufferByteCount,
    limit: Int = BlobDecoder.valueLimit
  ) {
    self.layer = layer
    self.limit = limit
    self.bufferByteCount = bufferByteCount
    bufferOffset = offset
  }

  /// Goes to the blob that begins at `offset`.
  package mutating func move(to offset: UInt64) { self.offset = offset }

  /// Reads the next blob, the value of `key`, into the buffer, and moves past it.
  ///
  /// Throws `.damaged` if it is not a blob between the summary and the index; messages name `key`.
  package mutating func next(of key: Key) throws(Failure) -> StoredBlob {
    guard offset >= UInt64(LayerSummary.byteCount), offset < layer.indexOffset else {
      throw layer.failure(
        "the index has the value of key \(key) at \(offset), outside the values")
    }
    try fill(BlobHeader.longByteCount)
    let blob = try blob(of: key)
    guard UInt64(blob.byteCount) <= layer.indexOffset - offset else {
      throw layer.failure("the value of key \(key) overlaps the index")
    }
    guard blob.header.byteCount <= limit else {
      throw layer.failure(
        "the value of key \(key) is stored in \(blob.header.byteCount) bytes, more than \(limit)")
    }
    try fill(blob.byteCount)
    defer { offset += UInt64(blob.byteCount) }
    return try self.blob(of: key)  // `fill` may have moved it in the buffer
  }

  /// Decodes the header that the buffer has at `offset`.
  private func blob(of key: Key) throws(Failure) -> StoredBlob {
    do throws(FormatError) {
      return try StoredBlob(
        decoding: buffer.bytes.extracting(0..<filledByteCount), at: Int(offset - bufferOffset))
    } catch {
      throw layer.failure("key \(key): \(error.message)")
    }
  }

  /// Reads the next `count` bytes into the buffer, or as many as there are before the index.
  private mutating func fill(_ count: Int) throws(Failure) {
    let rest = layer.indexOffset - offset
    let count = Int(min(UInt64(count), rest))
    let end = bufferOffset + UInt64(filledByteCount)
    if offset >= bufferOffset && offset + UInt64(count) <= end { return }
    let room = max(count, bufferByteCount)
    if buffer.count != room { buffer = [UInt8](repeating: 0, count: room) }
    bufferOffset = offset
    filledByteCount = 0  // in case the read fails
    let wanted = Int(min(UInt64(room), rest))
    filledByteCount = try layer.read(into: &buffer, count: wanted, at: offset)
    guard filledByteCount == wanted else { throw layer.failure("it is cut off") }
  }

  /// Releases the memory of a long blob, whose bytes are no longer needed.
  mutating func releaseLongBlob() {
    guard buffer.count > bufferByteCount else { return }
    buffer = []
    filledByteCount = 0
    bufferOffset = offset
  }

  /// Checks that only zeros, less than a page of them, are between the last blob and the index.
  mutating func checkPadding() throws(Failure) {
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
