import LayerFormat
import PostgresFormat

/// Reads a layer's values in key order, decompressed and unwrapped.
struct LayerValueReader: ~Copyable {
  /// What a value is; its bytes are lent beside it.
  enum Content: Sendable {
    /// The value itself.
    case image
    /// A WAL record, which only a pageserver can replay.
    case record
  }

  private let layer: LayerFile
  private var scanner: LayerScanner
  private var decompressor: BlobDecompressor
  private let limit: Int

  /// Begins before the first value; one that is longer than `limit` bytes ends in an error.
  init(_ layer: LayerFile, limit: Int = BlobHeader.maximumByteCount) throws(ImportError) {
    let scanner = try LayerScanner(layer)
    let decompressor = try BlobDecompressor()
    self.layer = layer
    self.limit = limit
    self.scanner = scanner
    self.decompressor = decompressor
  }

  /// Lends the next value to `body`; false after the last.
  mutating func next(
    _ body: (LayerEntry, Content, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) -> Bool {
    guard let value = try scanner.next() else { return false }
    let entry = value.entry
    let stored = scanner.buffer  // not copied: a span of it must not borrow the whole reader
    if value.header.isCompressed {
      guard
        let byteCount = decompressor.decompress(
          stored.bytes.extracting(value.range), limit: limit)
      else {
        throw layer.failure("the value of key \(entry.key) cannot be decompressed")
      }
      try Self.unwrap(layer, entry, decompressor.buffer.bytes.extracting(0..<byteCount), body)
    } else {
      try Self.unwrap(layer, entry, stored.bytes.extracting(value.range), body)
    }
    return true
  }

  private static func unwrap(
    _ layer: LayerFile, _ entry: LayerEntry, _ value: RawSpan,
    _ body: (LayerEntry, Content, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    guard !layer.name.isImage else { return try body(entry, .image, value) }
    let isImage: Bool
    do throws(FormatError) {
      isImage = try DeltaValue.isImage(value)
    } catch {
      throw layer.failure("key \(entry.key): \(error.message)")
    }
    if isImage {
      let header = DeltaValue.imageHeaderByteCount
      try body(entry, .image, value.extracting(header..<value.byteCount))
    } else {
      try body(entry, .record, value)
    }
  }
}
