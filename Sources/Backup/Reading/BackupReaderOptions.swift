import Pipeline
import PostgresFormat
import System

/// The options of a reader of backups.
package struct BackupReaderOptions: Sendable {
  /// The path of a tar or of a data directory, or `-` for a tar on standard input.
  package var backup: String

  /// The paths of the other tars, if the backup is in several.
  package var parts: [String] = []

  /// Whether that path was found in a directory that the user named.
  package var origin = InputOrigin.named

  /// What the backup may unpack to; nil for anything.
  package var sizeLimit: SizeLimit?

  /// Leading directories to drop from every member's name.
  package var stripComponents: Int

  /// The path of the manifest that was given; nil for the one beside the backup or in it, if any.
  package var manifest: String?

  /// Whether the backup is compared with its manifest.
  package var checksManifest: Bool

  /// A relation segment of at least this many bytes becomes image layers.
  package var smallRelationSize: UInt64

  /// The size that is used unless another is asked for.
  package static let usualSmallRelationSize: UInt64 = 8 << 20

  /// How many batches there are, and so buffers of the input.
  package var batchCount: Int

  /// The error of a backup that has to be recovered first.
  package var recoveryRefusal: RecoveryRefusal

  /// Whether Postgres is to recover the backup. (`MemberIntake`)
  package var isToBeRecovered = false

  /// Whether the settings of a tar are looked at, for what they say about a recovery.
  package var readsSettings = false

  /// Options for a backup of which nothing else is known.
  package init(
    backup: String, stripComponents: Int = 0, manifest: String? = nil, checksManifest: Bool,
    smallRelationSize: UInt64, batchCount: Int,
    recoveryRefusal: @escaping RecoveryRefusal
  ) {
    self.backup = backup
    self.stripComponents = stripComponents
    self.manifest = manifest
    self.checksManifest = checksManifest
    self.smallRelationSize = smallRelationSize
    self.batchCount = batchCount
    self.recoveryRefusal = recoveryRefusal
  }

  /// How many batches serve so many workers: one for each, one that is filled, one that is written,
  /// and one between.
  ///
  /// More would only take room in the processor's caches, where the pages still are when their turn
  /// comes.
  package static func batchCount(jobs: Int) -> Int { jobs + 3 }

  /// The buffers of the input: a batch keeps two, each of which it shares with a neighbour as long
  /// as their pages follow each other, and some eight are read ahead, for inputs that are pipes.
  /// (Docs/decisions.md, 39)
  ///
  /// Batches may keep more between them. But the only one that keeps any while the reader waits is
  /// the one that it fills, two at most; those on their way release theirs without the reader's
  /// help.
  package var inputBufferCount: Int { batchCount + 8 }

  /// The memory that the batches and the buffers of the input take, in bytes.
  package var memoryByteCount: Int {
    batchCount * PageRuns.byteCount + inputBufferCount * ReadAhead.bufferSize
  }

  /// The manifest that is known before the backup is read: the one given, or the one beside a tar
  /// or in a directory.
  package func knownManifest() throws(Failure) -> String? {
    if let manifest { return manifest }
    guard backup != "-" else { return nil }
    return try BackupManifest.path(
      in: isDirectory(backup) ? backup : SystemCalls.parent(of: backup))
  }
}
