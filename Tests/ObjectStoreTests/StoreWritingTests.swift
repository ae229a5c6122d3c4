import HTTP
import PostgresFormat
import Synchronization
import System
import TestSupport
import Testing

@testable import ObjectStore

/// Goal: an object is written once and whole, whatever the server does meanwhile. Method: a server that
/// answers as it is told, and what its bucket holds then.
@Suite struct StoreWritingTests {
  private static let contents = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
  private static let hash: String = {
    var sum = SHA2(.sha256)
    sum.update(contents.bytes)
    return sum.value.hexadecimal
  }()

  /// The contents in a file without a name, which come in pieces.
  private static func body() throws -> StoreBody {
    let file = try OutputFile(inMemory: "body")
    try file.write(contents.bytes, at: 0)
    return .file(file, byteCount: contents.count)
  }

  private static func put(_ client: StoreClient) throws -> PutResult {
    try client.put("key", try body(), sha256: hash, isConditional: true)
  }

  @Test func written() throws {
    let store = WritableStore()
    let server = try TestServer { store.answer($0) }
    let client = try StoreClientTests.client(server.url)
    guard case .stored(let tag) = try Self.put(client) else {
      Issue.record("it is not there")
      return
    }
    let status = try #require(try client.status(of: "key"))
    #expect(status.byteCount == 3_000_000 && status.sha256 == Self.hash)
    #expect(status.entityTag == tag && tag?.contains("\"") == false)
    #expect(try client.hash(of: "key", byteCount: 3_000_000) == Self.hash)
    guard case .exists = try Self.put(client) else {
      Issue.record("it was written again")
      return
    }
    #expect(store.objects["key"] == Self.contents)
    try client.remove("key")
    try client.remove("key")
    #expect(try client.status(of: "key") == nil && store.objects.isEmpty)
    #expect(server.received[0].headers["expect"] == "100-continue")
    #expect(server.received.allSatisfy { $0.headers["authorization"]?.isEmpty == false })
  }

  /// Goal: a store that takes a few bytes a second is given up. Method: more than the connection's buffers
  /// hold.
  @Test func trickle() throws {
    let server = try TestServer(early: { _ in .trickle }) { _ in .silence }
    let client = try StoreClientTests.client(server.url, attempts: 1, stall: .seconds(1))
    let body = StoreBody.bytes([UInt8](repeating: 0, count: 32 << 20))
    let error = #expect(throws: Failure.self) {
      _ = try client.put("key", body, sha256: Self.hash, isConditional: true)
    }
    #expect(error?.code == .connectionLost && error?.message.contains("too slow") == true)
  }

  /// Goal: a store that is away for a while is waited for. Method: more tries than reading has, without the
  /// usual waits.
  @Test func patient() throws {
    let store = WritableStore()
    let next = Atomic<Int>(0)
    let server = try TestServer { request in
      next.add(1, ordering: .relaxed).oldValue < 20
        ? TestStore.error(503, "SlowDown") : store.answer(request)
    }
    var policy = RetryPolicy.patient
    policy.longestDelay = .milliseconds(1)
    let client = try StoreClientTests.client(server.url).with(policy)
    guard case .stored = try Self.put(client) else {
      Issue.record("it is not there")
      return
    }
    #expect(store.objects["key"] == Self.contents)
  }

  enum Fault: CaseIterable {
    case noConsent, busyBefore, busyAfter, refusedBefore, resetBefore, resetAfter, hang
  }

  /// Goal: a fault of one request is no fault of the write. Method: each, once.
  @Test(arguments: Fault.allCases) func once(fault: Fault) throws {
    let store = WritableStore()
    let next = Atomic<Int>(0)
    let server = try TestServer(early: { _ in
      guard next.add(1, ordering: .relaxed).oldValue == 0 else { return .none }
      return switch fault {
      case .noConsent: .noConsent
      case .busyBefore: .answer(TestStore.error(503, "SlowDown"))
      case .refusedBefore: .answer(TestStore.error(400, "RequestTimeout"))
      case .resetBefore: .reset
      case .hang: .hang
      case .busyAfter, .resetAfter: .none
      }
    }) { request in
      guard next.load(ordering: .relaxed) == 1 else { return store.answer(request) }
      switch fault {
      case .busyAfter: return TestStore.error(503, "SlowDown")
      case .resetAfter:
        _ = store.answer(request)
        return .cut(status: 200, body: [1], after: 0, reset: true)
      default: return store.answer(request)
      }
    }
    let client = try StoreClientTests.client(server.url, stall: .seconds(1))
    let result = try Self.put(client)
    switch result {
    // Its own first try.
    case .exists: #expect(fault == .resetAfter)
    case .stored: #expect(fault != .resetAfter)
    case .unsupported: Issue.record("it has conditions")
    }
    #expect(store.objects["key"] == Self.contents)
  }

  /// Goal: what cannot be written is said in the words of a write. Method: a table.
  @Test func refused() throws {
    let cases: [(TestServer.Reply, ErrorCode, String)] = [
      (
        TestStore.error(403, "AccessDenied"), .storeAccessDenied,
        "cannot write 's3://timelines/key'"
      ),
      (TestStore.error(400, "XAmzContentSHA256Mismatch"), .storeFailed, "SHA256Mismatch"),
      (TestStore.error(404, "NoSuchBucket"), .bucketNotFound, "does not exist"),
      (TestStore.error(503, "SlowDown"), .storeBusy, "(after 4 attempts)"),
    ]
    for (reply, code, words) in cases {
      let server = try TestServer { _ in reply }
      let client = try StoreClientTests.client(server.url)
      let error = #expect(throws: Failure.self) { try Self.put(client) }
      #expect(error?.code == code, "\(error?.message ?? "")")
      #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
    let server = try TestServer { _ in TestStore.error(501, "NotImplemented") }
    guard case .unsupported = try Self.put(try StoreClientTests.client(server.url)) else {
      Issue.record("it has no conditions")
      return
    }
  }

  /// Goal: a staged file that is shorter than it was is an error of its own, at once. Method: half of it.
  @Test func shortened() throws {
    let store = WritableStore()
    let server = try TestServer { store.answer($0) }
    let client = try StoreClientTests.client(server.url)
    let file = try OutputFile(inMemory: "body")
    try file.write(Array(Self.contents.prefix(1_500_000)).bytes, at: 0)
    let error = #expect(throws: Failure.self) {
      try client.put(
        "key", .file(file, byteCount: Self.contents.count), sha256: Self.hash, isConditional: true)
    }
    #expect(error?.code == .writtenDataChanged, "\(error?.message ?? "")")
    #expect(store.objects.isEmpty)
  }
}
