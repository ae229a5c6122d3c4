import Foundation
import Synchronization
import TestSupport
import Testing

/// An import into a bucket within the test, of the same backup and with the same settings as `Scene`.
final class StoreScene: Sendable {
  let scene: Scene
  let store: WritableStore
  static let prefix = "pre/"
  static let index = prefix + Scene.index

  init(_ store: TestStore = TestStore([:])) throws {
    scene = try Scene()
    self.store = WritableStore(store)
  }

  /// Imports to a server.
  func run(
    _ server: TestServer, _ more: [String] = [], timeLimit: Duration = .seconds(60),
    started: (@Sendable (Int32) -> Void)? = nil
  ) async throws -> ProgramRun {
    let words = scene.arguments(["--scratch", scene.directory.path] + more)
      .map { $0 == scene.output ? "s3://\(TestStore.bucket)/pre" : $0 }
    return try await ProgramRun.run(
      words, environment: TestStore.environment(server.url), timeLimit: timeLimit,
      started: started)
  }

  /// Imports to a server without faults.
  func run(_ more: [String] = []) async throws -> ProgramRun {
    let server = try TestServer { [store] in store.answer($0) }
    return try await run(server, more)
  }

  /// The objects but for receipts, by the names of files on disk.
  var timeline: [String: [UInt8]] {
    let all = store.objects.map { (String($0.key.dropFirst(Self.prefix.count)), $0.value) }
    return Dictionary(uniqueKeysWithValues: all).withoutReceipts
  }

  /// What an import to disk writes, without the receipts.
  static func expected() async throws -> [String: [UInt8]] {
    try await Scene.expected.value.withoutReceipts
  }

  /// Checks that there is no index or a whole timeline, has an import complete it, and checks that.
  func checkRemains(_ comment: String) async throws {
    let expected = try await Self.expected()
    let remains = timeline
    let isComplete = remains[Scene.index] != nil
    if isComplete {
      for (name, bytes) in expected {
        #expect(remains[name] == bytes, "\(comment): \(name) differs or is missing")
      }
    }
    let again = try await run()
    #expect(again.exitCode == (isComplete ? 2 : 0), "\(comment), and again: \(again.error)")
    if !isComplete {
      #expect(timeline == expected, "\(comment), and again, is another timeline")
      #expect(store.objects.keys.contains(Self.prefix + Scene.receipt), "\(comment)")
    }
    let scratch = try FileManager.default.contentsOfDirectory(atPath: scene.directory.path)
    #expect(scratch == ["backup.tar"], "\(comment): \(scratch)")
  }
}
