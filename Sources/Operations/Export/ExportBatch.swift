import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Pages on their way from the layers to the tar, a fixed number of them at once.
///
/// The reader puts values in as they are stored, a worker makes pages of them, the writer takes
/// those.
final class ExportBatch: PipelineBatch, @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (reader, worker, writer); it changes hands
  // through a channel, whose lock orders the accesses.

  /// Pages of one file that are in one batch.
  struct Run: Sendable {
    var file: ExportFile
    /// The number of the run's first page in the file.
    var firstPage: UInt32
    var pageCount = 0

    var beginsFile: Bool { firstPage == 0 }
    var endsFile: Bool { firstPage + UInt32(pageCount) == file.blockCount }
  }

  private struct StoredPage {
    var key: Key
    var layer: LayerName
    var isCompressed: Bool
    var range: Range<Int>
  }

  private static let pageCapacity = 64
  private static let pageByteCount = PageHeader.pageByteCount
  private static let runCapacity = 256

  /// The place of the batch in the order of the tar.
  var sequence = 0
  private(set) var runs: [Run] = []
  private var storedPages: [StoredPage] = []
  private var stored: [UInt8] = []
  /// The pages of all runs, one after another, once they are made.
  private(set) var pages = [UInt8](repeating: 0, count: pageCapacity * pageByteCount)

  var isFull: Bool { storedPages.count == Self.pageCapacity || runs.count == Self.runCapacity }
  var pageCount: Int { storedPages.count }

  func reset() {
    runs.removeAll(keepingCapacity: true)
    storedPages.removeAll(keepingCapacity: true)
    stored.removeAll(keepingCapacity: true)
  }

  /// Begins a run at a page of a file; the batch must not be full.
  func beginRun(of file: ExportFile, at page: UInt32) {
    precondition(!isFull)
    runs.append(Run(file: file, firstPage: page))
  }

  /// Adds the next page's value, as it is stored, to the last run.
  func append(_ value: TimelineCursor.Value, _ bytes: RawSpan) {
    storedPages.append(
      StoredPage(
        key: value.key, layer: value.layer.name,
        isCompressed: value.stored.blob.header.isCompressed,
        range: stored.count..<stored.count + bytes.byteCount))
    stored.append(bytes)
    runs[runs.count - 1].pageCount += 1
  }

  /// Makes the pages of what is stored.
  func makePages(with decoder: inout BlobDecoder) throws(Failure) {
    let stored = stored  // not copied
    for (index, value) in storedPages.enumerated() {
      let decoded: DecodedValue
      do throws(FormatError) {
        decoded = try decoder.decode(
          stored.bytes.extracting(value.range), isCompressed: value.isCompressed,
          isWrapped: !value.layer.isImage,
          limit: DeltaValue.imageHeaderByteCount + Self.pageByteCount)
      } catch {
        throw Failure(error, in: "layer '\(value.layer)': key \(value.key)")
      }
      guard decoded.content == .image else { throw Failure(needsWAL: value.key) }
      let byteCount = decoded.bytes.byteCount
      guard byteCount == Self.pageByteCount else {
        throw Failure(
          .damaged,
          "layer '\(value.layer)': the page of key \(value.key) has \(byteCount) bytes")
      }
      pages.copy(decoded.bytes, to: index * Self.pageByteCount)
    }
  }

  /// Where the pages of a run are in `pages`, whose first there is number `first`.
  func range(of run: Run, from first: Int) -> Range<Int> {
    first * Self.pageByteCount..<(first + run.pageCount) * Self.pageByteCount
  }
}
