import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// The keys of a bucket that an import fills, those of each shard that it writes: a complete timeline or
/// none at every moment.
///
/// ```
/// claim      list the tenant and each shard's timeline; refuse an index; try the store (`BucketProbe`)
/// write      each layer: a file without a name, hashed, PUT If-None-Match: *, closed (`BucketLayers`)
/// commit  0  each shard: PUT the manifest, if the tenant has none
///         1  list each shard: every layer is there, as it was sent, and no other index
///         2  each shard, 0 last: PUT If-None-Match: * the index
///         3  PUT the receipt
///         4  list each shard: DELETE what the index does not name and is not younger than this run, old
///            indexes first; DELETE old receipts
/// abandon    if nobody else knows the timeline's id: DELETE the indexes, and then what else was put
/// ```
///
/// Nothing has a lock. Whoever puts shard 0's index first has the timeline; another run sees the index, or
/// objects that are not its own, and fails. A store that ignores conditions leaves the time between 1 and
/// 2 in which two runs do not see each other. (Docs/reliability.md)
package final class TimelineBucket: TimelineOutput {
  package let path: String
  package var directoryPath: String? { nil }
  package var layerStore: any LayerStore { layers }
  package private(set) var leftover: String?
  package private(set) var advice: String?

  private let client: StoreClient
  private let place: OutputPlace
  private let options: BucketOptions
  private let contents: BucketContents
  private let probe: BucketProbe
  private let staging: Staging
  private let layers: BucketLayers
  /// Reads layers back.
  private let tenants: StoredDirectory
  private var receipt: BucketReceipt?
  private var receiptFiles: ReceiptFiles?
  /// Tells this run's indexes from those of others that are the same.
  private let mark = UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
  private var isSettled = false

  private var shards: [BucketShard] { contents.shards }
  private var root: String { client.location.keyPrefix }

  /// Looks at what there is, and tries the store.
  ///
  /// Throws as `BucketContents` and `BucketProbe` do, and `.cannotCreate` if there is no scratch directory.
  package init(_ place: OutputPlace, _ options: BucketOptions) throws(Failure) {
    self.place = place
    self.options = options
    path = place.path
    staging = try Staging(options.scratch)
    client = try Self.client(place, options)
    contents = try BucketContents(client, place, options)
    let shards = contents.shards
    probe = try BucketProbe(
      client, below: shards[shards.count - 1].directory,
      longestName: LayerName.level0(LogSequenceNumber(rawValue: 0)..<LogSequenceNumber(rawValue: 1))
        .fileName(generation: options.generation))
    if !options.allowsAnyStore { try probe.requireReadable(client.location) }
    let tenants = client.location.keyPrefix + "tenants/"
    self.tenants = StoredDirectory(client, at: String(tenants.dropLast()))
    layers = BucketLayers(
      client, count: options.uploadCount, isConditional: probe.honoursConditions,
      old: contents.objects.flatMap(\.self)
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

  package var weakness: String? {
    probe.honoursConditions
      ? nil
      : "the store of \(client.location.description.quoted) does not honour 'If-None-Match', so that "
        + "another import of the same timeline at the same moment might not be noticed"
  }

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

  private func key(of index: FinishedIndex) -> String {
    let shard = shards[index.shard]
    return (place.shards.isPartial ? shard.pending : shard.directory) + index.fileName
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

  // MARK: Commit

  package func commit(_ layers: [FinishedLayer], _ indexes: [FinishedIndex]) throws(Failure) {
    precondition(indexes.count == shards.count)
    try Interruption.check()
    for shard in shards { try writeManifest(of: shard) }
    try requireComplete(layers)
    try Interruption.check()
    // From here on it is done with rather than undone.
    try Interruption.deferring { () throws(Failure) in
      for index in indexes.reversed() { try publish(index) }
      isSettled = true
      try receiptFiles?.publish(timelinePath: path)
      try receipt?.publish(client, timelinePath: path)
    }
    do throws(Failure) {
      try removeRemains(layers, indexes)
    } catch {
      leftover =
        "the timeline is complete, but what it replaces or an earlier import left could not be "
        + "removed: \(error.message)"
    }
  }

  private func writeManifest(of shard: BucketShard) throws(Failure) {
    let target = place.shards.isPartial ? shard.pending : shard.tenant
    var isThere = false
    for directory in Set([target, shard.tenant]) {
      try client.list(directory + TenantManifest.filePrefix) { object in
        let name = String(object.key.dropFirst(directory.count))
        if TenantManifest.parse(fileName: name) != nil { isThere = true }
      }
    }
    if isThere { return }
    let body = StoredBody.bytes(TenantManifest(stripeSize: place.layout.stripeSize).encoded())
    let key = target + TenantManifest.fileName(generation: options.generation)
    try layers.store(body, at: key)
  }

  /// Throws unless all layers are in the bucket as they were sent, and no index is.
  private func requireComplete(_ layers: [FinishedLayer]) throws(Failure) {
    var found: [String: ListedObject] = [:]
    for (shard, old) in zip(shards, contents.objects) {
      let known = Set(old.map(\.key))
      for object in try shard.objects(client) {
        found[object.key] = object
        guard let generation = shard.indexGeneration(object), !known.contains(object.key) else {
          continue
        }
        let isFirst = shard.shard.number == 0 || place.shards.isPartial
        if isFirst || generation != options.generation {
          throw BucketContents.exists(client.url(of: object.key))
        }
      }
    }
    for layer in layers {
      let key = root + "tenants/" + Self.path(of: layer, in: place, options.generation)
      let tag = self.layers.tag(of: key)
      guard let object = found[key], object.byteCount == layer.byteCount,
        tag == nil || object.entityTag == nil || tag == object.entityTag
      else {
        throw Failure(
          .layerOfOtherRun,
          "\(client.url(of: key).quoted) was removed or replaced since this import sent it",
          hint: "Another import of the same timeline runs at the same time. Let only one run.")
      }
    }
  }

  /// Puts an index. Throws `.inUse` if there is another one, or for shard 0 one of another run.
  private func publish(_ index: FinishedIndex) throws(Failure) {
    guard case .bytes(let bytes) = index.contents else {
      preconditionFailure("a bucket's index is in memory")
    }
    let key = key(of: index)
    let body = StoredBody.bytes(bytes)
    let isCommit = shards[index.shard].shard.number == 0 && !place.shards.isPartial
    let result: PutResult
    do throws(Failure) {
      result = try client.put(
        key, body.body, sha256: body.sha256, isConditional: probe.honoursConditions, mark: mark)
    } catch {
      // The store may have done it all the same.
      guard (try? isOwn(key, body, isCommit: isCommit)) == true else { throw error }
      return
    }
    if case .stored = result { return }
    guard try isOwn(key, body, isCommit: isCommit) else {
      throw BucketContents.exists(client.url(of: key))
    }
  }

  /// Whether the index that has a key is the one that this run puts there.
  private func isOwn(
    _ key: String, _ body: StoredBody, isCommit: Bool
  ) throws(Failure) -> Bool {
    guard let status = try client.status(of: key) else { return false }
    if isCommit, let other = status.mark { return other == mark }
    return try client.holds(body, at: key, status)
  }

  // MARK: Removal

  private func removeRemains(
    _ layers: [FinishedLayer], _ indexes: [FinishedIndex]
  ) throws(Failure) {
    guard let start = probe.time else {
      throw Failure(.storeFailed, "the store does not say what time it is")
    }
    func isOld(_ object: ListedObject) -> Bool { object.time.map { $0 <= start } ?? false }
    let takenBack = self.layers.takenBack
    var named = Set(indexes.map(key(of:)))
    for layer in layers {
      named.insert(root + "tenants/" + Self.path(of: layer, in: place, options.generation))
    }
    var remains: [(key: String, isIndex: Bool)] = []
    for shard in shards {
      for object in try shard.objects(client)
      where !named.contains(object.key) && shard.isRemovable(object)
        && (isOld(object) || takenBack.contains(object.key))
      {
        remains.append((object.key, shard.indexGeneration(object) != nil))
      }
    }
    try client.remove(remains.filter(\.isIndex).map(\.key))
    try client.remove(remains.filter { !$0.isIndex }.map(\.key))
    if place.shards.isPartial { return }
    var receipts: [String] = []
    try client.list(
      root + ReceiptName.directory + "/"
        + ReceiptName.prefix(tenant: place.tenant, timeline: place.timeline)
    ) { object in
      if receipt?.keys.contains(object.key) != true, isOld(object) { receipts.append(object.key) }
    }
    try client.remove(receipts)
  }

  package func abandon() {
    guard !isSettled else { return }
    isSettled = true
    receiptFiles?.abandon()
    let written = layers.written
    if !written.isEmpty {
      advice =
        "What was uploaded is still there. To go on with it, import with '--tenant-id "
        + "\(place.tenant) --timeline-id \(place.timeline)'."
    }
    guard options.isOwn else { return }
    do throws(Failure) {
      for shard in shards {
        for directory in [shard.directory, shard.pending] {
          try client.remove(directory + IndexPart.fileName(generation: options.generation))
        }
      }
      // Not a manifest: another timeline of the tenant may need it.
      try client.remove(
        written.filter { key in shards.contains { key.hasPrefix($0.directory) } })
      advice = nil
    } catch {
      // The failure that ended the import is the one to report.
    }
  }
}
