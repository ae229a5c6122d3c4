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
  private var progress: ProgressThrottle
  private let feed: BatchFeed<ValueBatch>
  /// The right to have a large value in memory.
  private let permits: Channel<Void>
  private var bytesRead: UInt64 = 0
  private let byteCount: UInt64

  /// Fills the batches of `feed`; a large value takes one of the `permits`.
  init(
    _ timeline: Timeline, progress: (any ProgressReporting)?, feed: BatchFeed<ValueBatch>,
    permits: Channel<Void>
  ) {
    self.timeline = timeline
    self.progress = ProgressThrottle(progress)
    self.feed = feed
    self.permits = permits
    byteCount = timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize }
  }

  /// Reads to the last key.
  ///
  /// What is wrong with a layer goes with the batches; throws where reading fails.
  func run() throws(Failure) {
    var cursor = TimelineCursor(timeline)
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
    bytesRead &+= UInt64(value.stored.blob.range.count)
    if batch.isFull {
      progress.report {
        ImportProgress(
          inputBytesRead: bytesRead, inputByteCount: self.byteCount, outputBytesWritten: nil,
          member: value.key.meaning?.file.path ?? value.key.description)
      }
    }
    if isLarge {
      batch.isLarge = true
      try feed.submit()
    }
  }
}
