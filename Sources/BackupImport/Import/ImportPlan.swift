import LayerFormat
import PostgresFormat

/// An import's options, made definite: ids chosen, memory shared out.
///
/// ```
/// --memory            64 MiB   the sum of what follows, which is 52 MiB at least
///   batches           18 MiB   5 × 128 pages, at 2 jobs, and the buffers of the input
///   image layer        2 MiB   its write buffer and its index, at most 2^17 keys
///   L0                17 MiB   the same, at most 2^19 keys
///   chunks' runs      13 MiB   at most 2^17 in each of two chunks, and half of that to sort them
///   chunks in memory  the rest, the spools hold what is more
/// ```
///
/// On top come 50 bytes a relation segment (`SegmentTable`), the values of the last L0 (maps, prepared
/// transactions, statistics: each kind has a limit), 8 MiB of `SharedCatalogs` at most, and the code
/// itself.
struct ImportPlan: Sendable {
  let backup: String
  let manifest: String?
  let outputDirectory: String
  let tenant: Identifier
  let timeline: Identifier
  let generation: UInt32
  let force: Bool
  let stripComponents: Int
  let pageChecksums: PageChecksumMode
  let compressionLevel: Int32
  /// Where image layers are cut: at so many bytes, or at a full segment.
  let imageLayerLimit: LayerWriter.Limit
  let chunkSize: UInt64
  let smallRelationSize: UInt64
  let jobs: Int
  let batchCount: Int
  /// The buffers of the input: a batch keeps two, each of which it shares with a neighbour as long as
  /// their pages follow each other, and some eight are read ahead, for inputs that are pipes.
  /// (Docs/decisions.md, 39)
  ///
  /// Batches may keep more between them. But the only one that keeps any while the reader waits is
  /// the one that it fills, two at most; those on their way let go without the reader's help.
  let inputBufferCount: Int
  /// What each of the two chunks may hold in memory.
  let chunkMemoryByteCount: Int

  /// Image layers lie above the chunks and below any cluster's import LSN, which is not known
  /// yet when they are written. (Docs/format.md, LSNs)
  static let imageLSN = LogSequenceNumber(rawValue: 0xFFFF8)

  private static let firstChunkLSN: UInt64 = 0x10
  private static let chunkLSNStep: UInt64 = 8

  /// How many finished layers may wait to be made durable.
  static let pendingLayerLimit = 4

  /// What the pipeline takes of `--memory` besides batches, their input, and the blobs of chunks.
  private static let fixedMemoryByteCount = 32 << 20

  init(_ options: ImportOptions) throws(ImportError) {
    if let manifest = options.manifest { try requireReadable(manifest, option: "--manifest") }
    backup = options.backup
    manifest = options.manifest
    outputDirectory = options.outputDirectory
    tenant = try Self.identifier(options.tenantID, option: "--tenant-id")
    timeline = try Self.identifier(options.timelineID, option: "--timeline-id")
    generation = options.generation
    force = options.force
    stripComponents = options.stripComponents
    pageChecksums = options.pageChecksums
    compressionLevel = options.compressionLevel
    imageLayerLimit = LayerWriter.Limit(
      byteCount: options.imageLayerSize, valueCount: Int(RelationSegment.blockCount))
    chunkSize = options.chunkSize
    smallRelationSize = options.smallRelationSize
    jobs = options.jobs ?? Processors.count
    // One for each worker, one that is filled, one that is written, and one between. More would only
    // take room in the processor's caches, where the pages still are when their turn comes.
    batchCount = jobs + 3
    inputBufferCount = batchCount + 8
    let rest =
      options.memory - Self.fixedMemoryByteCount - batchCount * PageRuns.byteCount
      - inputBufferCount * ReadAhead.bufferSize
    chunkMemoryByteCount = max(1 << 20, rest / 2)
  }

  /// The manifest that is known before the backup: the one given, or the one beside a tar or in a
  /// directory.
  func knownManifest() throws(ImportError) -> String? {
    if let manifest { return manifest }
    guard backup != "-" else { return nil }
    return try BackupManifest.path(
      in: isDirectory(backup) ? backup : SystemCalls.parent(of: backup))
  }

  private static func identifier(
    _ text: String?, option: String
  ) throws(ImportError) -> Identifier {
    guard let text else { return .random() }
    guard let identifier = Identifier(text) else {
      throw ImportError(.usage, "\(option) takes 32 hexadecimal digits, not \(text.quoted)")
    }
    return identifier
  }

  /// The LSNs of the L0 of chunk number `index`: each begins where the one before it ends.
  ///
  /// Throws when there is no room below the image layers; 131,000 chunks are the most.
  func chunkRange(_ index: Int) throws(ImportError) -> Range<LogSequenceNumber> {
    let start = Self.firstChunkLSN + Self.chunkLSNStep * UInt64(index)
    guard start + Self.chunkLSNStep <= Self.imageLSN.rawValue else {
      throw ImportError(
        .unsupported, "the backup's small relations fill more than \(index) chunks",
        hint: "Import it with a larger --chunk-size.")
    }
    return LogSequenceNumber(
      rawValue: start)..<LogSequenceNumber(
        rawValue: start + Self.chunkLSNStep)
  }
}
