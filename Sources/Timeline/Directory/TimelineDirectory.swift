import LayerFormat
import PostgresFormat
import System

/// The directories that an import fills, one for each shard that it writes: locked against a second run, and complete
/// or without an index at every moment.
///
/// ```
/// claim      for each shard, 0 first: mkdir -p, flock; refuse an index; remove an interrupted run's
///            remains; from DIR on, directories are made for their owner alone, and so are all files
/// write      layer-N.import-temp …                     each fsynced when it is finished
///            index_part.json-….import-temp             fsynced; then the receipt (`ReceiptFiles`)
///            tenant-manifest-….json.….import-temp      fsynced, if the tenant has none
/// commit  0  each shard: rename the manifest, unless there is one by now; fsync the tenant's directory
///         1  with --force: unlink the old receipts, fsync their directory; unlink every old index,
///            shard 0's first, fsync the directory; unlink the old layers
///         2  each shard: rename the layers to their names, fsync the directory and its parents
///         3  each shard, 0 last: rename the index, fsync the directory
///         4  rename the receipt
/// abandon    shard 0: rename the index back, fsync; each other: unlink the index, fsync, if it came so
///            far; then each, 0 last: unlink what else this run wrote; remove the directories that it
///            made
/// ```
///
/// Shard 0's index is the commit of the whole. Indexes of other shards are remains of a run that was
/// killed if shard 0 has none but a temporary one: that is removed last, as it says so.
///
/// With `--force` the old timeline stays whole until the new one is complete on disk. A receipt has
/// its name only as long as its timeline has an index.
/// (Docs/reliability.md)
package final class TimelineDirectory: TimelineOutput {
  /// Ends the names of files that only a running import knows.
  package static let temporarySuffix = ".import-temp"

  /// `DIR/tenants/<tenant>/timelines/<timeline>`; with shards, that names them all, and is no
  /// directory.
  package let path: String

  /// The path of a directory on the file system that holds it.
  package var directoryPath: String? { shards[0].path }

  package let layerStore: any LayerStore = DurableLayers()
  package var receiptPath: String? { receipt?.path }
  package var weakness: String? { nil }
  package var leftover: String? { nil }
  package var advice: String? { nil }

  private let shards: [ShardDirectory]
  private var receipt: ReceiptFiles?
  /// What the names of the timeline's receipts begin with.
  private let receiptPrefix: String
  private let force: Bool
  private let owner: SystemUser?
  private let place: OutputPlace
  /// Whether the indexes are left to be published, as there are other shards.
  private let isPending: Bool
  /// Whether there is a timeline to be replaced.
  private var replaces = false
  private var isSettled = false

  /// Claims the directories of a timeline, and creates them and their parents if they do not exist.
  ///
  /// Throws `.inUse` when another import works on one of them, or when one has an index and `force` is
  /// false; `.cannotCreate` when one cannot be made, or belongs to somebody else; `.damaged` when the
  /// tenant has other shards, or another stripe size.
  package init(_ place: OutputPlace, force: Bool) throws(Failure) {
    path = place.path
    self.force = force
    owner = SystemUser.ownID == 0 ? place.owner : nil
    self.place = place
    isPending = place.shards.isPartial
    receiptPrefix = ReceiptName.prefix(tenant: place.tenant, timeline: place.timeline)
    if place.layout.isSharded { SystemCalls.raiseOpenFileLimit() }
    var shards: [ShardDirectory] = []
    do throws(Failure) {
      for shard in place.shards.ids {
        let directory = try ShardDirectory(place, shard)
        shards.append(directory)
        try directory.directories.requireSameTenant(place)
        // Now rather than after hours, when another run may have removed what it is in.
        if place.shards.isPartial { _ = try directory.directories.pending() }
      }
    } catch {
      for shard in shards.reversed() { shard.abandon() }
      throw error
    }
    self.shards = shards
    do throws(Failure) {
      try prepare()
    } catch {
      abandon()
      throw error
    }
  }

  deinit { abandon() }

  /// Throws as `init` does if the directories cannot be claimed, as far as that shows without making or
  /// removing anything.
  package static func requireClaimable(_ place: OutputPlace, force: Bool) throws(Failure) {
    for shard in place.shards.ids {
      guard let directory = try OutputDirectories.existing(place, shard) else { continue }
      guard try directory.lock() else { throw ShardDirectory.busy(directory.path) }
      let names = try ShardDirectory.names(in: directory)
      if let index = ShardDirectory.indexes(among: names).first, !force {
        throw exists(directory.path, index, isPartial: place.shards.isPartial)
      }
    }
  }

  static func exists(_ path: String, _ index: String, isPartial: Bool) -> Failure {
    Failure(
      .timelineExists, "the timeline already exists: \(path.quoted) contains \(index.quoted)",
      hint: existsHint(isPartial: isPartial) + ".")
  }

  /// What to do about a timeline that is there; `isPartial` says that only some shards are imported.
  static func existsHint(isPartial: Bool) -> String {
    "Import with another '--timeline-id'; or, if no service has the timeline attached, replace it with "
      + (isPartial ? "an import of all shards at once, without '--only-shards', with " : "")
      + "'--force'"
  }

  /// Refuses an existing index, and removes the remains of an interrupted run.
  private func prepare() throws(Failure) {
    // Of a run that was killed between the first index and the last.
    if !isPending, shards[0].oldIndexes.isEmpty, try shards[0].hasTemporaryIndex() {
      for shard in shards { try shard.removeIndexes() }
    }
    for shard in shards {
      guard let index = shard.oldIndexes.first else { continue }
      guard force else { throw Self.exists(shard.path, index, isPartial: isPending) }
      replaces = true
    }
    for shard in shards.reversed() {
      try shard.removePending()
      try shard.removeRemains()
    }
    try removeReceipts { [replaces, isPending] in
      !replaces && !isPending || $0.hasSuffix(Self.temporarySuffix)
    }
  }

  /// Removes those receipts of this timeline in `DIR/receipts` whose name `isOld`, and makes that
  /// durable.
  private func removeReceipts(where isOld: (String) -> Bool) throws(Failure) {
    guard let receipts = try shards[0].directories.existingReceipts() else { return }
    let names = try receipts.names().map(DirectoryHandle.text)
      .filter { $0.hasPrefix(receiptPrefix) && isOld($0) }
    if names.isEmpty { return }
    for name in names.sorted() { try receipts.remove(DirectoryHandle.name(name)) }
    try receipts.sync()
  }

  /// Creates a file for this run alone in a shard's directory; `name` is any that no other of its files
  /// has.
  package func makeTemporaryFile(_ name: String, shard: Int) throws(Failure) -> OutputFile {
    try shards[shard].makeTemporaryFile(name)
  }

  package func open(_ layer: FinishedLayer) throws(Failure) -> LayerFile {
    try LayerFile(path: layer.file.path, name: layer.name)
  }

  package func takeBack(_ layer: FinishedLayer) throws(Failure) { try layer.file.unlink() }

  /// Claims the files of the receipt; throws as `ReceiptFiles` does, and `.usage` for a place below
  /// `DIR/tenants`, which a pageserver takes for its own.
  package func claimReceipt(_ place: ReceiptPlace, generation: UInt32) throws(Failure) {
    switch place {
    case .standard:
      let name = ReceiptName.name(
        tenant: self.place.tenant, timeline: self.place.timeline, generation: generation)
      receipt = try makeReceipt(name, attempts: 10)
    case .file(let path):
      try requireOutsideTenants(path)
      receipt = try ReceiptFiles(at: path, replaces: force)
    }
  }

  package func writeReceipt(_ bytes: [UInt8], files: [FileDigest]) throws(Failure) {
    try receipt?.write(bytes, files: files)
  }

  private func makeReceipt(_ name: String, attempts: Int) throws(Failure) -> ReceiptFiles {
    let directory = try shards[0].directories.receipts()
    do throws(Failure) {
      return try ReceiptFiles(
        name, in: directory, path: directory.path + "/" + name,
        temporarySuffix: Self.temporarySuffix, replaces: true, owner: owner)
    } catch {
      // An import that fails removes the directory that it made, until it holds something.
      guard attempts > 1, try shards[0].directories.existingReceipts() == nil else { throw error }
      return try makeReceipt(name, attempts: attempts - 1)
    }
  }

  private func requireOutsideTenants(_ file: String) throws(Failure) {
    // What does not exist shows when the file is created.
    guard let directory = try? SystemCalls.resolved(SystemCalls.parent(of: file)),
      let tenants = try? SystemCalls.resolved(shards[0].directories.output + "/tenants")
    else { return }
    guard !(directory + "/").hasPrefix(tenants + "/") else {
      throw Failure(
        .badOption, "the receipt \(file.quoted) would be below \(tenants.quoted)",
        hint: "Everything there is copied to a bucket with the timeline. Choose another directory.")
    }
  }

  /// What comes before the name of a shard's file in the names of all: its path below `DIR/tenants`.
  private func namePrefix(ofShard shard: Int) -> String {
    shards[shard].shard.suffix == nil ? "" : shards[shard].directories.pathBelowTenants + "/"
  }

  /// The digest of a layer, by the name that it gets.
  package func digest(
    of layer: FinishedLayer, at position: Int, generation: UInt32, sha256: String
  ) -> FileDigest {
    FileDigest(
      name: namePrefix(ofShard: position) + layer.name.fileName(generation: generation),
      byteCount: layer.byteCount, sha256: sha256)
  }

  /// Writes a shard's index, and its manifest if it has none, under temporary names, reads it back for its hash, and makes it durable.
  package func writeIndex(
    _ bytes: [UInt8], generation: UInt32, shard: Int
  ) throws(Failure) -> FinishedIndex {
    try shards[shard].directories.writeManifest(
      stripeSize: place.layout.stripeSize, generation: generation, isPending: isPending)
    let name = IndexPart.fileName(generation: generation)
    let file = try makeTemporaryFile(name, shard: shard)
    try file.write(bytes.bytes, at: 0)
    var hasher = FileHasher()
    let hash = try hasher.hash(file, byteCount: UInt64(bytes.count))
    try file.makeDurable()
    return FinishedIndex(
      contents: .file(file), fileName: name, shard: shard, generation: generation,
      digest: FileDigest(
        name: namePrefix(ofShard: shard) + name, byteCount: UInt64(bytes.count), sha256: hash))
  }

  /// The path that an index gets.
  package func path(of index: FinishedIndex) -> String {
    let shard = shards[index.shard]
    return (isPending ? shard.directories.pendingPath : shard.path) + "/" + index.fileName
  }

  /// Gives layers and indexes, all of them durable, their names, the indexes last and shard 0's after
  /// the others'; and then the receipt.
  ///
  /// - Parameter indexes: one for each shard.
  ///
  /// When it throws, `abandon` leaves no index behind, unless nothing but the receipt is missing. A
  /// signal ends it before an index has its name, or before an old timeline is touched; after that
  /// it is done with rather than undone.
  package func commit(_ layers: [FinishedLayer], _ indexes: [FinishedIndex]) throws(Failure) {
    precondition(indexes.count == shards.count)
    try Interruption.check()
    for shard in shards { try shard.directories.publishManifest(place) }
    if replaces { try removeOldTimeline() }
    let generation = indexes[0].generation
    for shard in shards {
      try shard.publish(
        layers.filter { $0.shard == shard.shard.number }, generation: generation)
    }
    if !replaces { try Interruption.check() }
    for (shard, index) in zip(shards, indexes).reversed() {
      try shard.publish(index, isPending: isPending)
    }
    settle()
    try receipt?.publish(timelinePath: path)
  }

  private func removeOldTimeline() throws(Failure) {
    try removeReceipts { !$0.hasSuffix(Self.temporarySuffix) }
    try receipt?.removeOld()
    for shard in shards { try shard.removeIndexes() }
    for shard in shards { try shard.removeLayers() }
  }

  private func settle() {
    isSettled = true
    for shard in shards { shard.settle() }
  }

  /// Takes away what this run wrote, as far as that is possible; an import that has failed has
  /// nothing better to report than its own error.
  package func abandon() {
    receipt?.abandon()
    guard !isSettled else { return }
    // If shard 0 may have its index after a power failure, nothing more can be done: all are whole.
    guard shards[0].withdrawIndex() else { return settle() }
    isSettled = true
    var isWithdrawn = true
    for shard in shards.dropFirst() where !shard.removeIndex() { isWithdrawn = false }
    // What shard 0 has says to the next run that the others' indexes are remains.
    if !isWithdrawn { shards[0].settle() }
    for shard in shards.reversed() { shard.abandon() }
  }
}
