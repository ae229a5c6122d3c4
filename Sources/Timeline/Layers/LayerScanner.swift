import LayerFormat
import PostgresFormat
import System

/// Reads a layer's values in key order, as they are stored, in large reads.
///
/// Blobs must be back to back from the first page to the index, as a pageserver takes a blob's
/// end from the next one's start, but for what is skipped; the padding must be zeros. Memory: as
/// `BlobReader`.
package struct LayerScanner {
  /// A value as it is stored.
  package struct Value {
    /// The value's key, its LSN and the place of its blob.
    package var entry: LayerEntry
    /// The value's blob; its range is in `buffer`.
    package var blob: StoredBlob
  }

  private let layer: LayerFile
  private var cursor: LayerIndexCursor
  private var reader: BlobReader
  /// The entry that was looked at and not taken yet; nil inside if there is none.
  private var lookahead: LayerEntry??

  /// Holds the value that was given last.
  package var buffer: [UInt8] { reader.buffer }

  /// Begins before the first value; one that is stored in more than `BlobDecoder.valueLimit` bytes
  /// ends in an error.
  package init(
    _ layer: LayerFile, bufferByteCount: Int = BlobReader.usualBufferByteCount
  ) throws(Failure) {
    self.layer = layer
    cursor = try LayerIndexCursor(layer)
    reader = BlobReader(layer, bufferByteCount: bufferByteCount)
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
      try reader.checkPadding()
      return nil
    }
    lookahead = nil
    guard entry.offset == reader.offset else {
      throw layer.failure(
        "the value of key \(entry.key) starts at \(entry.offset), but the previous one ends at "
          + "\(reader.offset)")
    }
    return Value(entry: entry, blob: try reader.next(of: entry.key))
  }

  /// Goes over the next value without reading it.
  package mutating func skip() throws(Failure) {
    lookahead = nil
    let next = try peek()?.offset ?? layer.indexOffset
    guard next > reader.offset, next <= layer.indexOffset else {
      throw layer.failure("a value starts at \(next), before the end of the previous one")
    }
    reader.move(to: next)
  }

  /// Releases the memory of a long value, whose bytes are no longer needed.
  mutating func releaseLongValue() { reader.releaseLongBlob() }
}

/// Reads a layer's values in key order, decompressed and unwrapped.
package struct LayerValueReader: ~Copyable {
  private let layer: LayerFile
  private var scanner: LayerScanner
  private var decoder: BlobDecoder

  /// Begins before the first value; one that is longer than `BlobDecoder.valueLimit` ends in an error.
  package init(
    _ layer: LayerFile, bufferByteCount: Int = BlobReader.usualBufferByteCount
  ) throws(Failure) {
    let scanner = try LayerScanner(layer, bufferByteCount: bufferByteCount)
    let decoder = try BlobDecoder()
    self.layer = layer
    self.scanner = scanner
    self.decoder = decoder
  }

  /// Lends the next value to `body`, stored and decoded; false after the last.
  package mutating func next(
    _ body: (LayerScanner.Value, DecodedValue) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    guard let stored = try scanner.next() else { return false }
    let buffer = scanner.buffer  // not copied: a span of it must not borrow the whole reader
    let value: DecodedValue
    do throws(FormatError) {
      value = try decoder.decode(
        buffer.bytes.extracting(stored.blob.range), isCompressed: stored.blob.header.isCompressed,
        isWrapped: !layer.name.isImage, limit: BlobDecoder.valueLimit)
    } catch {
      throw layer.failure("key \(stored.entry.key): \(error.message)")
    }
    try body(stored, value)
    return true
  }
}
