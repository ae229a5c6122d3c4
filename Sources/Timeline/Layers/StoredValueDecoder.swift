import LayerFormat
import PostgresFormat
import System

/// Reads single values of a layer, decompressed and unwrapped.
package struct StoredValueDecoder: ~Copyable {
  /// A value by itself, and what it takes in the file.
  package struct Value {
    /// The bytes, decompressed and unwrapped.
    package var bytes: [UInt8]
    /// Whether it is a WAL record rather than an image.
    package var isRecord: Bool
    /// The bytes of its blob, the header included.
    package var storedByteCount: UInt64
  }

  private let layer: LayerFile
  private var reader: BlobReader
  private var decoder: BlobDecoder

  /// A reader of one layer's values. Memory: as `BlobReader` for lookups.
  package init(_ layer: LayerFile) throws(Failure) {
    decoder = try BlobDecoder()
    reader = BlobReader(layer, bufferByteCount: BlobReader.lookupBufferByteCount)
    self.layer = layer
  }

  /// Reads the value of an entry that came from the layer's index.
  package mutating func value(of entry: LayerEntry) throws(Failure) -> Value {
    reader.move(to: entry.offset)
    let blob = try reader.next(of: entry.key)
    let buffer = reader.buffer  // not copied
    do throws(FormatError) {
      let value = try decoder.decode(
        buffer.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: !layer.name.isImage, limit: BlobDecoder.valueLimit)
      return Value(
        bytes: value.bytes.array, isRecord: value.content == .record,
        storedByteCount: UInt64(blob.byteCount))
    } catch {
      throw layer.failure("key \(entry.key): \(error.message)")
    }
  }

  /// Reads the value of a key of an import's layer; nil if the layer does not have it.
  package mutating func value(of key: Key) throws(Failure) -> [UInt8]? {
    guard let entry = try layer.entry(of: key) else { return nil }
    return try value(of: entry).bytes
  }
}
