import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Makes a timeline of the objects that were sent.
///
/// ```
/// 0  each shard: PUT the manifest, if the tenant has none; its stripe size is the import's
/// 1  list each shard: every layer is there, as it was sent, and no index that was not there at the start
/// 2  each shard, 0 last: PUT If-None-Match: * the index
/// 3  as 1, but for this run's own indexes; otherwise DELETE these, shard 0's first, and fail
/// 4  PUT the receipt
/// 5  each shard: DELETE what was there at the start, is still the same, is of no higher generation, and is
///    not named by the index, old indexes first; DELETE what was taken back; DELETE old receipts
/// ```
///
/// The condition of 2 keeps runs of the same generation apart, and 3 those of different ones: each run puts
/// its index before it lists, so of two at least one sees the other, and whoever does gives way. Nothing
/// is removed before that. A run that saw nobody removes nothing of a higher generation, and one of a lower
/// generation that begins later is refused; so no layer that another run needs is removed.
///
/// Of shards that are left to be published, manifests and indexes get keys below `pending`, in any order,
/// and nothing is removed: that is done by `PendingBucket`, once they are published. If that has happened
/// before the second listing, all is well.
extension TimelineBucket {
  package func commit(_ layers: [FinishedLayer], _ indexes: [FinishedIndex]) throws(Failure) {
    precondition(indexes.count == shards.count)
    try Interruption.check()
    for shard in shards { try writeManifest(of: shard) }
    if !isPending { try BucketContents.requireSameTenant(patientClient, place) }
    let sent = layers.map { layer in
      let key = key(of: layer)
      return ListedObject(
        key: key, byteCount: layer.byteCount, entityTag: self.layers.tag(of: key))
    }
    // The index of a shard may be what a run with the same bytes has put: that shows when this one is put.
    let tolerated = Set(indexes.filter { !isCommit($0) }.flatMap(keys(of:)))
    _ = try watch.objects(expecting: sent, tolerating: tolerated)
    try Interruption.check()
    // From here on it is done with rather than undone.
    var objects: [String: ListedObject] = [:]
    var receiptFailure: Failure?
    try Interruption.deferring { () throws(Failure) in
      var expected = sent
      for index in indexes.reversed() { expected.append(try publish(index)) }
      objects = try requireAlone(expected, indexes)
      isSettled = true
      do throws(Failure) {
        try receiptFiles?.publish(timelinePath: path)
        try receipt?.publish(patientClient, timelinePath: path)
      } catch {
        receiptFailure = error
      }
    }
    if isPending { return }
    do throws(Failure) {
      try removeRemains(layers, indexes, objects)
    } catch {
      leftover =
        "the timeline is complete, but what it replaces or an earlier import left could not be "
        + "removed: \(error.message); it does no harm. 'import-backup list \(client.location)' shows what "
        + "no index names: remove that with the tools of the store"
    }
    if let receiptFailure { throw receiptFailure }
  }

  private var watch: BucketWatch {
    BucketWatch(
      patientClient, shards, old: contents.objects, otherIndex: otherIndex(_:),
      disturbed: disturbed(_:))
  }

  private func otherIndex(_ key: String) -> Failure {
    let url = client.url(of: key)
    return shards.contains { key.hasPrefix($0.pending) }
      ? BucketContents.waits(url, isPartial: isPending)
      : BucketContents.exists(url, isPartial: isPending)
  }

  private func writeManifest(of shard: BucketShard) throws(Failure) {
    if !isPending, try shard.hasManifest(patientClient) { return }
    let body = StoredBody.bytes(TenantManifest(stripeSize: place.layout.stripeSize).encoded())
    try layers.store(
      body,
      at: (isPending ? shard.pending : shard.tenant)
        + TenantManifest.fileName(generation: options.generation))
  }

  private func disturbed(_ key: String) -> Failure {
    options.disturbed(client.url(of: key), isPartial: isPending)
  }

  /// Puts an index and gives what a listing must show. Throws `.inUse` if there is another one, or for shard 0
  /// one of another run.
  private func publish(_ index: FinishedIndex) throws(Failure) -> ListedObject {
    let key = key(of: index)
    let body = Self.body(of: index)
    switch try self.indexes.put(body, at: key, checkHint: checkHint) {
    case .own(let tag):
      return ListedObject(key: key, byteCount: body.byteCount, entityTag: tag)
    case .same(let tag, let isMarked) where !isMarked || !isCommit(index):
      return ListedObject(key: key, byteCount: body.byteCount, entityTag: tag)
    case .same: throw otherIndex(key)
    case .other: throw self.indexes.withdraw(after: otherIndex(key))
    }
  }

  /// Whether an index is the one that makes the timeline.
  private func isCommit(_ index: FinishedIndex) -> Bool {
    !isPending && shards[index.shard].shard.number == 0
  }

  private static func body(of index: FinishedIndex) -> StoredBody {
    guard case .bytes(let bytes) = index.contents else {
      preconditionFailure("a bucket's index is in memory")
    }
    return StoredBody.bytes(bytes)
  }

  private var checkHint: String {
    isPending
      ? "The index may be there all the same. Import the shards again."
      : "The index may be in place all the same. Look with 'import-backup verify' for \(path.quoted)."
  }

  /// The keys that an index has, or gets when it is published.
  private func keys(of index: FinishedIndex) -> [String] {
    [key(of: index), shards[index.shard].directory + index.fileName]
  }

  /// Gives the objects of all shards once the indexes are there; throws `.inUse`, without the indexes, if
  /// another run or a pageserver has written one meanwhile, or a layer is missing.
  private func requireAlone(
    _ expected: [ListedObject], _ indexes: [FinishedIndex]
  ) throws(Failure) -> [String: ListedObject] {
    do throws(Failure) {
      if isPending {
        try requireWaiting(expected, indexes)
        return [:]
      }
      let found = try watch.objects(expecting: expected)
      // Where a condition does not keep another run from putting its index over this one.
      if !probe.honoursConditions, try !self.indexes.holdsLast() {
        throw disturbed(key(of: indexes[0]))
      }
      return found
    } catch {
      var error = error
      // Otherwise the indexes stay: nothing says that they are wrong.
      guard error.exitCode == .inUse else {
        isSettled = true
        error.hint = checkHint
        throw error
      }
      throw self.indexes.withdraw(after: error)
    }
  }

  /// Throws `.inUse` unless each index waits, or was published meanwhile.
  private func requireWaiting(
    _ expected: [ListedObject], _ indexes: [FinishedIndex]
  ) throws(Failure) {
    let all = Set(indexes.flatMap(keys(of:)))
    let found = try watch.objects(
      expecting: expected.filter { !all.contains($0.key) }, tolerating: all)
    for index in indexes {
      let (body, keys) = (Self.body(of: index), keys(of: index))
      // What is published stops waiting only then.
      let places = found[keys[1]] == nil ? keys : [keys[1]]
      var isThere = false
      for key in places where !isThere {
        guard let status = try patientClient.status(of: key) else { continue }
        isThere = try patientClient.holds(body, at: key, status)
      }
      if !isThere { throw otherIndex(places[0]) }
    }
  }

  /// Removes what was there at the start, and what this run has taken back; `objects` are those of now.
  private func removeRemains(
    _ layers: [FinishedLayer], _ indexes: [FinishedIndex], _ objects: [String: ListedObject]
  ) throws(Failure) {
    let named = Set(indexes.map(key(of:)) + layers.map(key(of:)))
    try watch.removeRemains(
      client, among: objects, named: named, upTo: options.generation,
      more: self.layers.takenBack.filter { !named.contains($0) && objects[$0] != nil })
    let own = receipt?.keys ?? []
    try client.remove(contents.receipts.map(\.key).filter { !own.contains($0) })
  }
}
