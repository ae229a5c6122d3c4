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
  var failures: [VerifySummary.Finding] = []
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
  func read(with decoder: inout BlobDecoder, skippingPages: Bool) {
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
      entries[index].outcome = Self.read(value, meaning, stored, with: &decoder)
    }
  }

  private static func read(
    _ value: TimelineCursor.Value, _ meaning: KeyMeaning?, _ stored: RawSpan,
    with decoder: inout BlobDecoder
  ) -> Outcome {
    do throws(FormatError) {
      let isPage = meaning?.isPage == true
      let decoded = try decoder.decode(
        stored, isCompressed: value.stored.blob.header.isCompressed,
        isWrapped: !value.layer.name.isImage, limit: BlobDecoder.valueLimit)
      if decoded.content == .record { return .record }
      if isPage {
        let byteCount = decoded.bytes.byteCount
        return byteCount == PageHeader.pageByteCount
          ? .page : .damaged("it has \(byteCount) bytes instead of a page")
      }
      return .value(decoded.bytes.array)
    } catch {
      return .damaged(error.message)
    }
  }
}
