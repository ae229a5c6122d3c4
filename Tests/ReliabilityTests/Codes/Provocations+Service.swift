import Foundation
import PostgresFormat
import TestSupport

extension Provocation {
  /// What a storage service answers, each from a server within the test.
  static let service: [Provocation] = [
    .init(.serviceUnavailable) { try await $0.attaching(["/control/v1/tenant/T": (503, "{}")]) },
    .init(.serviceNotReady) {
      try await $0.attaching(["/control/v1/tenant/T": (404, "{}"), "/control/v1/node": (200, "[]")])
    },
    .init(.serviceFailed) { try await $0.attaching(["/control/v1/tenant/T": (200, "[1]")]) },
    .init(.safekeepersMissing) { try await $0.attaching([:]) },
    .init(.tokenRefused) { try await $0.attaching(["/control/v1/tenant/T": (401, "{}")]) },
    .init(.notInRemoteStorage) {
      try await $0.attaching([
        "/control/v1/tenant/T": (404, "{}"), "/debug/v1/tenant/T/import": (404, "{}"),
      ])
    },
    .init(.notInService) { try await $0.attaching(command: "status", [:]) },
    .init(.timelineConflict) {
      try await $0.attaching(["/v1/tenant/T/timeline/L": (200, CodeScene.timeline(version: 14))])
    },
    .init(.shardConflict) {
      try await $0.attaching([
        "/debug/v1/tenant/T/locate": (
          200, #"{"shards":[],"shard_params":{"count":4,"stripe_size":2048}}"#
        )
      ])
    },
    .init(.generationConflict) {
      try await $0.attaching(
        to: "--pageserver",
        [
          "/control/v1/node": (404, "{}"),
          "/v1/tenant/T": (200, #"{"generation":0,"state":{"slug":"Active"},"timelines":["a"]}"#),
        ])
    },
    .init(.stripeSizeUnknown) { scene in
      try await scene.attaching([:]) { files in
        let tenant = files + "/tenants/" + Scene.tenantID
        for shard in ["-0002", "-0102"] { _ = try Shell.output("cp", "-r", tenant, tenant + shard) }
        _ = try Shell.output("bash", "-c", "rm -f \(tenant)*/tenant-manifest*")
      }
    },
  ]
}

extension CodeScene {
  /// What a pageserver says of the imported timeline.
  static func timeline(version: Int) -> String {
    #"{"last_record_lsn":"0/215AD68","initdb_lsn":"0/215ACF0","pg_version":\#(version),"#
      + #""state":"Active"}"#
  }

  /// What a service with the imported timeline answers that has no safekeepers, by path, with T for the
  /// tenant and L for the timeline.
  private static let usual = [
    "/control/v1/node": (200, #"[{"availability":"Active"}]"#),
    "/control/v1/tenant/T": (200, #"{"shards":[]}"#),
    "/debug/v1/tenant/T/locate": (
      200,
      #"{"shards":[{"shard_id":"T","node_id":1,"listen_pg_addr":"h","listen_pg_port":1,"#
        + #""listen_http_addr":"h","listen_http_port":1,"listen_https_port":null}],"#
        + #""shard_params":{"count":0,"stripe_size":2048}}"#
    ),
    "/v1/tenant/T/timeline/L": (200, timeline(version: 15)),
    "/v1/tenant/T/timeline": (201, "{}"),
  ]

  /// Takes the imported timeline into a service that answers as usual, but for these paths, and never a call
  /// of `unanswered`.
  func attaching(
    command: String = "attach", to server: String = "--controller", unanswered: String? = nil,
    _ answers: [String: (Int, String)],
    _ change: (_ files: String) throws -> Void = { _ in }
  ) async throws -> ProgramRun {
    try await imported()
    try change(output)
    let all = Self.usual.merging(answers) { $1 }
    let service = try TestServer { request in
      let path = request.path.replacing(Scene.tenantID, with: "T")
        .replacing(Scene.timelineID, with: "L")
      let (status, text) = all[path] ?? (404, "{}")
      let body = text.replacing("\"T\"", with: "\"\(Scene.tenantID)\"")
      if path == unanswered { return .silence }
      return .answer(status: status, body: Array(body.utf8))
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: output + "/tenants")
    return try await run(
      [
        command, "\(output)/tenants/\(names[0])", server, service.url,
      ] + (command == "attach" ? ["--wait", "0", "--call-timeout", "1"] : []))
  }
}
