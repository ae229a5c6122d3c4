import Backup
import LayerFormat
import PostgresFormat
import System
import Timeline

/// Counts and measures a layer's values, reading no more than that takes.
///
/// Of an image layer the index is read, and the values that are no pages: a page has 8192 bytes by
/// the format. What a delta layer holds, images or records, only its values tell, so that it is
/// read as a whole.
enum LayerMeasurement {
  static func contents(of layer: LayerFile) throws(Failure) -> LayerDescription.Contents {
    layer.name.isImage ? try imageContents(of: layer) : try deltaContents(of: layer)
  }

  private static func imageContents(
    of layer: LayerFile
  ) throws(Failure) -> LayerDescription.Contents {
    var contents = LayerDescription.Contents()
    var cursor = try LayerIndexCursor(layer)
    var decoder = try StoredValueDecoder(layer)
    var last: LayerEntry?
    while let entry = try cursor.next() {
      try Interruption.check()
      // Otherwise many entries could share one long value, to be decompressed for each.
      guard entry.offset > last?.offset ?? 0 else {
        throw layer.failure(
          "the value of key \(entry.key) starts before the end of the previous one")
      }
      contents.valueCount += 1
      if entry.key.meaning?.isPage == true {
        contents.plainByteCount += UInt64(PageHeader.pageByteCount)
      } else {
        contents.plainByteCount += UInt64(try decoder.value(of: entry).bytes.count)
      }
      last = entry
    }
    contents.storedByteCount = try storedByteCount(of: layer, upTo: last)
    return contents
  }

  private static func deltaContents(
    of layer: LayerFile
  ) throws(Failure) -> LayerDescription.Contents {
    var contents = LayerDescription.Contents()
    var last: LayerEntry?
    var reader = try LayerValueReader(layer)
    while try reader.next({ entry, content, value in
      contents.valueCount += 1
      contents.recordCount += content == .record ? 1 : 0
      contents.plainByteCount += UInt64(value.byteCount)
      last = entry
    }) {
      try Interruption.check()
    }
    contents.storedByteCount = try storedByteCount(of: layer, upTo: last)
    return contents
  }

  /// From the first value's header to the last value's end: values stand back to back.
  private static func storedByteCount(
    of layer: LayerFile, upTo last: LayerEntry?
  ) throws(Failure) -> UInt64 {
    guard let last else { return 0 }
    // Before the first page's end no value is read, so the difference is not negative.
    let blob = try layer.storedValue(at: last.offset)
    return last.offset + blob.blobByteCount - UInt64(LayerSummary.byteCount)
  }
}

/// Reads single values of a layer, decompressed and unwrapped.
struct StoredValueDecoder: ~Copyable {
  /// A value by itself, and what it takes in the file.
  struct Value {
    var bytes: [UInt8]
    var isRecord: Bool
    var storedByteCount: UInt64
  }

  private let layer: LayerFile
  private var decompressor: BlobDecompressor

  init(_ layer: LayerFile) throws(Failure) {
    decompressor = try BlobDecompressor()
    self.layer = layer
  }

  /// Reads the value of an entry that came from the layer's index.
  mutating func value(of entry: LayerEntry) throws(Failure) -> Value {
    let stored = try layer.storedValue(at: entry.offset)
    var bytes = stored.bytes
    if stored.header.isCompressed {
      guard
        let byteCount = decompressor.decompress(
          bytes.bytes, limit: Timeline.valueLimit)
      else { throw layer.failure("the value of key \(entry.key) cannot be decompressed") }
      bytes = Array(decompressor.buffer.prefix(byteCount))
    }
    guard !layer.name.isImage else {
      return Value(bytes: bytes, isRecord: false, storedByteCount: stored.blobByteCount)
    }
    do throws(FormatError) {
      let isImage = try DeltaValue.isImage(bytes.bytes)
      if isImage { bytes.removeFirst(DeltaValue.imageHeaderByteCount) }
      return Value(bytes: bytes, isRecord: !isImage, storedByteCount: stored.blobByteCount)
    } catch {
      throw layer.failure("key \(entry.key): \(error.message)")
    }
  }
}
