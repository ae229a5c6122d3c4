import Backup
import Pipeline
import System
import Timeline

/// The first stage of a verification: walks the timeline in key order and fills batches with what
/// is stored.
///
/// Belongs to that stage.
final class TimelineWalker {
  private let timeline: Timeline
  private let progress: RunProgress?
  private let feed: BatchFeed<ValueBatch>
  /// The right to have a large value in memory.
  private let permits: Channel<Void>
  private let input = InputProgress()

  /// Fills the batches of `feed`; a large value takes one of the `permits`.
  init(
    _ timeline: Timeline, progress: RunProgress?, feed: BatchFeed<ValueBatch>,
    permits: Channel<Void>
  ) {
    self.timeline = timeline
    self.progress = progress
    self.feed = feed
    self.permits = permits
    progress?.begin(
      .verifyingLayers, reading: input,
      byteCount: timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize })
  }

  /// Reads to the last key.
  ///
  /// What is wrong with a layer goes with the batches; throws where reading fails.
  func run() throws(Failure) {
    var cursor = TimelineCursor(timeline, givesCopies: true)
    var isDone = false
    while !isDone {
      do throws(Failure) {
        if let value = try cursor.next() {
          try append(value, of: cursor)
        } else {
          isDone = true
        }
      } catch {
        guard error.exitCode == .damaged || error.exitCode == .unsupported else { throw error }
        let code: FindingCode = error.code == .missingFile ? .layerMissing : .layerDamaged
        try feed.open().failures.append(.init(code: code, message: error.message))
      }
    }
  }

  private func append(
    _ value: TimelineCursor.Value, of cursor: borrowing TimelineCursor
  ) throws(Failure) {
    let byteCount = cursor.withBytes(of: value) { stored in
      value.stored.blob.header.isCompressed
        ? max(stored.byteCount, BlobDecoder.claimedByteCount(of: stored)) : stored.byteCount
    }
    let isLarge = byteCount > ValueBatch.largeValueByteCount
    if isLarge { _ = try permits.receive() }
    let batch = try feed.open()
    cursor.withBytes(of: value) { stored in batch.append(value, stored) }
    input.addBytesRead(value.stored.blob.range.count)
    if batch.isFull {
      progress?.note { [key = value.key] in key.meaning?.file.path ?? key.description }
    }
    if isLarge {
      batch.isLarge = true
      try feed.submit()
    }
  }
}
