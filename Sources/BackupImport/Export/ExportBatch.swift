import LayerFormat
import PostgresFormat

/// Pages on their way from the layers to the tar, a fixed number of them at once.
///
/// The reader puts values in as they are stored, a worker makes pages of them, the writer takes
/// those.
final class ExportBatch: @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (reader, worker, writer); it changes hands
  // through a channel, whose lock orders the accesses.

  /// Pages of one file that stand in one batch.
  struct Run: Sendable {
    var file: ExportFile
    /// The number of the run's first page in the file.
    var firstPage: UInt32
    var pageCount = 0

    var beginsFile: Bool { firstPage == 0 }
    var endsFile: Bool { firstPage + UInt32(pageCount) == file.blockCount }
  }

  private struct StoredValue {
    var value: TimelineCursor.Value
    var range: Range<Int>
  }

  private static let pageCapacity = 64
  private static let pageByteCount = PageHeader.pageByteCount
  private static let runCapacity = 256

  /// The place of the batch in the order of the tar.
  var sequence = 0
  private(set) var runs: [Run] = []
  private var values: [StoredValue] = []
  private var stored: [UInt8] = []
  /// The pages of all runs, one after another, once they are made.
  private(set) var pages = [UInt8](repeating: 0, count: pageCapacity * pageByteCount)

  var isFull: Bool { values.count == Self.pageCapacity || runs.count == Self.runCapacity }
  var pageCount: Int { values.count }

  func reset() {
    runs.removeAll(keepingCapacity: true)
    values.removeAll(keepingCapacity: true)
    stored.removeAll(keepingCapacity: true)
  }

  /// Begins a run at a page of a file; the batch must not be full.
  func beginRun(of file: ExportFile, at page: UInt32) {
    precondition(!isFull)
    runs.append(Run(file: file, firstPage: page))
  }

  /// Adds the next page's value to the last run.
  func append(_ value: TimelineCursor.Value, _ bytes: RawSpan) {
    values.append(StoredValue(value: value, range: stored.count..<stored.count + bytes.byteCount))
    stored.append(bytes)
    runs[runs.count - 1].pageCount += 1
  }

  /// Makes the pages of the values.
  func makePages(with decoder: inout ValueDecoder) throws(ImportError) {
    let stored = stored  // not copied
    var offset = 0
    for value in values {
      try decoder.decode(value.value, stored.bytes.extracting(value.range)) {
        page throws(ImportError) in
        guard page.byteCount == Self.pageByteCount else {
          throw value.value.layer.failure(
            "the page of key \(value.value.key) has \(page.byteCount) bytes")
        }
        pages.copy(page, to: offset)
      }
      offset += Self.pageByteCount
    }
  }

  /// Where the pages of a run stand in `pages`, whose first there is number `first`.
  func range(of run: Run, from first: Int) -> Range<Int> {
    first * Self.pageByteCount..<(first + run.pageCount) * Self.pageByteCount
  }
}
