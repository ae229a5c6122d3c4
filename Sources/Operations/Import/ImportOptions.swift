import Backup
import ObjectStore
import System
import Timeline

/// What an import reads, where it writes, and how.
public struct ImportOptions: Sendable {
  /// The path of a tar or of a data directory, or `-` for a tar on standard input.
  public var backup: String

  /// The paths of the other tars of a backup in several, in the order in which they are read.
  public var backupParts: [String] = []

  /// The root of the remote storage, a directory or `s3://BUCKET[/PREFIX]`: it gets
  /// `tenants/…/timelines/…`.
  public var outputDirectory: String

  /// How the object store is reached that the output is in.
  public var store = StoreOptions()

  /// How many layers are sent to a bucket at once.
  public var uploadCount = 4

  /// The directory for files that are not sent to the bucket yet; nil for memory.
  public var stagingDirectory: String?

  /// Whether to write to a store from which no pageserver can read.
  public var allowsAnyStore = false

  /// The id of the tenant: 32 hexadecimal digits; nil for a random one.
  public var tenantID: String?
  /// The id of the new timeline: 32 hexadecimal digits; nil for a random one.
  public var timelineID: String?

  /// The pageserver generation that the layers and the index are written for.
  public var generation: UInt32 = 1

  /// How many shards the tenant has: 1 to 128.
  public var shardCount = 1

  /// How many consecutive blocks of a relation stay on one shard; nil for 2048, or for what a tenant
  /// without shards has.
  public var stripeSize: UInt32?

  /// The shards that are written, `0-3,7`, their indexes left to be published; nil for all.
  public var onlyShards: String?

  /// A user, besides root and that of this process, who may own the output; what root makes is given
  /// to that user. Nil for nobody.
  public var outputOwner: String?

  /// Take a timeline directory that already has an index.
  public var force = false

  /// The receipt to write with the timeline; nil for none.
  public var receipt: ReceiptOptions?

  /// Leading directories to drop from every member's name.
  public var stripComponents = 0

  /// The most that the backup may unpack to, in bytes; nil for anything.
  public var sizeLimit: UInt64?

  /// The path of the manifest that the backup must agree with; nil for the one beside it or in it,
  /// if there is one.
  public var manifest: String?

  /// Whether the backup is compared with its manifest.
  public var checksManifest = true

  /// What becomes of pages whose checksum does not match their contents.
  public var pageChecksums = PageChecksumMode.verify

  /// The zstd level of every value: 1 to 19, `fastCompressionLevel`, or 0 to store them as they are.
  public var compressionLevel: Int32 = 1

  /// The fastest level that is of use for pages: zstd's lower ones only make the output larger.
  public static let fastCompressionLevel: Int32 = -1

  /// The size in bytes at which an image layer is closed and the next one begun.
  public var imageLayerSize: UInt64 = 128 << 20

  /// The bytes of stored values that are gathered for one L0.
  public var chunkSize: UInt64 = 256 << 20

  /// A relation segment of at least this many bytes becomes image layers.
  public var smallRelationSize = BackupReaderOptions.usualSmallRelationSize

  /// What becomes of small relations.
  public var layout = LayerLayout.auto

  /// How many batches are compressed at once; nil for one a processor.
  public var jobs: Int?

  /// The bytes of memory that the pipeline's buffers may take together.
  public var memory: Int = 64 << 20

  /// How a cluster that was running is brought to a stop first; nil for one that was shut down.
  public var recovery: RecoveryOptions?

  /// The default options for this backup and this output.
  public init(backup: String, outputDirectory: String) {
    self.backup = backup
    self.outputDirectory = outputDirectory
  }
}

/// What layers small relations come into.
public enum LayerLayout: String, CaseIterable, Codable, Sendable {
  /// Image layers if there would be so many L0s that a pageserver compacted them, or if the backup is a
  /// directory, which is read in the order of keys; else L0s.
  case auto
  /// Image layers.
  case sorted
  /// L0s, for a pageserver to compact when there are many.
  case level0 = "fake-l0"
}

/// What an import leaves beside its timeline, for whoever is to check a copy of it.
public struct ReceiptOptions: Sendable {
  /// Where it goes.
  public var place: ReceiptPlace
  /// Makes its contents of the import's summary.
  public var encode: @Sendable (ImportSummary) throws(Failure) -> [UInt8]

  /// A receipt at `place`.
  public init(
    _ place: ReceiptPlace, encode: @escaping @Sendable (ImportSummary) throws(Failure) -> [UInt8]
  ) {
    self.place = place
    self.encode = encode
  }
}

extension BucketOptions {
  /// What an import's options say of the bucket.
  init(_ options: ImportOptions) {
    self.init(
      generation: options.generation, force: options.force, isOwn: options.timelineID == nil)
    isRepeatable = options.recovery == nil
    store = options.store
    scratch = options.stagingDirectory
    uploadCount = options.uploadCount
    allowsAnyStore = options.allowsAnyStore
  }
}
