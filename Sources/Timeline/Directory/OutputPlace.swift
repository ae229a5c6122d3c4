import LayerFormat
import PostgresFormat
import System

/// Where a timeline is to be.
package struct OutputPlace: Sendable {
  /// The path of DIR, without a slash at its end.
  package let output: String
  /// The tenant's id.
  package let tenant: Identifier
  /// The timeline's id.
  package let timeline: Identifier
  /// Which shards are written.
  package let shards: ShardSelection
  /// Whether a tenant that is there must have the stripe size of the layout.
  package let requiresStripeSize: Bool
  /// A user besides root and that of this process who may own directories on the way; as root, what is
  /// made is given to that user.
  package let owner: SystemUser?

  /// A place below the directory `output`.
  package init(
    output: String, tenant: Identifier, timeline: Identifier,
    shards: ShardSelection = ShardSelection(all: .unsharded),
    requiresStripeSize: Bool = false, owner: SystemUser? = nil
  ) {
    var output = output
    while output.count > 1 && output.hasSuffix("/") { output.removeLast() }
    self.output = output
    self.tenant = tenant
    self.timeline = timeline
    self.shards = shards
    self.requiresStripeSize = requiresStripeSize || shards.layout.isSharded
    self.owner = owner
  }

  /// How the tenant's keys are spread.
  package var layout: ShardLayout { shards.layout }

  /// The path of the timeline, `DIR/tenants/TENANT/timelines/TIMELINE`; with shards, the directories of
  /// all of them have it but for the digits after the tenant's id.
  package var path: String {
    "\(output == "/" ? "" : output)/tenants/\(tenant)/timelines/\(timeline)"
  }

  /// The names of the directories from DIR to a shard's timeline.
  func names(_ shard: ShardID) -> [String] {
    ["tenants", shard.directoryName(ofTenant: tenant), "timelines", timeline.description]
  }

  /// Where what is not published of a shard's timeline at `path` is; nil if the path is that of none.
  package static func pendingPath(ofTimeline path: String) -> String? {
    let names = path.split(separator: "/", omittingEmptySubsequences: false)
    guard names.count >= 4, names[names.count - 2] == "timelines",
      names[names.count - 4] == "tenants"
    else { return nil }
    let root = names.dropLast(4).joined(separator: "/")
    return "\(root)/pending/\(names[names.count - 3])/\(names[names.count - 1])"
  }

  /// The names of the directories from DIR to where what is not published of a shard is.
  func pendingNames(_ shard: ShardID) -> [String] {
    ["pending", shard.directoryName(ofTenant: tenant), timeline.description]
  }
}
