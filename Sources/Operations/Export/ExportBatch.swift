import Backup
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
        throw Failure(
          error, in: "layer '\(value.layer)': key \(value.key)", damage: .layerDamaged)
      }
      guard decoded.content == .image else { throw Failure(needsWAL: value.key) }
      let byteCount = decoded.bytes.byteCount
      guard byteCount == Self.pageByteCount else {
        throw Failure(
          .layerDamaged,
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

/// A file of pages of an exported backup.
struct ExportFile: Sendable {
  /// What the pages are, and the number of the first.
  var pages: PageFile
  var firstBlock: UInt32
  var blockCount: UInt32
  /// The path of the file in the data directory.
  var path: String
  /// Where the same contents lie a second time: an init fork is its relation's main fork too.
  var copyPath: String?

  var byteCount: UInt64 { UInt64(blockCount) * UInt64(PageHeader.pageByteCount) }

  /// The key of a page, counted from the file's first.
  func key(of page: UInt32) -> Key { pages.key(block: firstBlock + page) }
}

extension Cluster {
  /// The files of a fork, in the order of the keys of their pages.
  ///
  /// None for the main fork of an unlogged relation: its init fork takes its place, as after a
  /// crash. For a server to start from, none for its free space map and visibility map either,
  /// which describe pages that no longer exist; a pageserver gives them out.
  func files(ofRelationAt index: Int, forPageserver: Bool) -> [ExportFile] {
    let relation = relations[index]
    if relation.id.fork != .initialisation, relation.id.fork == .main || !forPageserver,
      isUnlogged(at: index)
    {
      return []
    }
    // An empty fork has its first segment, and no other has an empty one.
    let lastBlock = max(relation.blockCount, 1) - 1
    return (0...lastBlock / RelationSegment.blockCount).map { Self.file(relation, segment: $0) }
  }

  /// The file of an SLRU's segment.
  static func file(of segment: SLRUSegment) -> ExportFile {
    ExportFile(
      pages: .slru(segment.kind, segment: segment.number), firstBlock: 0,
      blockCount: segment.blockCount, path: segment.kind.path(ofSegment: segment.number))
  }

  /// Checks that no init fork is too long to be kept in memory until its copy is written; real ones
  /// have a handful of blocks.
  func requireShortInitForks() throws(FormatError) {
    for relation in relations
    where relation.id.fork == .initialisation && relation.blockCount > Self.initForkLimit {
      throw .damaged(
        "'\(relation.id)' has \(relation.blockCount) blocks, too many for an init fork")
    }
  }

  private static let initForkLimit: UInt32 = 2048

  /// Whether the relation of a fork has an init fork, which follows all its others.
  private func isUnlogged(at index: Int) -> Bool {
    let id = relations[index].id
    let forks = relations[index...].lazy.map(\.id).prefix {
      $0.databaseID == id.databaseID && $0.relationNumber == id.relationNumber
    }
    return forks.contains { $0.fork == .initialisation }
  }

  private static func file(_ relation: Relation, segment: UInt32) -> ExportFile {
    var name = RelationSegment(
      databaseID: relation.id.databaseID, relationNumber: relation.id.relationNumber,
      fork: relation.id.fork, segmentNumber: segment)
    let pages = PageFile.relation(name, isInImageLayer: false)
    let firstBlock = segment * RelationSegment.blockCount
    let path = name.path
    name.fork = .main
    return ExportFile(
      pages: pages, firstBlock: firstBlock,
      blockCount: min(relation.blockCount - firstBlock, RelationSegment.blockCount), path: path,
      copyPath: relation.id.fork == .initialisation ? name.path : nil)
  }
}
