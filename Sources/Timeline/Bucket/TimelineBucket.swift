import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// The keys of a bucket that an import fills, those of each shard that it writes: a complete timeline or
/// none at every moment.
///
/// ```
/// claim      list the tenant, each shard's timeline and its receipts; refuse an index; try the store (`BucketProbe`)
/// write      each layer: a file without a name, hashed, PUT If-None-Match: *, closed (`BucketLayers`)
/// commit     manifests, indexes, receipt; removal of what they replace (`TimelineBucket+Commit.swift`)
/// abandon    if nobody else knows the timeline's id: list and DELETE everything, indexes first
/// ```
///
/// Nothing has a lock. What keeps two runs of one timeline apart is in Docs/reliability.md.
package final class TimelineBucket: TimelineOutput {
  package let path: String
  package var directoryPath: String? { nil }
  package var layerStore: any LayerStore { layers }
  package var leftover: String?
  package private(set) var advice: String?

  /// For what is before the first layer, and for cleaning up: gives up soon.
  let client: StoreClient
  /// For what is part of the timeline: hours of work are lost when it gives up.
  let patientClient: StoreClient
  let place: OutputPlace
  let options: BucketOptions
  let contents: BucketContents
  let probe: BucketProbe
  private let staging: Staging
  let layers: BucketLayers
  /// Reads layers back.
  private let tenants: StoredDirectory
  private(set) var receipt: BucketReceipt?
  private(set) var receiptFiles: ReceiptFiles?
  /// Puts this run's indexes.
  let indexes: BucketIndexes
  var isSettled = false

  var shards: [BucketShard] { contents.shards }
  var root: String { client.location.keyPrefix }
  /// Whether the indexes are left to be published, as there are other shards.
  var isPending: Bool { place.shards.isPartial }

  /// Looks at what there is, and tries the store.
  ///
  /// Throws as `BucketContents` and `BucketProbe` do, and `.cannotCreate` if there is no scratch directory.
  package init(_ place: OutputPlace, _ options: BucketOptions) throws(Failure) {
    self.place = place
    self.options = options
    path = place.path
    if place.layout.isSharded { SystemCalls.raiseOpenFileLimit() }
    staging = try Staging(options.scratch)
    client = try Self.client(place, options)
    patientClient = client.with(.patient)
    contents = try BucketContents(client, place, options)
    let shards = contents.shards
    probe = try BucketProbe(
      client, below: shards[shards.count - 1].directory,
      longestName: LayerName.level0(LogSequenceNumber(rawValue: 0)..<LogSequenceNumber(rawValue: 1))
        .fileName(generation: options.generation))
    if !options.allowsAnyStore { try probe.requireReadable(client.location) }
    // Tells this run's indexes from those of others that are the same.
    indexes = BucketIndexes(patientClient, isConditional: probe.honoursConditions)
    let tenants = client.location.keyPrefix + "tenants/"
    self.tenants = StoredDirectory(
      patientClient, at: String(tenants.dropLast()), memory: options.readMemory)
    layers = BucketLayers(
      patientClient, count: options.uploadCount, isConditional: probe.honoursConditions,
      old: contents.objects.flatMap(\.self),
      otherContents: { options.otherContents(at: $0, isPartial: place.shards.isPartial) }
    ) { layer in
      tenants + Self.path(of: layer, in: place, options.generation)
    }
  }

  deinit { abandon() }

  /// Throws as `init` does for what shows without writing anything.
  package static func requireClaimable(
    _ place: OutputPlace, _ options: BucketOptions
  ) throws(Failure) {
    _ = try Staging(options.scratch)
    _ = try BucketContents(try client(place, options), place, options)
  }

  private static func client(
    _ place: OutputPlace, _ options: BucketOptions
  ) throws(Failure) -> StoreClient {
    try StoreClient(try StoreLocation(place.output), options.store)
  }

  /// The path of a layer below `tenants`.
  private static func path(
    of layer: FinishedLayer, in place: OutputPlace, _ generation: UInt32
  ) -> String {
    let shard = ShardID(layer.shard, of: place.layout.count)
    return (place.names(shard).dropFirst() + [layer.name.fileName(generation: generation)])
      .joined(separator: "/")
  }

  package var weakness: String? { probe.weakness(of: client.location.description) }

  // MARK: What is written

  package func makeTemporaryFile(_ name: String, shard: Int) throws(Failure) -> OutputFile {
    try staging.makeFile(name)
  }

  package func open(_ layer: FinishedLayer) throws(Failure) -> LayerFile {
    try LayerFile(
      Self.path(of: layer, in: place, options.generation), in: tenants, name: layer.name)
  }

  package func takeBack(_ layer: FinishedLayer) { layers.takeBack(layer) }

  package func digest(
    of layer: FinishedLayer, at position: Int, generation: UInt32, sha256: String
  ) -> FileDigest {
    let path = Self.path(of: layer, in: place, generation)
    return FileDigest(
      name: place.layout.isSharded ? path : String(path.split(separator: "/").last ?? ""),
      byteCount: layer.byteCount, sha256: sha256)
  }

  package func writeIndex(
    _ bytes: [UInt8], generation: UInt32, shard: Int
  ) throws(Failure) -> FinishedIndex {
    let body = StoredBody.bytes(bytes)
    let name = IndexPart.fileName(generation: generation)
    let id = shards[shard].shard
    let prefix =
      place.layout.isSharded ? place.names(id).dropFirst().joined(separator: "/") + "/" : ""
    return FinishedIndex(
      contents: .bytes(bytes), fileName: name, shard: shard, generation: generation,
      digest: FileDigest(name: prefix + name, byteCount: body.byteCount, sha256: body.sha256))
  }

  func key(of index: FinishedIndex) -> String {
    let shard = shards[index.shard]
    return (isPending ? shard.pending : shard.directory) + index.fileName
  }

  func key(of layer: FinishedLayer) -> String {
    root + "tenants/" + Self.path(of: layer, in: place, options.generation)
  }

  package func path(of index: FinishedIndex) -> String { client.url(of: key(of: index)) }

  // MARK: The receipt

  package var receiptPath: String? {
    receipt.map { client.url(of: $0.key) } ?? receiptFiles?.path
  }

  package func claimReceipt(_ place: ReceiptPlace, generation: UInt32) throws(Failure) {
    switch place {
    case .standard:
      receipt = BucketReceipt(
        tenant: self.place.tenant, timeline: self.place.timeline, generation: generation,
        below: root)
    case .file(let path): receiptFiles = try ReceiptFiles(at: path, replaces: options.force)
    }
  }

  package func writeReceipt(_ bytes: [UInt8], files: [FileDigest]) throws(Failure) {
    receipt?.object = bytes
    receipt?.table = ReceiptFiles.table(of: files)
    try receiptFiles?.write(bytes, files: files)
  }

  // MARK: Abandoning

  package func abandon() { abandon(keepsLayers: !options.isOwn) }

  /// What was sent stays if another run can go on with it, but not for this run's own second attempt.
  package func abandon(after failure: Failure) {
    abandon(keepsLayers: !options.isOwn && failure.code != .fullCopyNeeded)
    // Importing the same again would end in the same way.
    if failure.exitCode == .inUse { advice = nil }
  }

  private func abandon(keepsLayers: Bool) {
    guard !isSettled else { return }
    isSettled = true
    receiptFiles?.abandon()
    guard layers.hasSent else { return }
    advice = "What was uploaded is still there. " + waysOn
    if keepsLayers { return }
    do throws(Failure) {
      if options.isOwn {
        try removeAll()
      } else {
        // Not a manifest: another timeline of the tenant may need it.
        try client.remove(
          layers.written.filter { key in shards.contains { key.hasPrefix($0.directory) } })
      }
      advice = nil
    } catch {
      // The failure that ended the import is the one to report.
    }
  }

  private var waysOn: String {
    let ids = "'--tenant-id \(place.tenant) --timeline-id \(place.timeline)'"
    if options.isRepeatable { return "To go on with it, import with \(ids)." }
    guard options.generation < .max else { return "A recovery cannot go on with it." }
    return "A recovery cannot go on with it; one with \(ids) and '--generation "
      + "\(options.generation + 1)' removes it."
  }

  /// Removes everything that an import of this timeline may have written, also what the store has of
  /// requests whose answers were lost.
  private func removeAll() throws(Failure) {
    for shard in shards {
      let objects = try shard.objects(client).filter { shard.isRemovable($0, upTo: .max) }
      try client.remove(objects.filter { shard.indexGeneration($0) != nil }.map(\.key))
      try client.remove(objects.filter { shard.indexGeneration($0) == nil }.map(\.key))
    }
  }
}
