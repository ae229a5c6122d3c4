import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// An export's first stage: reads a timeline in key order, its small values first, then its pages.
///
/// Used by one thread at a time: first by the one that makes it, then by the pipeline's first stage.
final class TimelineReader: @unchecked Sendable {
  // Invariant: only the stage that reads the pages uses it until that has ended.

  private let timeline: Timeline
  private let forPageserver: Bool
  private let counters: ImportCounters
  private let progress: RunProgress?

  private var cursor: TimelineCursor
  private let input = InputProgress()

  init(
    _ timeline: Timeline, forPageserver: Bool, counters: ImportCounters,
    progress: RunProgress?
  ) {
    self.timeline = timeline
    self.forPageserver = forPageserver
    self.counters = counters
    self.progress = progress
    cursor = TimelineCursor(timeline)
  }

  /// Reads everything but the pages: the indexes of all layers that may hold more than those.
  func readContents(_ version: PostgresVersion) throws(Failure) -> Cluster {
    progress?.begin(.readingIndexes)
    var reader = KeyspaceReader(version: version)
    var fault: KeyspaceFault?
    var values = try TimelineValues(
      timeline, layers: timeline.layers.filter { !Self.holdsPagesOnly($0.name) })
    var hasMore = true
    while hasMore {
      try Interruption.check()
      hasMore = try values.next(
        skipping: { $0.meaning?.isPage == true },
        body: { key, value throws(Failure) in
          reader.take(key, value) { fault = Self.first(fault, $0) }
          if let fault { throw failure(fault) }
        })
    }
    let cluster = reader.finish { fault = Self.first(fault, $0) }
    if let fault { throw failure(fault) }
    do throws(FormatError) {
      try cluster.requireShortInitForks()
    } catch {
      throw Failure(
        error, in: "timeline \(timeline.path.quoted)", damage: .timelineInconsistent)
    }
    return cluster
  }

  /// The first fault that makes a cluster incomplete: what no list promises does not exist, as to a
  /// pageserver.
  private static func first(_ fault: KeyspaceFault?, _ other: KeyspaceFault) -> KeyspaceFault? {
    fault ?? (other.isSuperfluousKey ? nil : other)
  }

  private func failure(_ fault: KeyspaceFault) -> Failure {
    Failure(
      FormatError(fault), in: "timeline \(timeline.path.quoted)", damage: .timelineInconsistent)
  }

  /// Whether a layer's keys are all blocks of one fork, as those of a big relation's layers are.
  private static func holdsPagesOnly(_ name: LayerName) -> Bool {
    guard case .relationBlock(let first, _) = name.keys.lowerBound.meaning else { return false }
    switch name.keys.upperBound.meaning {
    case .relationBlock(let last, _): return first == last
    case .relationSize(let last): return first == last
    default: return false
    }
  }

  /// Reads all pages into the batches of `feed`.
  func readPages(
    _ cluster: Cluster, into feed: BatchFeed<ExportBatch>
  ) throws(Failure) {
    progress?.begin(
      .exporting, reading: input,
      byteCount: timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize }, counters: counters)
    for index in cluster.relations.indices {
      for file in cluster.files(ofRelationAt: index, forPageserver: forPageserver) {
        try readPages(of: file, into: feed)
      }
    }
    for segment in cluster.slruSegments {
      try readPages(of: Cluster.file(of: segment), into: feed)
    }
  }

  private func readPages(
    of file: ExportFile, into feed: BatchFeed<ExportBatch>
  ) throws(Failure) {
    progress?.note { [path = file.path] in path }
    var page: UInt32 = 0
    repeat {
      let batch = try feed.open()
      batch.beginRun(of: file, at: page)
      while page < file.blockCount && !batch.isFull {
        try readPage(page, of: file, into: batch)
        page += 1
      }
    } while page < file.blockCount
  }

  /// Checks that a value is stored as shortly as a page can be, for many are in memory at once.
  private func requirePage(_ value: TimelineCursor.Value) throws(Failure) {
    let byteCount = value.stored.blob.header.byteCount
    if byteCount <= PageHeader.pageByteCount + DeltaValue.imageHeaderByteCount { return }
    if !value.layer.name.isImage && !value.stored.blob.header.isCompressed,
      cursor.withBytes(of: value, Self.isRecord)
    {
      throw Failure(needsWAL: value.key)
    }
    throw Failure(
      .layerDamaged,
      "layer '\(value.layer.fileName)': the page of key \(value.key) is stored in \(byteCount) "
        + "bytes")
  }

  private static func isRecord(_ value: RawSpan) -> Bool {
    (try? DeltaValue.isImage(value)) == false
  }

  private func readPage(
    _ page: UInt32, of file: ExportFile, into batch: ExportBatch
  ) throws(Failure) {
    let key = file.key(of: page)
    while true {
      try cursor.skip(while: { $0 < key })
      guard let value = try cursor.next(), value.key == key else {
        throw Failure(
          .timelineInconsistent,
          "timeline \(timeline.path.quoted): page \(page) of '\(file.path)' is missing")
      }
      guard value.isReachable else { continue }
      try requirePage(value)
      input.addBytesRead(value.stored.blob.header.byteCount)
      return cursor.withBytes(of: value) { batch.append(value, $0) }
    }
  }
}
