import LayerFormat
import System
import Timeline

extension KeyspaceWriter {
  /// Writes each value as an image into a delta layer.
  func write(to writer: inout LayerWriter, level: Int32) throws(Failure) {
    var encoder = try BlobEncoder(level: level)
    // Used again for each value: there is one for each relation.
    var image: [UInt8] = []
    var blob: [UInt8] = []
    try write { key, value throws(Failure) in
      image.removeAll(keepingCapacity: true)
      DeltaValue.encodeImageHeader(byteCount: value.count, into: &image)
      image += value
      blob.removeAll(keepingCapacity: true)
      try encoder.appendBlob(of: image.bytes, to: &blob)
      try writer.append(blob.bytes, for: key)
    }
  }
}
