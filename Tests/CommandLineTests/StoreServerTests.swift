import Foundation
import TestSupport
import Testing

/// Goal: timelines in real object stores are read as those on disk. Method: a timeline that was imported
/// to disk, copied to each of the servers with curl's own signatures; every command says of the copy
/// what it says of the original.
@Suite(
  .enabled(if: StoreServer.areInstalled, "'make deps stores' installs the servers"), .serialized)
struct StoreServerTests {
  private static let stores: [StoreServer.Kind] = [.ceph, .juicefs]
  private static let place = "s3://pageserver/\(StoredTimeline.path)"

  @Test(arguments: stores) func sameAsOnDisk(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let timeline = try await StoredTimeline.shared.value
    try server.upload(timeline.directory, to: "pageserver")
    let commands = [
      ["list"], ["verify", "--json"], ["verify", "--receipt", timeline.receipt],
      ["verify", "--against", StoredTimeline.backup], ["inspect"], ["inspect", "--layer", "1"],
      ["inspect", "--svg-layers", "-"],
    ]
    for command in commands {
      let isList = command[0] == "list"
      let (disk, store) =
        isList ? (timeline.directory, "s3://pageserver") : (timeline.timeline, Self.place)
      let expected = try await ProgramRun.run(command + [disk])
      let run = try await ProgramRun.run(command + [store], environment: server.environment)
      #expect(expected.exitCode == 0 && run.exitCode == 0, "\(command): \(run.error)")
      #expect(
        run.text(replacing: store, with: disk) == expected.text(replacing: "\n\n", with: "\n\n"),
        "\(command)")
    }
  }

  /// Method: every byte of the tar.
  @Test(arguments: stores) func exports(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let timeline = try await StoredTimeline.shared.value
    try server.upload(timeline.directory, to: "export")
    let expected = try await ProgramRun.run(["export", timeline.timeline, "--quiet"])
    let run = try await ProgramRun.run(
      ["export", "s3://export/\(StoredTimeline.path)", "--quiet"], environment: server.environment)
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.output == expected.output)
    #expect(run.output.count > 1 << 20)
  }

  /// Goal: the shards of a tenant are read as one. Method: the same, of three shards, by the path of the
  /// tenant; every byte of the tar.
  @Test(arguments: stores) func shards(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let imported = try await ProgramRun.run([
      StoredTimeline.backup, "--output", output, "--tenant-id", StoredTimeline.tenantID,
      "--timeline-id", StoredTimeline.timelineID, "--shards", "3", "--stripe-size", "8", "--quiet",
    ])
    try #require(imported.exitCode == 0, "\(imported.error)")
    try server.upload(output, to: "shards")
    let disk = "\(output)/tenants/\(StoredTimeline.tenantID)"
    let store = "s3://shards/tenants/\(StoredTimeline.tenantID)"
    let receipt =
      "\(output)/receipts/\(StoredTimeline.tenantID)-\(StoredTimeline.timelineID)-00000001.json"
    for command in [
      ["list"], ["verify", "--json"], ["verify", "--receipt", receipt],
      ["verify", "--against", StoredTimeline.backup], ["inspect"], ["export", "--quiet"],
    ] {
      let expected = try await ProgramRun.run(command + [disk])
      let run = try await ProgramRun.run(command + [store], environment: server.environment)
      #expect(expected.exitCode == 0 && run.exitCode == 0, "\(command): \(run.error)")
      if command[0] == "export" {
        #expect(run.output == expected.output)
      } else {
        #expect(
          run.text(replacing: store, with: disk) == expected.text(replacing: store, with: disk))
      }
    }
  }

  /// Goal: each refusal of a real server has its code. Method: wrong keys, buckets and places.
  @Test(arguments: stores) func refusals(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let timeline = try await StoredTimeline.shared.value
    try server.upload(timeline.directory + "/receipts", to: "receipts")
    let cases: [([String: String], String, Int32, String)] = [
      (["AWS_SECRET_ACCESS_KEY": "wrong"], "s3://receipts", 77, "[credentials-refused]"),
      (["AWS_ACCESS_KEY_ID": "unknown"], "s3://receipts", 77, "[credentials-refused]"),
      ([:], "s3://no-such-bucket/a", 66, "[bucket-not-found]"),
      ([:], "s3://receipts/a", 66, "[not-a-timeline]"),
      ([:], "s3://receipts", 66, "[not-a-timeline]"),
    ]
    for (variables, place, code, word) in cases {
      let run = try await ProgramRun.run(
        ["verify", place], environment: server.environment.merging(variables) { $1 })
      #expect(run.exitCode == code, "\(place) \(variables): \(run.error)")
      #expect(run.error.contains(word), "\(place) \(variables): \(run.error)")
      #expect(!run.error.contains("testsecret0"))
    }
    let list = try await ProgramRun.run(["list", "s3://receipts"], environment: server.environment)
    #expect(list.exitCode == 0, "\(list.error)")
  }

  /// Goal: a listing of several pages is whole. Method: 1,100 keys, names with odd characters among them,
  /// where a tenant should be.
  @Test(arguments: stores) func longListings(kind: StoreServer.Kind) async throws {
    let server = try await StoreServer.shared(kind)
    let timeline = try await StoredTimeline.shared.value
    let directory = try TemporaryDirectory(inMemory: true)
    _ = try Shell.output(
      "bash", "-c",
      """
      mkdir -p \(StoredTimeline.path) && cp '\(timeline.timeline)'/index_part* \(StoredTimeline.path)
      for i in $(seq 1100); do echo > \(StoredTimeline.path)/extra-$i; done
      """, directory: directory.path)
    try server.upload(directory.path, to: "long")
    let run = try await ProgramRun.run(
      ["list", "--json", "s3://long"], environment: server.environment)
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(run.outputText.contains(#""code":"other-file","fileCount":1100"#))
  }

  /// Goal: only a certificate of a trusted authority is good enough. Method: a server with one of an
  /// authority that nobody knows, without that and with it, by its own name and by another.
  @Test func certificates() async throws {
    let server = try await StoreServer.shared(.motoTLS)
    var environment = server.environment
    environment["AWS_ENDPOINT_URL_S3"] = ""
    let cases = [
      (server.url, [], "[certificate-refused]"),
      (server.url, ["--ca-bundle", server.authority], "[bucket-not-found]"),
      (
        server.url.replacing("127.0.0.1", with: "localhost"), ["--ca-bundle", server.authority],
        "[certificate-refused]"
      ),
      (server.url, ["--ca-bundle", "/no/such/file"], "[certificate-refused]"),
    ]
    for (url, options, word) in cases {
      let run = try await ProgramRun.run(
        ["list", "s3://no-bucket-here", "--endpoint-url", url] + options, environment: environment)
      #expect(run.error.contains(word), "\(url) \(options): \(run.error)")
    }
    let plain = try await StoreServer.shared(.moto)
    let run = try await ProgramRun.run(
      [
        "list", "s3://no-bucket-here", "--endpoint-url",
        plain.url.replacing("http:", with: "https:"),
      ], environment: environment)
    #expect(run.error.contains("give its URL with http://"), "\(run.error)")
    environment["AWS_CA_BUNDLE"] = server.authority
    let trusting = try await ProgramRun.run(
      ["list", "s3://no-bucket-here", "--endpoint-url", server.url], environment: environment)
    #expect(trusting.error.contains("[bucket-not-found]"), "\(trusting.error)")
  }

  // MARK: Credentials

  /// Method: the services that moto imitates, asked by the program; the store is one that checks no
  /// signatures, but keeps the ids of the keys.
  @Test(arguments: [
    (["AWS_EC2_METADATA_DISABLED": "false"], "test-key"),
    (["AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader"], "ASIA"),
  ])
  func services(variables: [String: String], keyID: String) async throws {
    let moto = try await StoreServer.shared(.moto)
    let store = TestStore([:])
    let server = try TestServer { store.answer($0) }
    let directory = try TemporaryDirectory()
    let token = directory.path + "/token"
    try "a-token".write(toFile: token, atomically: false, encoding: .utf8)
    var environment = TestStore.environment(server.url, keyID: "", secretKey: "")
    environment["AWS_ENDPOINT_URL_STS"] = moto.url
    environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = moto.url
    environment.merge(variables) { $1 }
    if variables["AWS_ROLE_ARN"] != nil { environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = token }
    let run = try await ProgramRun.run(
      ["list", "s3://\(TestStore.bucket)"], environment: environment)
    #expect(run.exitCode == 0, "\(run.error)")
    let request = try #require(server.received.first)
    #expect(request.headers["authorization"]?.contains("Credential=\(keyID)") == true)
    #expect(request.headers["x-amz-security-token"] != nil)
  }
}
