import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: whatever a store does at whichever request, an import ends with a timeline that is right, or with
/// the right exit code and none. Method: a server within the test that has one fault.
@Suite(.serialized) struct StoreFaultTests {
  private enum Fault: CaseIterable {
    /// 503 before the body is read, and after.
    case busyBefore, busyAfter
    /// The connection is reset in the body, or when the request has been done.
    case resetBefore, resetAfter
    /// Half an answer.
    case short
    /// 403, at once and for this request alone.
    case denied
  }

  /// A server with a fault at one request, and a count of them.
  private static func server(
    _ store: WritableStore, _ fault: Fault?, at number: Int
  ) throws -> TestServer {
    let next = Atomic<Int>(0)
    let current = Mutex<[String: Int]>([:])
    return try TestServer(early: { request in
      // A request gets its number once, when its header has come.
      let place = next.add(1, ordering: .relaxed).oldValue
      current.withLock { $0[request.method + request.path] = place }
      guard place == number, let fault else { return .none }
      return switch fault {
      case .busyBefore: .answer(TestStore.error(503, "SlowDown"))
      case .resetBefore: .reset
      default: .none
      }
    }) { request in
      let isHere = current.withLock { $0[request.method + request.path] } == number
      guard isHere, let fault else { return store.answer(request) }
      switch fault {
      case .busyBefore, .resetBefore: return store.answer(request)
      case .busyAfter: return TestStore.error(503, "SlowDown")
      case .resetAfter:
        _ = store.answer(request)
        return .cut(status: 200, body: [1, 2, 3], after: 0, reset: true)
      case .short:
        _ = store.answer(request)
        return .cut(status: 200, body: [1, 2, 3], after: 1, reset: false)
      case .denied: return TestStore.error(403, "AccessDenied")
      }
    }
  }

  @Test func atEveryRequest() async throws {
    let expected = try await StoreScene.expected()
    let counted = try StoreScene()
    let server = try Self.server(counted.store, nil, at: -1)
    let undisturbed = try await counted.run(server)
    try #require(undisturbed.exitCode == 0, "\(undisturbed.error)")
    #expect(counted.timeline == expected)
    let count = server.received.count
    #expect(count > 15)
    let cases = (0..<count).flatMap { number in Fault.allCases.map { (number, $0) } }
    try await inParallel(cases) { number, fault in
      let scene = try StoreScene()
      let run = try await scene.run(try Self.server(scene.store, fault, at: number))
      let comment = "\(fault) at request \(number): \(run.error)"
      #expect(!run.wasKilled, "\(comment)")
      if fault == .denied {
        // Also without what is done once the timeline is complete.
        let codes: [Int32?] = scene.timeline[Scene.index] == nil ? [77] : [0, 74, 77]
        #expect(codes.contains(run.exitCode), "\(comment)")
      } else {
        #expect(run.exitCode == 0, "\(comment)")
      }
      if run.exitCode == 0 {
        #expect(scene.timeline == expected, "\(comment)")
      } else {
        try await scene.checkRemains(comment)
      }
    }
  }

  /// Goal: a killed import leaves no index or a whole timeline, and the next one completes it. Method:
  /// SIGKILL at each request, before it is done and after.
  @Test func killedAtEveryRequest() async throws {
    let counted = try StoreScene()
    let server = try Self.server(counted.store, nil, at: -1)
    _ = try await counted.run(server)
    let cases = (0..<server.received.count).flatMap { [($0, true), ($0, false)] }
    try await inParallel(cases) { number, isBefore in
      let scene = try StoreScene()
      let process = Atomic<Int32>(0)
      let next = Atomic<Int>(0)
      let server = try TestServer { request in
        let isHere = next.add(1, ordering: .relaxed).oldValue == number
        let reply = isHere && isBefore ? .silence : scene.store.answer(request)
        if isHere { kill(process.load(ordering: .relaxed), SIGKILL) }
        return reply
      }
      let run = try await scene.run(server) { process.store($0, ordering: .relaxed) }
      #expect(run.signal == SIGKILL || run.exitCode == 0, "\(run.error)")
      try await scene.checkRemains("killed at request \(number), before it: \(isBefore)")
    }
  }

  /// Method: at random moments; 10 of them, 100 with `IMPORT_BACKUP_SOAK`. The server takes its time, so that most
  /// come before the end.
  @Test func killedAtAnyMoment() async throws {
    var generator = SeededGenerator(state: 11)
    let moments = (0..<(Soak.isOn ? 100 : 10)).map { _ in
      Int.random(in: 0..<400_000, using: &generator)
    }
    let killCount = Mutex(0)
    try await inParallel(moments) { microseconds in
      let scene = try StoreScene()
      let server = try TestServer { request in
        // After it is done: what was done later would be found by the next import in the middle of its own.
        defer { usleep(15_000) }
        return scene.store.answer(request)
      }
      let run = try await scene.run(server, timeLimit: .microseconds(microseconds))
      if run.wasKilled { killCount.withLock { $0 += 1 } }
      try await scene.checkRemains("killed after \(microseconds) µs")
    }
    #expect(killCount.withLock { $0 } > 0, "every import ended before it was killed")
  }

  /// Goal: of several imports of one timeline at once, one wins and the others notice. Method: three, ten
  /// times.
  @Test func severalAtOnce() async throws {
    let expected = try await StoreScene.expected()
    for round in 1...10 {
      let scene = try StoreScene()
      let server = try TestServer { scene.store.answer($0) }
      let codes = try await withThrowingTaskGroup(of: Int32?.self) { group in
        for _ in 1...3 { group.addTask { try await scene.run(server).exitCode } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(codes.count { $0 == 0 } == 1, "round \(round): \(codes)")
      #expect(codes.allSatisfy { $0 == 0 || $0 == 2 }, "round \(round): \(codes)")
      #expect(scene.timeline == expected, "round \(round)")
    }
  }

  /// Goal: what waits in the scratch directory is bounded by the number of uploads. Method: 58 layers of
  /// 1 MiB through a file system for 3 of them and the spools, to a store that is slow.
  @Test(.enabled(if: FileSystemOfItsOwn.isAllowed, "mounting a tmpfs is not allowed here"))
  func scratchIsBounded() async throws {
    let directory = try TemporaryDirectory()
    let scratch = directory.path + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
    let store = WritableStore()
    let server = try TestServer { request in
      if request.body.count > 4096 { usleep(30_000) }
      return store.answer(request)
    }
    let run = try await ProgramRun.run(
      [
        Fixture.path("clean-15.tar.zst"), "--output", "s3://\(TestStore.bucket)", "--scratch",
        scratch, "--uploads", "2", "--compression-level", "0", "--chunk-size", "1M",
        "--image-layer-size", "1M", "--small-relation-size", "64K", "--layout", "fake-l0",
        "--quiet",
      ],
      script: FileSystemOfItsOwn.script(
        """
        mount -t tmpfs -o size=6m tmpfs '\(scratch)' || exit 99
        "$@"
        """), environment: TestStore.environment(server.url))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(store.objects.values.reduce(0) { $0 + $1.count } > 50 << 20)
  }

  /// Goal: a full scratch directory says by which option another one is chosen. Method: one of 64 KiB.
  @Test(.enabled(if: FileSystemOfItsOwn.isAllowed, "mounting a tmpfs is not allowed here"))
  func fullScratch() async throws {
    let scene = try Scene(SmallBackup.tar.encoded())
    let scratch = scene.directory.path + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
    let store = WritableStore()
    let server = try TestServer { store.answer($0) }
    let run = try await ProgramRun.run(
      [
        scene.backup, "--output", "s3://\(TestStore.bucket)", "--scratch", scratch,
        "--compression-level", "0",
      ],
      script: FileSystemOfItsOwn.script(
        """
        mount -t tmpfs -o size=64k tmpfs '\(scratch)' || exit 99
        "$@"
        """), environment: TestStore.environment(server.url))
    #expect(run.exitCode == 74, "\(run.error)")
    #expect(
      run.error.contains(
        "\nhint: Free space there, or choose another directory with '--scratch'."), "\(run.error)")
  }

  /// Goal: what an import replaces and cannot remove is a warning that says how to. Method: DELETE is
  /// forbidden but for what the store is tried with.
  @Test func notRemoved() async throws {
    let scene = try StoreScene()
    #expect(try await scene.run().exitCode == 0)
    let server = try TestServer { request in
      request.method == "DELETE" && !request.path.contains("import-probe-")
        ? TestStore.error(403, "AccessDenied") : scene.store.answer(request)
    }
    let run = try await scene.run(server, ["--force", "--generation", "2"])
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(run.error.contains("warning: the timeline is complete, but what it replaces"))
    #expect(
      run.error.contains(
        "'import-backup list s3://\(TestStore.bucket)/pre' shows what no index names"),
      "\(run.error)")
  }
}
