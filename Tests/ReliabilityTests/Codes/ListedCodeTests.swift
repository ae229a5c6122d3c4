import Backup
import Foundation
import Operations
import PostgresFormat
import System
import TestSupport
import Testing

/// Goal: what a JSON object lists has the codes that `help --errors` says: findings, changes, warnings,
/// reasons to leave a file out and others. Method: a table with a way to provoke each in the built program;
/// the object lists these codes of the kind, and no other.
@Suite struct ListedCodeTests {
  @Test(arguments: ListedCodes.all) func provoked(_ row: ListedCodes) async throws {
    let run = try await row.run(try CodeScene())
    let object = try #require(
      try? JSONSerialization.jsonObject(with: run.output), "\(run.outputText) \(run.error)")
    let codes = ListedCodes.values(at: row.path[...], in: object)
    #expect(Set(codes) == row.codes, "\(run.outputText) \(run.error)")
  }

  /// Method: each code has a row, or names a test that reads it in an object or a line of the program.
  @Test func completeness() throws {
    for kind in ListedCodes.kinds {
      let others = ListedCodes.elsewhere.filter { $0.path == kind.path }
      let provoked = ListedCodes.all.filter { $0.path == kind.path }.flatMap(\.codes)
      #expect(kind.codes.subtracting(provoked) == Set(others.flatMap(\.codes)), "\(kind.path)")
      for other in others {
        for code in other.codes { try TestFile.expect(other.suite, contains: "\"\(code)\"") }
      }
    }
  }
}

/// Codes that a JSON object lists at a place of their own.
protocol ListedCode: StableCode {
  /// The names of the fields that lead to the code, through lists as through objects.
  static var path: [String] { get }
}

extension FindingCode: ListedCode { static let path = ["findings", "code"] }
extension ChangeCode: ListedCode { static let path = ["changes", "code"] }
extension WarningCode: ListedCode { static let path = ["warnings", "code"] }
extension LeftOutReason: ListedCode { static let path = ["leftOut", "code"] }
extension ManifestDifference.Code: ListedCode {
  static let path = ["findings", "manifest", "differences", "code"]
}
extension DamagedPage.Code: ListedCode {
  static let path = ["findings", "pageChecksums", "damagedPages", "code"]
}
extension ListedTimeline.Leftover.Code: ListedCode {
  static let path = ["timelines", "leftovers", "code"]
}
extension TimelineList.Skipped.Code: ListedCode { static let path = ["skipped", "code"] }
extension AttachSummary.DoneCode: ListedCode { static let path = ["done", "code"] }
extension AttachSummary.InPlaceCode: ListedCode { static let path = ["inPlace", "code"] }

/// A way to provoke codes of one kind, all at once.
struct ListedCodes: CustomTestStringConvertible, Sendable {
  var path: [String]
  var codes: Set<String>
  var run: @Sendable (CodeScene) async throws -> ProgramRun

  var testDescription: String { codes.sorted().joined(separator: ", ") }

  init<Code: ListedCode>(
    _ codes: [Code], _ run: @escaping @Sendable (CodeScene) async throws -> ProgramRun
  ) {
    path = Code.path
    self.codes = Set(codes.map(\.rawValue))
    self.run = run
  }

  static let all = imports + lists + timelines + values + shards + comparisons + services

  /// Codes of one kind that another suite runs the program for and looks for.
  struct Elsewhere: Sendable {
    var path: [String]
    var codes: [String]
    var suite: String

    init<Code: ListedCode>(_ suite: String, _ codes: Code...) {
      path = Code.path
      self.codes = codes.map(\.rawValue)
      self.suite = suite
    }
  }

  static let elsewhere: [Elsewhere] = [
    Elsewhere(
      "ReceiptCommandTests", FindingCode.fileMissing, .fileSize, .fileHash, .fileUnreadable),
    Elsewhere("ImportCommandTests", ChangeCode.twoPhaseFilesRepaired),
    Elsewhere("RecoveryServerTests", ChangeCode.tablespacesMoved),
    Elsewhere("StorePublishTests", WarningCode.unconditionalStore, .remainsNotRemoved),
    Elsewhere(
      "AttachTrapTests", WarningCode.safekeeperMissing, .safekeeperUnreachable, .safekeeperRefused),
    Elsewhere("AttachTrapTests", AttachSummary.InPlaceCode.timelineOnSafekeepers),
  ]

  /// Every kind: where the objects list it, and all its codes.
  static let kinds = [
    kind(FindingCode.self), kind(ChangeCode.self), kind(WarningCode.self), kind(LeftOutReason.self),
    kind(ManifestDifference.Code.self), kind(DamagedPage.Code.self),
    kind(ListedTimeline.Leftover.Code.self), kind(TimelineList.Skipped.Code.self),
    kind(AttachSummary.DoneCode.self), kind(AttachSummary.InPlaceCode.self),
  ]

  private static func kind<Code: ListedCode>(
    _ type: Code.Type
  ) -> (path: [String], codes: Set<String>) {
    (Code.path, Set(Code.allCases.map(\.rawValue)))
  }

  /// The texts at a path.
  static func values(at path: ArraySlice<String>, in object: Any) -> [String] {
    if let list = object as? [Any] { return list.flatMap { values(at: path, in: $0) } }
    guard let name = path.first else { return (object as? String).map { [$0] } ?? [] }
    return (object as? [String: Any])?[name].map { values(at: path.dropFirst(), in: $0) } ?? []
  }
}
