import Foundation
import LayerFormat
import Operations
import Pipeline
import TestSupport
import Testing

/// A small imported timeline, with files that tests damage, and the commands that read it.
struct HostileTimeline {
  /// A command that reads timelines. `inspect` shows only the requested parts, or everything; as
  /// JSON it shows both.
  enum Command: String, CaseIterable {
    case verify, inspect, inspectWhole, inspectAsJSON, export, exportForPageserver
  }

  let scene: Scene
  var index: IndexPart

  var path: String { scene.output + "/" + Scene.timeline }
  var indexPath: String { scene.output + "/" + Scene.index }

  /// A timeline of these files, by default those of an import as usual.
  init(_ files: Task<[String: [UInt8]], any Error> = Scene.expected) async throws {
    scene = try Scene()
    let files = try await files.value
    try scene.put(files)
    index = try IndexPart(decoding: try #require(files[Scene.index]))
    try FileManager.default.createDirectory(
      atPath: exportDirectory, withIntermediateDirectories: true)
  }

  /// The names of the image layers, and of the L0s, in the order of their LSNs.
  func layers(areImages: Bool) -> [LayerName] {
    index.layers.keys.compactMap { LayerName($0) }.filter { $0.isImage == areImages }
      .sorted {
        ($0.lsns.lowerBound, $0.keys.lowerBound) < ($1.lsns.lowerBound, $1.keys.lowerBound)
      }
  }

  func path(of layer: LayerName) -> String { path + "/" + layer.fileName(generation: 1) }

  /// Changes a layer file; the index gets its new length.
  mutating func change(
    _ name: LayerName, _ change: (inout HostileLayer) throws -> Void
  ) throws {
    let bytes = Array(try Data(contentsOf: URL(filePath: path(of: name))))
    var layer = try HostileLayer(decoding: bytes)
    try change(&layer)
    try layer.write(to: path(of: name))
    index.layers[name.description]?.fileSize = layer.finishedByteCount
    try writeIndex()
  }

  /// Lets a layer have its values over other keys.
  mutating func rename(_ name: LayerName, over keys: Range<Key>) throws {
    let new = LayerName(keys: keys, extent: name.extent)
    try FileManager.default.moveItem(atPath: path(of: name), toPath: path(of: new))
    index.layers[new.description] = index.layers.removeValue(forKey: name.description)
    try change(new) { $0.summary.name = new }
  }

  func writeIndex() throws { try writeIndex(index.encoded()) }

  func writeIndex(_ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: indexPath))
  }

  /// The result of a command.
  struct Outcome {
    var command: Command
    var run: ProgramRun
    /// The peak of its resident memory, in KiB.
    var peak: Int
  }

  /// Runs a command over the timeline.
  func run(
    _ command: Command, layer: String = "1", key: String? = nil, script: String? = nil
  ) async throws -> Outcome {
    let asked = ["--layer", layer] + (key.map { ["--key", $0] } ?? [])
    let arguments =
      switch command {
      case .verify: ["verify", path]
      case .inspect: ["inspect", path, "--svg", scene.directory.path + "/map.svg"] + asked
      case .inspectWhole: ["inspect", path]
      case .inspectAsJSON: ["inspect", path, "--json"] + asked
      case .export: ["export", path, "--force", "--output", exportPath]
      case .exportForPageserver:
        ["export", path, "--for-pageserver", "--force", "--output", exportPath]
      }
    let (run, peak) = try await ProgramRun.measured(arguments, script: script)
    return Outcome(command: command, run: run, peak: peak)
  }

  /// A directory for the output of commands only.
  var exportDirectory: String { scene.directory.path + "/exports" }
  var exportPath: String { exportDirectory + "/export.tar" }

  /// Runs commands, and expects each to end with an allowed exit code, within `memoryLimit` MiB,
  /// with a message that is safe for a terminal, and without leaving a file.
  @discardableResult
  func expect(
    _ codes: [Command: Set<Int32>], message: String? = nil, memoryLimit: Int = 64,
    layer: String = "1", key: String? = nil, script: String? = nil, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [Outcome] {
    var outcomes: [Outcome] = []
    for command in Command.allCases {
      guard let codes = codes[command] else { continue }
      let outcome = try await run(command, layer: layer, key: key, script: script)
      let run = outcome.run
      let text = "\(comment), \(command): \(run.error.prefix(1000))"
      #expect(!run.wasKilled, "it hangs: \(text)", sourceLocation: sourceLocation)
      #expect(
        run.exitCode.map(codes.contains) == true,
        "\(run.exitCode.map(String.init) ?? "signal \(run.signal ?? 0)"): \(text)",
        sourceLocation: sourceLocation)
      expectPeak(outcome.peak, below: memoryLimit << 10, text, sourceLocation: sourceLocation)
      if run.exitCode != 0 {
        #expect(
          run.error.contains(message ?? "error: "), "\(text)", sourceLocation: sourceLocation)
      }
      TerminalTests.expectPlain(run.error, sourceLocation: sourceLocation)
      TerminalTests.expectPlain(run.outputText, sourceLocation: sourceLocation)
      let left = try FileManager.default.contentsOfDirectory(atPath: exportDirectory)
      #expect(left == (run.exitCode == 0 && isExport(command) ? ["export.tar"] : []), "\(text)")
      try? FileManager.default.removeItem(atPath: exportPath)
      outcomes.append(outcome)
    }
    return outcomes
  }

  private func isExport(_ command: Command) -> Bool {
    command == .export || command == .exportForPageserver
  }
}

extension [HostileTimeline.Command: Set<Int32>] {
  /// The codes for damage in a layer: a finding for `verify`, an error for the others.
  static let damagedLayer: Self = [
    .verify: [1], .inspect: [65], .inspectAsJSON: [65], .export: [65], .exportForPageserver: [65],
  ]

  /// The same code for every command.
  static func all(_ code: Int32) -> Self {
    Dictionary(uniqueKeysWithValues: HostileTimeline.Command.allCases.map { ($0, [code]) })
  }
}
