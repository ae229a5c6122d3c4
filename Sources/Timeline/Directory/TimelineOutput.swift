import LayerFormat
import PostgresFormat
import System

/// Where an import writes its timeline: directories on disk, or a bucket.
///
/// It is claimed when it is made. Files are written under names of this run alone; finished layers go to
/// the `layerStore`; `commit` makes a timeline of them, or `abandon` takes away what was written. Belongs
/// to one thread at a time, but for the layers' store.
package protocol TimelineOutput: AnyObject {
  /// The timeline's path or URL; with shards, it names them all.
  var path: String { get }
  /// A directory on the file system that the layers fill; nil if they do not stay on one.
  var directoryPath: String? { get }
  /// Keeps layers that are finished.
  var layerStore: any LayerStore { get }
  /// The receipt, once it is claimed.
  var receiptPath: String? { get }
  /// What there is to say of a store that another import could write to unnoticed; nil for nothing.
  var weakness: String? { get }
  /// What `commit` could not do although the timeline is complete; nil for nothing.
  var leftover: String? { get }
  /// What can be done with what `abandon` has left; nil if that is nothing.
  var advice: String? { get }

  /// Creates a file for this run alone; `name` is any that no other of its files has.
  func makeTemporaryFile(_ name: String, shard: Int) throws(Failure) -> OutputFile

  /// Opens a layer that the store has, for reading.
  func open(_ layer: FinishedLayer) throws(Failure) -> LayerFile

  /// Says that a layer that the store has is not to be part of the timeline.
  func takeBack(_ layer: FinishedLayer) throws(Failure)

  /// Claims the place of the receipt; throws if it cannot be written.
  func claimReceipt(_ place: ReceiptPlace, generation: UInt32) throws(Failure)

  /// Writes the receipt, which gets its name with the commit: an object, and a table of `files`.
  func writeReceipt(_ bytes: [UInt8], files: [FileDigest]) throws(Failure)

  /// The digest of a layer, by the name that it gets.
  func digest(
    of layer: FinishedLayer, at position: Int, generation: UInt32, sha256: String
  ) -> FileDigest

  /// Writes a shard's index, which gets its name with the commit.
  func writeIndex(
    _ bytes: [UInt8], generation: UInt32, shard: Int
  ) throws(Failure) -> FinishedIndex

  /// The path or URL that an index gets.
  func path(of index: FinishedIndex) -> String

  /// Makes a timeline of layers that the store has; `indexes` are one for each shard. The index of shard
  /// 0 is last.
  func commit(_ layers: [FinishedLayer], _ indexes: [FinishedIndex]) throws(Failure)

  /// Takes away what this run wrote, as far as that is possible and nobody else's.
  func abandon()

  /// The same, when `failure` has ended the import.
  func abandon(after failure: Failure)
}

extension TimelineOutput {
  package func abandon(after failure: Failure) { abandon() }
}

/// Keeps layers whose files are complete, by several threads if that helps.
package protocol LayerStore: Sendable {
  /// The names of the threads that store layers, each one at a time.
  var threadNames: [String] { get }

  /// Keeps a layer for good: it is durable when this returns, or throws. Called on several threads.
  func store(_ layer: FinishedLayer, sha256: String) throws(Failure)
}

/// Makes layers durable where they are; one thread, as fsync(2) waits for the disk.
struct DurableLayers: LayerStore {
  let threadNames = ["sync"]

  func store(_ layer: FinishedLayer, sha256: String) throws(Failure) {
    try layer.file.makeDurable()
  }
}

/// An index that is complete, but has not got its name. Only a `TimelineOutput` makes one.
package struct FinishedIndex: Sendable {
  /// Where it is until then.
  enum Contents: Sendable {
    /// In a file under a temporary name, which is durable.
    case file(OutputFile)
    /// In memory.
    case bytes([UInt8])
  }

  let contents: Contents
  /// Its name in its directory, once it has it.
  let fileName: String
  /// The place of its shard among those that are written.
  let shard: Int
  /// The generation that it is written for.
  let generation: UInt32
  /// Its name among those of all shards, its length, and its SHA-256.
  package let digest: FileDigest
}
