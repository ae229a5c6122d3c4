import LayerFormat
import Pipeline
import PostgresFormat
import Timeline

/// Stored values on their way from the layers to who judges them, a fixed number of batches at
/// once.
///
/// The reader copies blobs in, a worker decompresses each and leaves an outcome.
final class ValueBatch: PipelineBatch, @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (reader, worker, judge); it changes hands
  // through a channel, whose lock orders the accesses.

  /// What became of a value.
  enum Outcome {
    case unread
    /// A page of 8192 bytes.
    case page
    /// Any other value.
    case value([UInt8])
    /// A WAL record.
    case record
    /// Why it cannot be read.
    case damaged(String)
  }

  struct Entry {
    var value: TimelineCursor.Value
    /// Where the stored bytes are in the buffer.
    var range: Range<Int>
    var meaning: KeyMeaning?
    var outcome = Outcome.unread
  }

  private static let capacity = 128
  private static let usualByteCount = 512 << 10

  /// Only one value longer than this is in memory at a time.
  static let largeValueByteCount = 1 << 20

  /// The place of the batch in the order of the keys.
  var sequence = 0
  private(set) var entries: [Entry] = []
  /// What is wrong with layers, as it showed while the batch was filled.
  var failures: [String] = []
  /// Whether it holds a large value.
  var isLarge = false
  private var buffer: [UInt8] = []

  var isEmpty: Bool { entries.isEmpty && failures.isEmpty }
  var isFull: Bool {
    entries.count + failures.count >= Self.capacity || buffer.count >= Self.usualByteCount
  }

  func reset() {
    entries.removeAll(keepingCapacity: true)
    failures = []
    // The memory of a large value is not kept.
    buffer.removeAll(keepingCapacity: !isLarge)
    isLarge = false
  }

  /// Adds a value with its stored bytes.
  func append(_ value: TimelineCursor.Value, _ stored: RawSpan) {
    let start = buffer.count
    buffer.append(stored)
    entries.append(Entry(value: value, range: start..<buffer.count))
  }

  /// Decompresses every value, and checks that pages are pages, unless pages are left for a
  /// comparison to read.
  func read(with decompressor: inout BlobDecompressor, skippingPages: Bool) {
    let buffer = buffer  // a span cannot outlive the access to a class' property
    for index in entries.indices {
      let value = entries[index].value
      let meaning = value.key.meaning
      entries[index].meaning = meaning
      if skippingPages && meaning?.isPage == true {
        let byteCount = entries[index].range.count
        entries[index].outcome =
          byteCount <= PageHeader.pageByteCount + DeltaValue.imageHeaderByteCount
          ? .page : .damaged("it is stored in \(byteCount) bytes, more than a page")
        continue
      }
      let stored = buffer.bytes.extracting(entries[index].range)
      entries[index].outcome = Self.read(value, meaning, stored, with: &decompressor)
    }
  }

  private static func read(
    _ value: TimelineCursor.Value, _ meaning: KeyMeaning?, _ stored: RawSpan,
    with decompressor: inout BlobDecompressor
  ) -> Outcome {
    do throws(FormatError) {
      let isPage = meaning?.isPage == true
      let plain = try decompressor.plainValue(
        stored, isCompressed: value.stored.header.isCompressed,
        isWrapped: !value.layer.name.isImage, limit: Timeline.valueLimit)
      if plain.content == .record { return .record }
      if isPage {
        return plain.range.count == PageHeader.pageByteCount
          ? .page : .damaged("it has \(plain.range.count) bytes instead of a page")
      }
      return .value(
        plain.isInBuffer
          ? Array(decompressor.buffer[plain.range]) : stored.extracting(plain.range).array)
    } catch {
      return .damaged(error.message)
    }
  }
}
