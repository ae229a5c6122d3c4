import LayerFormat
import PostgresFormat

/// Takes stored values out of their wrapping: compression, and a delta layer's header.
struct ValueDecoder: ~Copyable {
  private var decompressor: BlobDecompressor
  private let limit: Int

  /// Values are at most `limit` bytes long.
  init(limit: Int) throws(ImportError) {
    decompressor = try BlobDecompressor()
    self.limit = limit
  }

  /// Lends the value itself to `body`.
  ///
  /// Throws `.damaged` where it cannot be decompressed or is too long, and `.unsupported` for a WAL
  /// record.
  mutating func decode<Result>(
    _ value: TimelineCursor.Value, _ stored: RawSpan,
    _ body: (RawSpan) throws(ImportError) -> Result
  ) throws(ImportError) -> Result {
    guard value.header.isCompressed else { return try Self.unwrap(value, stored, body) }
    let limit = limit + (value.isWrapped ? DeltaValue.imageHeaderByteCount : 0)
    guard let byteCount = decompressor.decompress(stored, limit: limit) else {
      throw value.layer.failure("the value of key \(value.key) cannot be decompressed")
    }
    return try Self.unwrap(value, decompressor.buffer.bytes.extracting(0..<byteCount), body)
  }

  private static func unwrap<Result>(
    _ value: TimelineCursor.Value, _ bytes: RawSpan,
    _ body: (RawSpan) throws(ImportError) -> Result
  ) throws(ImportError) -> Result {
    guard value.isWrapped else { return try body(bytes) }
    let isImage: Bool
    do throws(FormatError) {
      isImage = try DeltaValue.isImage(bytes)
    } catch {
      throw value.layer.failure("key \(value.key): \(error.message)")
    }
    guard isImage else { throw TimelineCursor.holdsRecords(value.key) }
    return try body(bytes.extracting(DeltaValue.imageHeaderByteCount..<bytes.byteCount))
  }
}
