import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: commands read timelines from an object store, and say in plain words why not. Method: the built
/// program, and a server within the test that holds a real timeline.
@Suite struct StoreCommandTests {
  private static func environment(_ server: TestServer) -> [String: String] {
    TestStore.environment(server.url).merging(["AWS_SESSION_TOKEN": "the-token"]) { $1 }
  }

  private static func store() async throws -> TestStore {
    TestStore(try await StoredTimeline.shared.value.files())
  }

  private static let place = "s3://\(TestStore.bucket)/\(StoredTimeline.path)"

  /// Method: every command, whose object fits the schema (`ProgramRun` checks it) and is the one of the
  /// original on disk.
  @Test(arguments: [["verify"], ["inspect"], ["verify", "--receipt", "RECEIPT"], ["list"]])
  func objects(command: [String]) async throws {
    let timeline = try await StoredTimeline.shared.value
    let store = try await Self.store()
    let server = try TestServer { store.answer($0) }
    let words = command.map { $0 == "RECEIPT" ? timeline.receipt : $0 } + ["--json"]
    let isList = command == ["list"]
    let disk = isList ? timeline.directory : timeline.timeline
    let stored = isList ? "s3://\(TestStore.bucket)" : Self.place
    let expected = try await ProgramRun.run(words + [disk])
    let run = try await ProgramRun.run(words + [stored], environment: Self.environment(server))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(
      run.text(replacing: stored, with: disk) == expected.text(replacing: "\n\n", with: "\n\n"))
    #expect(run.outputText.contains(stored))
    #expect(server.received.allSatisfy { $0.headers["x-amz-security-token"] == "the-token" })
  }

  @Test func exports() async throws {
    let timeline = try await StoredTimeline.shared.value
    let store = try await Self.store()
    let server = try TestServer { store.answer($0) }
    let expected = try await ProgramRun.run(["export", timeline.timeline, "--quiet"])
    let run = try await ProgramRun.run(
      ["export", Self.place, "--quiet", "--endpoint-url", server.url, "--region", "eu-x-1"],
      environment: Self.environment(server).merging(["AWS_ENDPOINT_URL_S3": ""]) { $1 })
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.output == expected.output)
    let request = try #require(server.received.first)
    #expect(request.headers["authorization"]?.contains("/eu-x-1/s3/aws4_request") == true)
  }

  /// Goal: `list` begins where it is told to, and notes what does not belong there. Method: the places from
  /// the bucket down to the timeline, among other keys.
  @Test func listing() async throws {
    var store = try await Self.store()
    store.objects["tenants/" + StoredTimeline.tenantID + "/tenant-manifest-00000001.json"] = [1]
    store.objects["tenants/not-a-tenant/timelines/x/y"] = [1]
    store.objects["tenants/not-a-tenant/timelines/x/z"] = [1]
    store.objects[StoredTimeline.path + "/stray"] = [1, 2, 3]
    store.objects[StoredTimeline.path + "/"] = []
    for name in ["0", "dir/a", "dir/b/c", "zzz"] {
      store.objects[StoredTimeline.path + "/" + name] = [1]
    }
    store.objects["other/file"] = [1]
    store.pageSize = 3
    let server = try TestServer { [store] in store.answer($0) }
    let parts = StoredTimeline.path.split(separator: "/").map(String.init)
    for depth in 0...parts.count {
      let place = (["s3:/", TestStore.bucket] + parts.prefix(depth)).joined(separator: "/")
      let run = try await ProgramRun.run(
        ["list", place + "/"], environment: Self.environment(server))
      #expect(run.exitCode == 0, "\(place): \(run.error)")
      #expect(run.outputText.contains("tenant \(StoredTimeline.tenantID)"), "\(place)")
      #expect(run.outputText.contains("\(StoredTimeline.timelineID)  complete  15"), "\(place)")
      let count = run.outputText.components(separatedBy: StoredTimeline.timelineID).count - 1
      #expect(count == 1, "\(run.outputText)")
      let isSkipped = run.error.contains("not-a-tenant")
      #expect(isSkipped == (depth < 2), "\(place): \(run.error)")
    }
    let none = try await ProgramRun.run(
      ["list", "s3://\(TestStore.bucket)/other"], environment: Self.environment(server))
    #expect(none.exitCode == 0)
  }

  /// Method: objects that are missing, cut off, or of another size.
  @Test func damaged() async throws {
    let whole = try await Self.store()
    let layer = try #require(
      whole.objects.keys.filter { $0.contains("__") }.min { $0.utf8.count < $1.utf8.count })
    let index = StoredTimeline.path + "/index_part.json-00000001"
    let cases: [(String, [UInt8]?, Int32, String)] = [
      (layer, nil, 1, "[timeline-damaged]"),
      (layer, [], 1, "[timeline-damaged]"),
      (layer, Array(whole.objects[layer]?.dropLast(8192) ?? []), 1, "[timeline-damaged]"),
      (index, nil, 66, "[not-a-timeline]"),
      (index, [], 65, "[index-damaged]"),
      (index, Array("{}".utf8), 65, "[index-damaged]"),
    ]
    for (key, bytes, code, word) in cases {
      var store = whole
      store.objects[key] = bytes
      let server = try TestServer { [store] in store.answer($0) }
      let run = try await ProgramRun.run(
        ["verify", Self.place], environment: Self.environment(server))
      #expect(run.exitCode == code && run.error.contains(word), "\(key): \(run.error)")
    }
  }

  /// Goal: faults at any request end in a result that is right, or in the right exit code. Method: count
  /// the requests of a verification; then, at each in turn, a fault that passes and one that does not.
  @Test func faultsAtEveryRequest() async throws {
    let store = try await Self.store()
    let counted = try TestServer { store.answer($0) }
    let words = ["verify", Self.place, "--quiet"]
    let expected = try await ProgramRun.run(words, environment: Self.environment(counted))
    try #require(expected.exitCode == 0, "\(expected.error)")
    let count = counted.received.count
    #expect(count > 5)
    let faults: [(TestServer.Reply, Int32)] = [
      (TestStore.error(503, "SlowDown"), 0),
      (.cut(status: 206, body: [1, 2, 3], after: 1, reset: true), 0),
      (TestStore.error(403, "AccessDenied"), 77),
      (.answer(status: 206, headers: ["Content-Range": "bytes 0-2/3"], body: [1, 2]), 74),
    ]
    for number in 0..<count {
      for (fault, code) in faults {
        let next = Atomic<Int>(0)
        let server = try TestServer { request in
          next.add(1, ordering: .relaxed).oldValue == number ? fault : store.answer(request)
        }
        let run = try await ProgramRun.run(words, environment: Self.environment(server))
        #expect(run.exitCode == code, "request \(number): \(run.error)")
        if code == 0 {
          #expect(
            run.text(replacing: "\n\n", with: "\n\n")
              == expected.text(replacing: "\n\n", with: "\n\n"))
        }
      }
    }
  }

  /// Goal: the program says nothing of its keys, whatever goes wrong. Method: a server that gives back what
  /// it got, as some do.
  @Test func secrets() async throws {
    let server = try TestServer { request in
      let told = request.headers.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        .replacing("<", with: "")
      return TestStore.error(403, "SignatureDoesNotMatch", message: "the-secret \(told)")
    }
    for options in [[], ["--json"], ["--progress", "json"]] {
      let run = try await ProgramRun.run(
        ["verify", Self.place] + options, environment: Self.environment(server))
      #expect(run.exitCode == 77)
      #expect(run.error.contains("x-amz-security-token=(secret)"), "\(run.error)")
      #expect(!(run.outputText + run.error).contains("the-secret"))
      #expect(!(run.outputText + run.error).contains("the-token"))
    }
  }

  /// Goal: a signal ends a request, and a crash would leave no image of the keys. Method: a store that does
  /// not answer; what the system says of the process's limits meanwhile.
  @Test func interrupted() async throws {
    let server = try TestServer { _ in .silence }
    let limits = Mutex("")
    let run = try await ProgramRun.run(
      ["verify", Self.place], environment: Self.environment(server)
    ) { process in
      DispatchQueue.global().async {
        while server.received.isEmpty { usleep(10_000) }
        let text = try? String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
        limits.withLock { $0 = text ?? "" }
        kill(process, SIGTERM)
      }
    }
    #expect(run.exitCode == 143, "\(run.error)")
    #expect(limits.withLock { $0.contains(/Max core file size +0 +0\b/) })
  }

  /// Goal: timelines below several prefixes are told apart, and sorted. Method: the same tenant below two, of
  /// which one comes before the other in the order of keys only, and a timeline without an index.
  @Test func prefixes() async throws {
    let files = try await Self.store().objects.filter { $0.key.hasPrefix("tenants/") }
    var store = TestStore([:])
    for (key, bytes) in files {
      store.objects["b/" + key] = bytes
      store.objects["b-x/" + key] = key.contains("/index_part") ? nil : bytes
    }
    let server = try TestServer { [store] in store.answer($0) }
    let place = "s3://\(TestStore.bucket)"
    let run = try await ProgramRun.run(["list", place], environment: Self.environment(server))
    #expect(run.exitCode == 0, "\(run.error)")
    let titles = run.outputText.split(separator: "\n").filter { $0.hasPrefix("tenant ") }
    #expect(
      titles == ["b", "b-x"].map { "tenant \(StoredTimeline.tenantID) in '\(place)/\($0)'" })
    #expect(run.outputText.contains("complete") && run.outputText.contains("unfinished"))
    #expect(run.error.contains("22 layers and no index"), "\(run.error)")
    let missing = try await ProgramRun.run(
      ["inspect", "\(place)/b/tenants/" + String(repeating: "f", count: 32)],
      environment: Self.environment(server))
    #expect(missing.exitCode == 66 && missing.error.contains("'import-backup list'"))
  }

  /// Method: URLs where they are not taken, and places with one slash.
  @Test(arguments: [
    (["export", "s3://a/b", "--output", "s3://c/d"], "Write to standard output, and pipe that"),
    (["export", "s3:/a/b"], "A bucket is given as s3://a/b"),
    (["verify", "out", "--receipt", "s3://a/b"], "A receipt is a local file"),
    (["publish", "s3:a"], "A bucket is given as s3://a"),
  ])
  func hints(words: [String], hint: String) async throws {
    let run = try await ProgramRun.run(words)
    #expect(run.exitCode == 64 && run.error.contains(hint), "\(run.error)")
  }

  /// Method: options of stores without one.
  @Test(arguments: ["verify", "inspect", "list", "export", "publish"])
  func optionsWithoutStore(command: String) async throws {
    let run = try await ProgramRun.run([command, "some/where", "--region", "x"])
    #expect(run.exitCode == 64)
    #expect(run.error.contains("[option-not-applicable]"))
  }
}
