import Backup
import LayerFormat
import ObjectStore
import Pipeline
import PostgresFormat
import System
import Timeline

/// An import's options, made definite: ids chosen, memory shared out.
///
/// ```
/// --memory            64 MiB   the sum of what follows, which is 53 MiB at least
///   batches           18 MiB   5 × 128 pages, at 2 jobs, and the buffers of the input
///   image layer        2 MiB   its write buffer and its index, at most 2^17 keys; with shards 12 MiB
///                              for all
///   L0                17 MiB   the same, at most 2^19 keys
///   chunks' runs      13 MiB   at most 2^17 in each of two chunks, and half of that to sort them
///   hashes             1 MiB   128 KiB for each of at most 8 threads
///   read back          8 MiB at least, from a bucket, and a quarter of the rest
///   touched blocks    half of the rest, 1 MiB at least, of a running cluster
///   chunks in memory  the rest, the spools hold what is more
/// ```
///
/// On top come 50 bytes a relation segment (`SegmentTable`), the values of the last L0 (maps,
/// prepared transactions, statistics: each kind has a limit), 8 MiB of `SharedCatalogs` at most,
/// and the code itself.
struct ImportPlan: Sendable {
  let backup: String
  /// Of a copy, the path of what it was made of.
  var backupPath: String
  let place: OutputPlace
  /// How the bucket is written to that the place is in; nil if it is a directory.
  var bucket: BucketOptions?
  let generation: UInt32
  let force: Bool
  let receipt: ReceiptOptions?

  /// Whether the cluster was running, so that changed pages come above the base's.
  var isRunning = false
  /// What becomes of small relations.
  let layerLayout: LayerLayout
  /// Whether pages of relations come in the order of their keys, so that all go to image layers.
  let isInKeyOrder: Bool
  let pageChecksums: PageChecksumMode
  let compressionLevel: Int32
  /// Where image layers are cut: at so many bytes, or at a full segment.
  let imageLayerLimit: LayerWriter.Limit
  let chunkSize: UInt64
  let jobs: Int
  var reading: BackupReaderOptions
  /// What the table of blocks that replay touches may hold in memory.
  let replayMemoryByteCount: Int
  /// What each of the two chunks may hold in memory.
  let chunkMemoryByteCount: Int

  /// From how many L0s on a pageserver compacts them. (Neon, `pageserver/src/tenant/timeline.rs`,
  /// `DEFAULT_COMPACTION_THRESHOLD`)
  static let compactedLevel0Count = 10

  /// Whether a pageserver would compact the L0s of chunks up to the one of this number, and those that
  /// come after: the last, and one of changed pages at least.
  func isLast(chunk number: Int) -> Bool {
    number + (isRunning ? 3 : 2) >= Self.compactedLevel0Count
  }

  /// What small relations come into, and why, if `isSorted` is what was decided.
  func layout(isSorted: Bool) -> (LayerLayout, ImportSummary.LayoutReason) {
    let reason: ImportSummary.LayoutReason =
      layerLayout != .auto
      ? .asked : isInKeyOrder ? .directory : isSorted ? .manyLevel0Layers : .fewLevel0Layers
    return (isSorted ? .sorted : .level0, reason)
  }

  /// How many finished layers may wait to be hashed, and how many to be made durable.
  static let pendingLayerLimit = 4

  /// More threads than this do not hash layers: fewer write them.
  static let hashJobLimit = 8

  /// The bytes of an open image layer's buffer, and, with shards, of its index.
  var imageLayerMemory: Int {
    layout.isSharded
      ? min(LayerWriter.bufferLimit, Self.shardedMemory / 2 / place.shards.numbers.count)
      : LayerWriter.bufferLimit
  }

  /// The bytes of all shards' buffers and indexes.
  private static let shardedMemory = 4 << 20
  /// The bytes of a shard's open nodes.
  private static let openNodesMemory = 88 << 10

  /// What the pipeline takes of `--memory` besides batches, their input, and the blobs of chunks.
  private static func fixedMemoryByteCount(_ shards: ShardSelection) -> Int {
    let count = shards.numbers.count
    // An L0 of many shards has half as many pages.
    let level0 = LayerWriter.bufferLimit + ChunkSpool.pageLimit(shardCount: count) * 32
    let sharded = shards.layout.isSharded ? shardedMemory + count * openNodesMemory : 0
    return 16 << 20 + level0 + sharded
  }

  init(_ options: ImportOptions) throws(Failure) {
    try Self.requireOutside(options.backup, output: options.outputDirectory)
    if let manifest = options.manifest { try requireReadable(manifest, option: "--manifest") }
    backup = options.backup
    backupPath = options.backup
    let owner = try options.outputOwner.map { name throws(Failure) in
      guard let user = SystemUser(named: name) else {
        throw Failure(.unknownUser, "user \(name.quoted) does not exist")
      }
      return user
    }
    let layout = ShardLayout(
      count: options.shardCount, stripeSize: options.stripeSize ?? ShardLayout.usualStripeSize)
    place = OutputPlace(
      output: options.outputDirectory,
      tenant: try Self.identifier(options.tenantID, option: "--tenant-id"),
      timeline: try Self.identifier(options.timelineID, option: "--timeline-id"),
      shards: try Self.shards(layout, options),
      requiresStripeSize: options.stripeSize != nil, owner: owner)
    generation = options.generation
    force = options.force
    bucket = StoreLocation.isMeant(by: place.output) ? BucketOptions(options) : nil
    receipt = options.receipt
    pageChecksums = options.pageChecksums
    compressionLevel = options.compressionLevel
    imageLayerLimit = LayerWriter.Limit(
      byteCount: options.imageLayerSize, valueCount: Int(RelationSegment.blockCount))
    chunkSize = options.chunkSize
    jobs = options.jobs ?? Processors.count
    let isInMemory = bucket != nil && bucket?.scratch == nil
    // What is to be sorted is as large as all small relations, and of a directory all SLRUs.
    layerLayout = isInMemory && options.layout == .auto ? .level0 : options.layout
    isInKeyOrder =
      layerLayout != .level0 && options.recovery == nil && isDirectory(options.backup)
    if isInMemory && layerLayout == .sorted {
      throw Failure(
        .conflictingOptions, "'--layout sorted' needs a scratch directory",
        hint: "Give a directory with '--scratch', or '--layout fake-l0'.")
    }
    reading = BackupReaderOptions(
      backup: backup, stripComponents: options.stripComponents,
      manifest: options.manifest, checksManifest: options.checksManifest,
      smallRelationSize: isInKeyOrder ? 0 : options.smallRelationSize,
      batchCount: BackupReaderOptions.batchCount(jobs: jobs),
      recoveryRefusal: RecoveryAdvice(backup: backup).refusal)
    reading.sizeLimit = SizeLimit(options.sizeLimit)
    reading.parts = options.backupParts
    var needed = Self.fixedMemoryByteCount(place.shards) + reading.memoryByteCount
    if let bucket { needed += bucket.readMemory }
    if isInMemory {
      let shardCount = place.shards.numbers.count
      // The index of an image layer is at most 3 MiB, and waits in a file as well with shards.
      let layer = max(Int(imageLayerLimit.byteCount), Int(chunkSize)) + 8 << 20
      // Those that are written, and those that are finished and not yet stored.
      needed += (options.uploadCount + shardCount) * layer
      try Self.requireMemory(options, needed + 2 * Int(chunkSize) * shardCount)
    }
    var rest = options.memory - needed
    if let bucket, rest > 0 {
      self.bucket?.readMemory = bucket.readMemory + rest / 4
      rest -= rest / 4
    }
    replayMemoryByteCount = max(1 << 20, rest / 2)
    if options.recovery != nil { rest -= replayMemoryByteCount }
    chunkMemoryByteCount = max(1 << 20, rest / 2)
  }

  private static func requireMemory(_ options: ImportOptions, _ needed: Int) throws(Failure) {
    guard options.memory < needed else { return }
    let megabytes = (needed >> 20) + 1
    let fewer = options.uploadCount > 1 ? "fewer '--uploads', " : ""
    throw Failure(
      .badOption,
      "without a scratch directory, layers of these sizes need '--memory' of at least "
        + "\(megabytes)M",
      hint: "Give '--memory \(megabytes)M', a directory with '--scratch', \(fewer)or a smaller "
        + "'--chunk-size' and '--image-layer-size'.")
  }

  /// Refuses to write into a data directory that is to be imported.
  private static func requireOutside(_ backup: String, output: String) throws(Failure) {
    guard !StoreLocation.isMeant(by: output), isDataDirectory(backup) else { return }
    let place = try SystemCalls.resolved(SystemCalls.nearestExisting(output)) + "/"
    guard place.hasPrefix(try SystemCalls.resolved(backup) + "/") else { return }
    throw Failure(
      .conflictingOptions, "the output \(output.quoted) is within the backup \(backup.quoted)",
      hint: "Give a directory outside of the backup with '--output'.")
  }

  private static func identifier(
    _ text: String?, option: String
  ) throws(Failure) -> Identifier {
    guard let text else { return .random() }
    guard let identifier = Identifier(text) else {
      throw Failure(.badOption, "\(option) must be 32 hexadecimal digits, not \(text.quoted)")
    }
    return identifier
  }

  private static func shards(
    _ layout: ShardLayout, _ options: ImportOptions
  ) throws(Failure) -> ShardSelection {
    guard let list = options.onlyShards else { return ShardSelection(all: layout) }
    guard let shards = ShardSelection(layout, only: list) else {
      throw Failure(
        .badOption,
        "option '--only-shards' must be numbers below \(layout.count) and ranges of them, not "
          + list.quoted,
        hint: "For example, of 8 shards: --only-shards 0-3,7.")
    }
    return shards
  }

  /// The place of a layer's shard among those that are written.
  func position(of layer: FinishedLayer) -> Int {
    guard let position = place.shards.position(ofShard: layer.shard) else {
      preconditionFailure("layers are of shards that are written")
    }
    return position
  }

  /// The tenant's id.
  var tenant: Identifier { place.tenant }
  /// The timeline's id.
  var timeline: Identifier { place.timeline }
  /// How the tenant's keys are spread.
  var layout: ShardLayout { place.layout }

  /// What the import writes, as progress says it first.
  var target: RunProgress.Target {
    RunProgress.Target(
      timelinePath: absolutePlace(place.path), tenantID: tenant.description,
      timelineID: timeline.description, generation: generation)
  }

  /// The LSN of the image layers.
  var imageLSN: LogSequenceNumber { isRunning ? ImportedLSN.runningImage : ImportedLSN.image }

  /// The LSNs of the L0 of chunk number `index`; throws when there is no room for them.
  func chunkRange(_ index: Int) throws(Failure) -> Range<LogSequenceNumber> {
    guard let range = ImportedLSN.chunk(index, below: imageLSN) else { throw tooManyChunks(index) }
    return range
  }

  /// The same of the L0 number `index` with changed pages, and the LSN of its values.
  func changesRange(
    _ index: Int, afterChunks count: Int
  ) throws(Failure) -> (range: Range<LogSequenceNumber>, values: LogSequenceNumber) {
    guard let range = ImportedLSN.changes(index, afterChunks: count) else {
      throw tooManyChunks(index)
    }
    return range
  }

  private func tooManyChunks(_ count: Int) -> Failure {
    Failure(
      .tooManyChunks, "the small relations of the backup need more than \(count) chunks",
      hint: "Import it with a larger --chunk-size.")
  }
}
