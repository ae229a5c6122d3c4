import LayerFormat
import System

/// What keeps a timeline from being read as a whole.
extension Timeline {
  /// Throws `.unsupported` if a pageserver would go on deleting it.
  package func requireAlive() throws(Failure) {
    guard let time = index.deletedAt else { return }
    throw Failure(
      .timelineDeleted, "timeline \(path.quoted) was deleted at \(time.quoted)",
      hint: "A pageserver that finds it removes the rest of it. 'inspect' shows what is left.")
  }

  /// Throws `.unsupported` if other directories hold a part of what a read needs.
  package func requireWhole() throws(Failure) {
    let hint = "Attach it to a pageserver and take a fullbackup."
    if !layout.isSharded, layers.contains(where: { $0.metadata.isOfShard }) {
      let whole = TenantPath.withoutShard(path)
      throw Failure(
        .timelineShard, "\(path.quoted) is one shard of a timeline: the other shards have the rest",
        hint: "Give all shards: "
          + (whole == path
            ? "DIR/tenants/TENANT/timelines/TIMELINE, TENANT without the shard's digits."
            : "\(whole.quoted)."))
    }
    let isOfOtherShards = layers.contains { layer in
      guard layout.isSharded, let shard = layer.metadata.shard else { return false }
      return ShardID(shard)?.count != layout.count
    }
    if isOfOtherShards {
      throw Failure(
        .timelineShard,
        "the shards of \(path.quoted) were split, and some of their layers are in the directories of "
          + "the former ones", hint: hint)
    }
    if let ancestor = index.metadata.ancestorTimeline {
      throw Failure(
        .timelineBranch,
        "\(path.quoted) is a branch of timeline \(ancestor.quoted): part of its data is in the layers "
          + "of that timeline", hint: hint)
    }
  }

  /// Throws `.unsupported` if a pageserver has written.
  package func requireAsImported() throws(Failure) {
    guard isAsImported else {
      throw Failure(
        .needsWALReplay,
        "a pageserver has written to timeline \(path.quoted), so its WAL would have to be replayed",
        hint: "Take a fullbackup from the pageserver instead.")
    }
  }
}

extension IndexPart.LayerMetadata {
  /// Whether the layer holds one shard's part only: `NNCC`, shard number and count. A tenant of one
  /// shard has all.
  fileprivate var isOfShard: Bool {
    guard let shard else { return false }
    return !["00", "01"].contains(shard.suffix(2))
  }
}
