import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Makes a timeline of the objects that were sent.
///
/// ```
/// 0  each shard: PUT the manifest, if the tenant has none
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
/// and nothing is removed: that is done by `PendingBucket`, once they are published.
extension TimelineBucket {
  package func commit(_ layers: [FinishedLayer], _ indexes: [FinishedIndex]) throws(Failure) {
    precondition(indexes.count == shards.count)
    try Interruption.check()
    for shard in shards { try writeManifest(of: shard) }
    _ = try undisturbed(layers)
    try Interruption.check()
    // From here on it is done with rather than undone.
    var objects: [String: ListedObject] = [:]
    var receiptFailure: Failure?
    try Interruption.deferring { () throws(Failure) in
      var own: [String: String?] = [:]
      for index in indexes.reversed() {
        own.updateValue(try publish(index), forKey: key(of: index))
      }
      objects = try requireAlone(layers, indexes, own)
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
        + "removed: \(error.message)"
    }
    if let receiptFailure { throw receiptFailure }
  }

  private func writeManifest(of shard: BucketShard) throws(Failure) {
    if !isPending, try shard.hasManifest(patientClient) { return }
    let body = StoredBody.bytes(TenantManifest(stripeSize: place.layout.stripeSize).encoded())
    try layers.store(
      body,
      at: (isPending ? shard.pending : shard.tenant)
        + TenantManifest.fileName(generation: options.generation))
  }

  /// Gives the objects of all shards, by key, and throws `.inUse` unless all layers are there as they were
  /// sent, and the indexes are those of the start, and `own` ones, by their tags.
  private func undisturbed(
    _ layers: [FinishedLayer], _ own: [String: String?] = [:]
  ) throws(Failure) -> [String: ListedObject] {
    var found: [String: ListedObject] = [:]
    for (shard, old) in zip(shards, contents.objects) {
      let known = Dictionary(old.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
      for object in try shard.objects(patientClient) {
        found[object.key] = object
        let generation =
          isPending && shard.isPending(object)
          ? shard.pendingGeneration(object) : shard.indexGeneration(object)
        guard let generation, own[object.key] == nil,
          known[object.key].map({ object.isSame(as: $0) }) != true
        else { continue }
        // Another shard's index may be what a run with the same bytes has left: `publish` compares it,
        // and one that is not published.
        let mayBeSame =
          isPending ? shard.isPending(object) : shard.shard.number > 0 && own.isEmpty
        if !mayBeSame || generation != options.generation {
          throw BucketContents.exists(client.url(of: object.key), isPartial: isPending)
        }
      }
    }
    for layer in layers {
      let key = key(of: layer)
      guard let object = found[key], object.byteCount == layer.byteCount,
        Self.isSame(object.entityTag, self.layers.tag(of: key))
      else { throw disturbed(key) }
    }
    for (key, tag) in own {
      guard let object = found[key], Self.isSame(object.entityTag, tag) else {
        throw disturbed(key)
      }
    }
    return found
  }

  private static func isSame(_ tag: String?, _ other: String?) -> Bool {
    tag == nil || other == nil || tag == other
  }

  private func disturbed(_ key: String) -> Failure {
    Failure(
      .layerOfOtherRun,
      "\(client.url(of: key).quoted) was removed or replaced since this import sent it",
      hint: "Another import of the same timeline runs at the same time. Let only one run.")
  }

  /// Puts an index and gives its tag. Throws `.inUse` if there is another one, or for shard 0 one of
  /// another run.
  private func publish(_ index: FinishedIndex) throws(Failure) -> String? {
    let key = key(of: index)
    let tag = try indexes.put(
      Self.body(of: index), at: key, isCommit: isCommit(index), checkHint: checkHint)
    guard let tag else {
      throw BucketContents.exists(client.url(of: key), isPartial: isPending)
    }
    return tag
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

  /// Gives the objects of all shards once the indexes are there; throws `.inUse`, without the indexes, if
  /// another run or a pageserver has written one meanwhile, or a layer is missing.
  private func requireAlone(
    _ layers: [FinishedLayer], _ indexes: [FinishedIndex], _ own: [String: String?]
  ) throws(Failure) -> [String: ListedObject] {
    do throws(Failure) {
      let found = try undisturbed(layers, own)
      // Where a condition does not keep another run from putting its index over this one.
      if !probe.honoursConditions {
        let key = key(of: indexes[0])
        guard
          try self.indexes.isOwn(
            Self.body(of: indexes[0]), at: key, isCommit: isCommit(indexes[0]))
        else { throw disturbed(key) }
      }
      return found
    } catch {
      var error = error
      guard error.exitCode == .inUse else {
        // The indexes stay: nothing says that they are wrong.
        isSettled = true
        error.hint = checkHint
        throw error
      }
      do throws(Failure) {
        try withdraw(indexes)
      } catch let other {
        isSettled = true
        error.message += "; this import's own index could not be removed again: \(other.message)"
        error.hint =
          "Two indexes may be there. Look with 'import-backup list', and import once more with "
          + (isPending ? "a higher '--generation'." : "'--force' and a higher '--generation'.")
        throw error
      }
      throw error
    }
  }

  /// Removes the indexes that this run has put, shard 0's first.
  private func withdraw(_ indexes: [FinishedIndex]) throws(Failure) {
    for index in indexes {
      try self.indexes.withdraw(Self.body(of: index), at: key(of: index))
    }
  }

  /// Removes what was there at the start, and what this run has taken back; `objects` are those of now.
  private func removeRemains(
    _ layers: [FinishedLayer], _ indexes: [FinishedIndex], _ objects: [String: ListedObject]
  ) throws(Failure) {
    let named = Set(indexes.map(key(of:)) + layers.map(key(of:)))
    var oldIndexes: [String] = []
    var others = self.layers.takenBack.filter { !named.contains($0) && objects[$0] != nil }
    for (shard, old) in zip(shards, contents.objects) {
      for object in old where !named.contains(object.key) {
        guard shard.isRemovable(object, upTo: options.generation),
          let found = objects[object.key], found.isSame(as: object)
        else { continue }
        if shard.indexGeneration(object) != nil {
          oldIndexes.append(object.key)
        } else {
          others.insert(object.key)
        }
      }
    }
    try client.remove(oldIndexes)
    try client.remove(Array(others))
    let own = receipt?.keys ?? []
    try client.remove(contents.receipts.map(\.key).filter { !own.contains($0) })
  }
}
