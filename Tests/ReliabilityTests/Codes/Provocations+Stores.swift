import Foundation
import PostgresFormat
import TestSupport

extension Provocation {
  /// What object stores answer, each from a server within the test.
  static let stores: [Provocation] = [
    .init(.libraryMissing) { scene in
      _ = try scene.file("libcurl.so.4", Array("no library".utf8))
      return try await scene.listing(
        "http://127.0.0.1:1", environment: ["LD_LIBRARY_PATH": scene.path])
    },
    .init(.serverUnreachable) { scene in
      var server: TestServer? = try TestServer { _ in .silence }
      let url = server?.url ?? ""
      server = nil
      return try await scene.listing(url)
    },
    .init(.connectionLost) { scene in
      try await scene.listing { _ in .cut(status: 200, body: [1, 2, 3], after: 1, reset: false) }
    },
    .init(.certificateRefused) { scene in
      let server = try TestServer { _ in .silence }
      return try await scene.listing(server.url, ["--ca-bundle", "/dev/null"], scheme: "https")
    },
    .init(.serverFailed) {
      let tooLong = [UInt8](repeating: 0x20, count: 17 << 20)
      return try await $0.listing { _ in .answer(status: 200, body: tooLong) }
    },
    .init(.storeFailed) { try await $0.listing { _ in .answer(status: 418) } },
    .init(.storeBusy) { try await $0.listing { _ in TestStore.error(503, "SlowDown") } },
    .init(.bucketNotFound) { try await $0.listing { _ in TestStore.error(404, "NoSuchBucket") } },
    .init(.wrongRegion) {
      try await $0.listing { _ in
        TestStore.error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")
      }
    },
    .init(.clockSkew) {
      try await $0.listing { _ in TestStore.error(403, "RequestTimeTooSkewed") }
    },
    .init(.credentialsMissing) { scene in
      let server = try TestServer { _ in .silence }
      return try await scene.listing(
        server.url, environment: ["AWS_ACCESS_KEY_ID": ""])
    },
    .init(.credentialsRefused) {
      try await $0.listing { _ in TestStore.error(403, "InvalidAccessKeyId") }
    },
    .init(.storeAccessDenied) {
      try await $0.listing { _ in TestStore.error(403, "AccessDenied") }
    },
    .init(.storeUnsuitable) { scene in
      var bucket = TestStore([:])
      bucket.givesTags = false
      return try await scene.importing(to: WritableStore(bucket))
    },
    .init(.layerOfOtherRun) { scene in
      let store = WritableStore()
      return try await scene.importing(to: store) { request in
        if request.method == "PUT", request.path.contains("tenant-manifest") {
          store.change { bucket in bucket.objects = [:] }
        }
      }
    },
    .init(.generationTooLow) { scene in
      let store = WritableStore()
      _ = try await scene.importing(to: store)
      return try await scene.importing(to: store, ["--force"])
    },
  ]
}

extension CodeScene {
  /// Imports to a bucket, and does something at each request.
  fileprivate func importing(
    to store: WritableStore, _ more: [String] = [],
    _ body: @escaping @Sendable (TestServer.Request) -> Void = { _ in }
  ) async throws -> ProgramRun {
    let server = try TestServer { request in
      let reply = store.answer(request)
      body(request)
      return reply
    }
    _ = try file("backup.tar", SmallBackup.tiny.encoded())
    return try await ProgramRun.run(
      [
        backup, "--output", "s3://\(TestStore.bucket)", "--json", "--tenant-id", Scene.tenantID,
        "--timeline-id", Scene.timelineID, "--scratch", path,
      ] + more, environment: TestStore.environment(server.url), directory: path)
  }

  /// Lists a bucket of a server that answers like this.
  fileprivate func listing(_ handler: @escaping TestServer.Handler) async throws -> ProgramRun {
    let server = try TestServer(handler)
    return try await listing(server.url)
  }

  /// Lists a bucket of a server at this URL.
  fileprivate func listing(
    _ url: String, _ more: [String] = [], scheme: String = "http",
    environment: [String: String] = [:]
  ) async throws -> ProgramRun {
    let variables = TestStore.environment(url.replacing("http", with: scheme))
    return try await ProgramRun.run(
      ["list", "s3://timelines", "--json"] + more,
      environment: variables.merging(environment) { $1 }, directory: path)
  }
}
