import PostgresFormat
import System

/// Reads a layer's values in key order, decompressed and unwrapped.
package struct LayerValueReader: ~Copyable {
  package typealias Content = BlobDecompressor.Content

  private let layer: LayerFile
  private var scanner: LayerScanner
  private var decompressor: BlobDecompressor

  /// Begins before the first value; one that is longer than `Timeline.valueLimit` ends in an error.
  package init(
    _ layer: LayerFile, bufferByteCount: Int = LayerScanner.usualBufferByteCount
  ) throws(Failure) {
    let scanner = try LayerScanner(layer, bufferByteCount: bufferByteCount)
    let decompressor = try BlobDecompressor()
    self.layer = layer
    self.scanner = scanner
    self.decompressor = decompressor
  }

  /// Lends the next value to `body`; false after the last.
  package mutating func next(
    _ body: (LayerEntry, Content, RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    guard let value = try scanner.next() else { return false }
    let stored = scanner.buffer  // not copied: a span of it must not borrow the whole reader
    let plain: BlobDecompressor.PlainValue
    do throws(FormatError) {
      plain = try decompressor.plainValue(
        stored.bytes.extracting(value.range), isCompressed: value.header.isCompressed,
        isWrapped: !layer.name.isImage, limit: Timeline.valueLimit)
    } catch {
      throw layer.failure("key \(value.entry.key): \(error.message)")
    }
    if plain.isInBuffer {
      try body(value.entry, plain.content, decompressor.buffer.bytes.extracting(plain.range))
    } else {
      let bytes = stored.bytes.extracting(value.range)
      try body(value.entry, plain.content, bytes.extracting(plain.range))
    }
    return true
  }
}
