import Foundation
import TestSupport
import Testing

/// A timeline of a real cluster that has been imported to a directory, to be copied to object stores.
final class StoredTimeline: Sendable {
  static let tenantID = "11111111111111111111111111111111"
  static let timelineID = "22222222222222222222222222222222"
  /// The path of the timeline's directory below DIR.
  static let path = "tenants/\(tenantID)/timelines/\(timelineID)"
  static let backup = Fixture.path("clean-15.tar.zst")

  private let temporary: TemporaryDirectory
  /// What was given as `--output`.
  var directory: String { temporary.path + "/out" }
  /// The directory of the timeline.
  var timeline: String { directory + "/" + Self.path }
  var receipt: String { "\(directory)/receipts/\(Self.tenantID)-\(Self.timelineID)-00000001.json" }

  /// The timeline that tests share, in layers of several kinds.
  static let shared = Task { try await StoredTimeline() }

  private init() async throws {
    temporary = try TemporaryDirectory()
    let run = try await ProgramRun.run([
      Self.backup, "--output", directory, "--tenant-id", Self.tenantID, "--timeline-id",
      Self.timelineID, "--small-relation-size", "512K", "--chunk-size", "2M", "--quiet",
    ])
    try #require(run.exitCode == 0, "\(run.error)")
  }

  /// Every file below DIR, by relative path.
  func files() throws -> [String: [UInt8]] {
    let all = try temporary.files().filter { $0.key.hasPrefix("out/") }
    return Dictionary(uniqueKeysWithValues: all.map { (String($0.key.dropFirst(4)), $0.value) })
  }
}

extension ProgramRun {
  /// Everything that was printed, without times, and with one place in the words of the other.
  func text(replacing place: String, with other: String) -> String {
    (outputText + error).replacing(place, with: other)
      .replacing(/"(seconds|startTime)":("[^"]*"|[0-9.e-]+)/, with: "")
      .replacing(/, [0-9.]+ s\b/, with: "")
  }
}
