import LayerFormat
import PostgresFormat
import System

/// A path or URL that ends as those of tenants and their timelines do.
package struct TenantPath {
  /// What comes before the tenant: it ends in `tenants`.
  package let root: String
  /// The tenant's id.
  package let tenant: Identifier
  /// The timeline's id; nil for the tenant itself.
  package let timeline: Identifier?

  /// A path or URL without the digits of a tenant's shard, so that it names all of them; the same if it has
  /// none.
  package static func withoutShard(_ place: String) -> String {
    var names = place.split(separator: "/", omittingEmptySubsequences: false)
    for (index, name) in names.enumerated().dropFirst() where names[index - 1] == "tenants" {
      let parts = name.split(separator: "-", omittingEmptySubsequences: false)
      if parts.count == 2, ShardID(parts[1]) != nil { names[index] = parts[0] }
    }
    return names.joined(separator: "/")
  }

  /// Throws `.unsupported` for the path of one of a tenant's shards.
  package static func requireNoShard(_ place: String) throws(Failure) {
    let whole = withoutShard(place)
    guard whole != place, let path = TenantPath(whole), path.timeline == nil else { return }
    throw Failure(
      .timelineShard, "\(place.quoted) is one shard of a tenant: the other shards have the rest",
      hint: "Give all shards: \(whole.quoted).")
  }

  /// Nil for any other path.
  package init?(_ place: String) {
    let names = place.split(separator: "/", omittingEmptySubsequences: false)
    let end = (names.lastIndex { !$0.isEmpty } ?? 0) + 1  // there may be slashes at the end
    func name(_ number: Int) -> Substring? { number < end ? names[end - 1 - number] : nil }
    let depth: Int
    if name(3) == "tenants", name(1) == "timelines", let id = Identifier(name(0) ?? "") {
      timeline = id
      depth = 3
    } else if name(1) == "tenants" {
      timeline = nil
      depth = 1
    } else {
      return nil
    }
    guard let tenant = Identifier(names[end - depth]) else { return nil }
    self.tenant = tenant
    root = names[..<(end - depth)].joined(separator: "/")
  }

  /// Whether it is the path of this tenant, or of this timeline of it.
  package func names(_ tenantID: String?, _ timelineID: String?) -> Bool {
    tenantID == tenant.description
      && (timeline.map { timelineID == $0.description } ?? true)
  }

  /// The only one of the timelines that were found; throws `.usage` if there are several, and
  /// `.cannotOpen` if there is none.
  package func only(of timelines: Set<String>) throws(Failure) -> Identifier {
    let path = "\(root)/\(tenant)"
    guard let first = timelines.min(), let timeline = Identifier(first) else {
      throw Failure(
        .notATimeline, "tenant \(path.quoted) has no timelines",
        hint: "Check the path: 'import-backup list' shows which timelines there are.")
    }
    guard timelines.count == 1 else {
      throw Failure(
        .severalTimelines,
        "tenant \(path.quoted) has \(timelines.count) timelines: \(listing(timelines.sorted()))",
        hint: "Give one of them: \(path)/timelines/\(first), for example.")
    }
    return timeline
  }
}
