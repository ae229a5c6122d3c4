import LayerFormat
import PostgresFormat
import System

/// The calls of a safekeeper. (Neon, `safekeeper/src/http/routes.rs`)
package struct Safekeeper {
  /// One of the safekeepers that a timeline is on.
  package struct Member: Sendable, Equatable {
    /// Its id.
    package var id: Int
    /// Its host.
    package var host: String
    /// The port for WAL.
    package var port: Int

    /// A member.
    package init(id: Int, host: String, port: Int) {
      self.id = id
      self.host = host
      self.port = port
    }
  }

  /// Where it takes calls.
  package let url: ServiceURL
  private let client: ServiceClient

  /// The safekeeper at a URL.
  package init(_ url: ServiceURL, _ client: ServiceClient) {
    self.url = url
    self.client = client
  }

  /// Its id.
  package func id() throws(Failure) -> Int {
    struct Status: Decodable { var id: Int }
    let call = ServiceCall(.get, url, "/v1/status")
    guard let status = try client.read(call, as: Status.self) else {
      throw Failure(
        .serviceFailed, "\(url.description.quoted) is not a safekeeper",
        hint: "Give the URL of the safekeeper's HTTP interface.")
    }
    return status.id
  }

  /// What it says of a timeline; nil if it does not have it.
  package func timeline(
    _ timeline: Identifier, of tenant: Identifier
  ) throws(Failure) -> SafekeeperTimeline? {
    try client.read(timelineCall(timeline, of: tenant))
  }

  /// The call of `timeline`.
  package func timelineCall(_ timeline: Identifier, of tenant: Identifier) -> ServiceCall {
    ServiceCall(.get, url, "/v1/tenant/\(tenant)/timeline/\(timeline)")
  }

  /// Makes a timeline that begins at `start`, for WAL of a compute.
  ///
  /// The form of the body is one that was tried: on others, a safekeeper ends the call without an
  /// answer and keeps the timeline half made. If there is one, nothing changes, whatever the body says.
  package func creationCall(
    _ timeline: Identifier, of tenant: Identifier, version: Int, start: LogSequenceNumber,
    members: [Member]
  ) -> ServiceCall {
    let list = members.map {
      #"{"id":\#($0.id),"host":"\#($0.host)","pg_port":\#($0.port)}"#
    }.joined(separator: ",")
    return ServiceCall(
      .post, url, "/v1/tenant/timeline",
      body: #"{"tenant_id":"\#(tenant)","timeline_id":"\#(timeline)","#
        + #""mconf":{"generation":1,"members":[\#(list)],"new_members":null},"#
        + #""pg_version":\#(version * 10_000),"system_id":null,"wal_seg_size":null,"#
        + #""start_lsn":"\#(start)","commit_lsn":null}"#)
  }

  /// Makes that call.
  package func perform(_ call: ServiceCall) throws(Failure) -> ServiceAnswer {
    try client.send(call)
  }
}

/// A timeline on a safekeeper.
package struct SafekeeperTimeline: Decodable, Sendable {
  private struct Configuration: Decodable {
    struct Member: Decodable {
      var id: Int
      var pg_port: Int
    }
    var members: [Member]
  }

  private struct Server: Decodable { var pg_version: Int }

  private var mconf: Configuration
  private var pg_info: Server
  private var timeline_start_lsn: LogSequenceNumber

  /// The LSN that its WAL begins at.
  package var startLSN: LogSequenceNumber { timeline_start_lsn }
  /// The major version of Postgres.
  package var postgresVersion: Int { pg_info.pg_version / 10_000 }
  /// The ids of the safekeepers that it is on.
  package var memberIDs: Set<Int> { Set(mconf.members.map(\.id)) }

  /// The port for WAL of one of them, as they were told when the timeline was made; nil for another one.
  package func port(ofMember id: Int) -> Int? { mconf.members.first { $0.id == id }?.pg_port }
}
