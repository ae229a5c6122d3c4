import LayerFormat
import PostgresFormat
import Service
import System

/// What is known of a timeline before it is imported.
package struct AttachForecast: Sendable {
  private let tenant: Identifier?
  private let timeline: Identifier?
  private let generation: UInt32
  private let shardCount: Int

  /// The timeline that an import would write; ids that it makes up, nil here, conflict with nothing.
  package init(tenantID: String?, timelineID: String?, generation: UInt32, shardCount: Int) {
    tenant = tenantID.flatMap { Identifier($0) }
    timeline = timelineID.flatMap { Identifier($0) }
    self.generation = generation
    self.shardCount = shardCount
  }

  /// Throws what `attach` would throw after the import: `.serviceFailed` if the server is no controller, and
  /// `.timelineConflict`, `.shardConflict` or `.generationConflict` with what it has.
  ///
  /// A timeline that is served must not be written to, whatever its data. It only looks: three calls, and one
  /// for each shard.
  package func check(_ url: ServiceURL, _ options: ServiceOptions) throws(Failure) {
    let client = ServiceClient(options)
    let controller = Controller(url, client)
    guard let tenant, try controller.knows(tenant) else {
      _ = try controller.activePageserverCount()
      return
    }
    guard let location = try controller.location(of: tenant) else { return }
    guard location.shards.count == shardCount else {
      throw ServiceView.otherShardCount(tenant, location.shards.count, files: shardCount)
    }
    for shard in location.shards {
      let pageserver = Pageserver(try shard.callURL(like: url), client)
      guard let attached = try pageserver.tenant(shard.name) else { continue }
      if let timeline, attached.timelines.contains(timeline.description) {
        throw Failure(
          .timelineConflict, "the service has timeline '\(timeline)' of '\(shard.name)' already",
          hint: "Its files must not be replaced. Import with another '--timeline-id'.")
      }
      if let found = attached.generation, found < generation {
        throw Failure(
          .generationConflict,
          "'\(shard.name)' is attached at generation \(found), and would not see files of generation "
            + "\(generation)",
          hint: "Import with '--generation \(found)' or less.")
      }
    }
  }
}
