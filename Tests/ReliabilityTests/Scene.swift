import Foundation
import TestSupport
import Testing

/// A temporary directory with a backup, and imports of that backup with fixed ids.
///
/// The settings give the tiny backup several layers of each kind. The files under the output
/// directory after an import depend only on backup and settings, so they can be compared with those
/// of an import without faults; but for the receipt, of which only that part is compared.
struct Scene: Sendable {
  let directory: TemporaryDirectory

  var backup: String { directory.path + "/backup.tar" }
  var output: String { directory.path + "/out" }
  var log: String { directory.path + "/calls" }

  static let tenantID = "11111111111111111111111111111111"
  static let timelineID = "22222222222222222222222222222222"
  static let timeline = "tenants/\(tenantID)/timelines/\(timelineID)"
  static let index = timeline + "/index_part.json-00000001"
  static let receipt = "receipts/\(tenantID)-\(timelineID)-00000001.json"

  private static let tiny = SmallBackup.tiny.encoded()

  init(_ backup: [UInt8] = tiny) throws {
    directory = try TemporaryDirectory(inMemory: true)
    try Data(backup).write(to: URL(filePath: self.backup))
  }

  /// The arguments of the program.
  func arguments(backup: String? = nil, _ more: [String] = []) -> [String] {
    [
      backup ?? self.backup, "--output", output,
      "--tenant-id", Self.tenantID, "--timeline-id", Self.timelineID,
      "--small-relation-size", "24K", "--image-layer-size", "1M", "--chunk-size", "1M", "--quiet",
    ] + more
  }

  /// Imports, with faults among the calls on `path`, by default the output directory.
  func run(
    _ faults: [Fault]? = nil, under path: String? = nil, with more: [String] = [],
    timeLimit: Duration = .seconds(300)
  ) async throws -> ProgramRun {
    let environment =
      try faults.map {
        try FaultLibrary.environment($0, under: path ?? output, log: log)
      } ?? [:]
    return try await ProgramRun.run(
      arguments(more), environment: environment, timeLimit: timeLimit)
  }

  /// Imports with one job, or with `jobs`, and returns the peak of resident memory in KiB.
  func runMeasured(
    backup: String, jobs: Int = 1
  ) async throws -> (result: ProgramRun, peak: Int) {
    let (run, peak) = try await ProgramRun.measured(
      arguments(backup: backup, ["--jobs", String(jobs)]), timeLimit: Soak.timeLimit)
    #expect(!run.wasKilled, "it hangs")
    #expect(run.signal == nil)
    return (run, peak)
  }

  /// Every file under the output directory, receipts without what each run has of its own; nil if
  /// the directory does not exist.
  func files() throws -> [String: [UInt8]]? {
    guard FileManager.default.fileExists(atPath: output) else { return nil }
    var files: [String: [UInt8]] = [:]
    for (name, contents) in try directory.files() where name.hasPrefix("out/") {
      let name = String(name.dropFirst(4))
      files[name] = name == Self.receipt ? try Self.withoutTimes(contents) : contents
    }
    return files
  }

  /// A receipt's lists of files.
  private static func withoutTimes(_ receipt: [UInt8]) throws -> [UInt8] {
    let object = try JSONSerialization.jsonObject(with: Data(receipt)) as? [String: Any] ?? [:]
    let kept = object.filter { ["layers", "index", "tenantID", "timelineID"].contains($0.key) }
    return Array(try JSONSerialization.data(withJSONObject: kept, options: .sortedKeys))
  }

  /// Writes files under the output directory.
  func put(_ files: [String: [UInt8]]) throws {
    for (name, contents) in files {
      let url = URL(filePath: output).appending(path: name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(contents).write(to: url)
    }
  }

  /// The calls that the library has counted, in order.
  func calls() throws -> [Call] { try Self.calls(in: log) }

  /// The calls in a log of the fault library.
  static func calls(in log: String) throws -> [Call] {
    let text = try String(contentsOf: URL(filePath: log), encoding: .utf8)
    return text.split(separator: "\n").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      return Call(
        kind: String(fields[0]), path: String(fields[1]), result: Int(fields[2]) ?? 0,
        errorNumber: Int32(fields[3]) ?? 0)
    }
  }

  struct Call: Sendable {
    var kind: String
    var path: String
    var result: Int
    var errorNumber: Int32
  }

  /// The output of an import without faults.
  static let expected = Task { try await result() }
  /// The output with other settings: the same names, other bytes.
  static let uncompressed = Task { try await result(["--compression-level", "0"]) }

  private static func result(_ more: [String] = []) async throws -> [String: [UInt8]] {
    let scene = try Scene()
    let run = try await scene.run(with: more)
    try #require(run.exitCode == 0, "\(run.error)")
    return try #require(try scene.files())
  }
}

extension [String: [UInt8]] {
  /// Without the files that only exist during an import.
  var withoutTemporaryFiles: Self { filter { !$0.key.hasSuffix(".import-temp") } }

  /// The files of the timeline alone.
  var withoutReceipts: Self { filter { !$0.key.hasPrefix("receipts/") } }
}

/// Calls `body` for every element, as many at a time as there are processors.
///
/// Under a sanitizer, each takes many times as long, so only every fifth is used. Sequences with a
/// period of two, three or four (before a call and after it, one error or another) are still
/// covered.
func inParallel<Element: Sendable>(
  _ elements: some Collection<Element>, _ body: @escaping @Sendable (Element) async throws -> Void
) async throws {
  let chosen = elements.enumerated().filter { Sanitizer.isOff || $0.offset % 5 == 0 }.map(\.element)
  try await withThrowingTaskGroup(of: Void.self) { group in
    for (count, element) in chosen.enumerated() {
      if count >= ProcessInfo.processInfo.activeProcessorCount { try await group.next() }
      group.addTask { try await body(element) }
    }
    try await group.waitForAll()
  }
}
