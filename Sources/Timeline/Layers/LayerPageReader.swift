import LayerFormat
import PostgresFormat
import System

/// Reads single pages of layers, of which one is open at a time.
///
/// Pages that are asked for in the order of their keys are read with one index lookup each and mostly
/// from one buffer. Memory: 32 KiB, and one open file.
package struct LayerPageReader: ~Copyable {
  private var layer: (path: String, file: LayerFile, blobs: BlobReader)?
  private var decoder: BlobDecoder

  /// No layer is open yet.
  package init() throws(Failure) { decoder = try BlobDecoder() }

  /// Lends the newest page of a key in a layer to `body`; false if the layer does not have it.
  ///
  /// - Parameters:
  ///   - path: says whether it is the layer that is open.
  ///   - open: opens the layer.
  package mutating func lend(
    _ key: Key, in path: String, open: () throws(Failure) -> LayerFile,
    to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    if layer?.path != path {
      let file = try open()
      layer = (path, file, BlobReader(file, bufferByteCount: BlobReader.lookupBufferByteCount))
    }
    guard let entry = try layer?.file.entry(of: key) else { return false }
    try lend(entry, to: body)
    return true
  }

  private mutating func lend(
    _ entry: LayerEntry, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard var open = layer.take() else { return }  // one owner: its buffer is not copied
    open.blobs.move(to: entry.offset)
    let blob = try open.blobs.next(of: entry.key)
    let buffer = open.blobs.buffer
    let file = open.file
    layer = open
    let decoded: DecodedValue
    do throws(FormatError) {
      decoded = try decoder.decode(
        buffer.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: !file.name.isImage, limit: PageHeader.pageByteCount + 64)
    } catch {
      throw Failure(
        error, in: "layer \(file.path.quoted): key \(entry.key)", damage: .layerDamaged)
    }
    guard decoded.bytes.byteCount == PageHeader.pageByteCount else {
      throw file.failure("the value of key \(entry.key) is not a page")
    }
    try body(decoded.bytes)
  }
}
