import Foundation
import TestSupport
import Testing

/// A server that stands in for a whole storage service, `Tests/Servers/standin.py`: it reads a
/// directory as its remote storage. It ends with this process.
final class StandIn: Sendable {
  /// A call that it got.
  struct Call: Equatable, Sendable, CustomStringConvertible {
    /// `GET`, `PUT`, `POST`.
    var method: String
    /// 0 for the controller, 1 for the pageserver, then the safekeepers.
    var server: Int
    var path: String
    var body: String
    var status: Int

    /// Whether it changes nothing.
    var isRead: Bool { method == "GET" }
    var description: String { "\(method) \(server)\(path) \(status)" }
  }

  /// How a call is to fail.
  enum Fault: CustomStringConvertible, Sendable {
    /// It is not done, and answered so.
    case status(Int)
    /// It is done, and the answer breaks off.
    case cut
    /// It is done, and there is no answer.
    case drop
    /// It is done, and the answer never comes.
    case hang
    /// It has no answer, and is done a second later.
    case late
    /// The tenant is said to be loading, and shows no timelines.
    case loading

    fileprivate var json: String {
      switch self {
      case .status(let status): "\(status)"
      case .cut: "\"cut\""
      case .drop: "\"drop\""
      case .hang: "\"hang\""
      case .late: "\"late\""
      case .loading: "\"loading\""
      }
    }

    var description: String { json }

    /// Whether there is a whole answer.
    var isAnswer: Bool { if case .status = self { true } else { false } }
  }

  private let port: Int
  private let safekeeperCount: Int
  private let process: Process
  // The server ends when the other end of this is closed.
  private let input: Pipe

  /// Starts it on free ports.
  init(_ directory: String, safekeepers: Int = 3, options: [String] = []) throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Servers/standin.py").path
    safekeeperCount = safekeepers
    for _ in 0..<100 {
      // Below the ports that the kernel gives to others.
      let port = Int.random(in: 10_000..<32_000)
      let (process, input, output) = (Process(), Pipe(), Pipe())
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments =
        ["python3", script, directory, "\(port)", "--safekeepers", "\(safekeepers)"] + options
      process.standardInput = input
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      try process.run()
      if let line = try output.fileHandleForReading.read(upToCount: 6), line == Data("ready\n".utf8)
      {
        (self.port, self.process, self.input) = (port, process, input)
        return
      }
      try input.fileHandleForWriting.close()
    }
    throw NoPort()
  }

  /// A hundred ports were taken.
  struct NoPort: Error {}

  deinit {
    try? input.fileHandleForWriting.close()
    process.terminate()
  }

  var controller: String { "http://127.0.0.1:\(port)" }
  var pageserver: String { "http://127.0.0.1:\(port + 1)" }
  func safekeeper(_ number: Int) -> String { "http://127.0.0.1:\(port + 1 + number)" }

  /// The options that name a controller, or all servers without one.
  func servers(_ hasController: Bool) -> [String] {
    if hasController { return ["--controller", controller] }
    return ["--pageserver", pageserver]
      + (1..<(safekeeperCount + 1)).flatMap { number in
        ["--safekeeper", "\(safekeeper(number)),\(walPort(number))"]
      }
  }

  /// The port for WAL that a safekeeper is given.
  func walPort(_ number: Int) -> Int { port + 199 + number }

  /// What it was asked for, without what the tests themselves ask for.
  func calls() throws -> [Call] {
    let record = try record()
    let calls = record["calls"] as? [[Any]] ?? []
    return calls.compactMap { call in
      guard call.count == 5, let method = call[0] as? String, let server = call[1] as? Int,
        let path = call[2] as? String, let body = call[3] as? String, let status = call[4] as? Int
      else { return nil }
      return Call(method: method, server: server, path: path, body: body, status: status)
    }
  }

  private func record() throws -> [String: Any] {
    let text = try Shell.output("curl", "-sS", controller + "/standin")
    return try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any] ?? [:]
  }

  /// Has the next call of a kind fail, or the next `count`.
  func fail(_ method: String, _ path: String, _ fault: Fault, count: Int = 1) throws {
    let one = "[\"\(method)\",\"\(path)\",\(fault.json)]"
    let list = Array(repeating: one, count: count).joined(separator: ",")
    try call("POST", controller + "/standin", "{\"fail\":[\(list)]}")
  }

  /// Makes a call as a person would.
  @discardableResult
  func call(_ method: String, _ url: String, _ body: String = "") throws -> String {
    String(
      decoding: try Shell.output("curl", "-sS", "-X", method, "-d", body, url), as: UTF8.self)
  }

  /// Checks what must never happen: a timeline made empty, something detached or deleted.
  func requireNoHarm(_ comment: String = "", _ location: SourceLocation = #_sourceLocation) throws {
    let made = try record()["initdb"] as? [Any]
    #expect(made?.count == 0, "made empty: \(comment)", sourceLocation: location)
    for call in try calls() {
      #expect(
        ["GET", "PUT", "POST"].contains(call.method) && !call.body.contains("Detached"),
        "\(call): \(comment)", sourceLocation: location)
    }
  }

  /// What every server has, in a form that can be compared.
  func state(of storage: ServiceStorage) throws -> [String] {
    var state: [String] = []
    for shard in storage.shardNames {
      let tenant = try call("GET", "\(pageserver)/v1/tenant/\(shard)")
      state.append(tenant)
    }
    for number in 1..<(safekeeperCount + 1) {
      for timeline in storage.timelines {
        state.append(
          try call(
            "GET", "\(safekeeper(number))/v1/tenant/\(ServiceStorage.tenant)/timeline/\(timeline)"))
      }
    }
    return state
  }
}

/// A remote storage with a tenant that was imported.
final class ServiceStorage: Sendable {
  static let tenant = String(repeating: "1", count: 32)
  static let timeline = String(repeating: "2", count: 32)
  static let secondTimeline = String(repeating: "3", count: 32)
  static let importLSN = "0/215ACF0"

  private let directory: TemporaryDirectory
  let shardNames: [String]
  let timelines: [String]

  var path: String { directory.path + "/storage" }
  var tenantPath: String { "\(path)/tenants/\(shardNames[0])" }
  var timelinePath: String { "\(tenantPath)/timelines/\(Self.timeline)" }

  /// A backup, and for tenants that are not sharded what was imported of it, once for all tests.
  private static let imported = Task { () async throws -> TemporaryDirectory in
    let directory = try TemporaryDirectory(inMemory: true)
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    for kind in Kind.allCases {
      try await importBackup(backup, kind, shards: 1, to: "\(directory.path)/\(kind)")
    }
    return directory
  }

  /// The timelines that tests use.
  enum Kind: CaseIterable {
    case first, second
    /// The second at generation 5.
    case newer
  }

  private static func importBackup(
    _ backup: String, _ kind: Kind, shards: Int, to output: String
  ) async throws {
    let run = try await ProgramRun.run([
      backup, "-o", output, "--tenant-id", tenant, "--timeline-id",
      kind == .first ? timeline : secondTimeline, "--generation", kind == .newer ? "5" : "1",
      "--shards", "\(shards)", "--receipt", "none", "-q",
    ])
    try #require(run.exitCode == 0, "\(run.error)")
  }

  /// The tenant with one timeline, or two.
  init(timelines count: Int = 1, shards: Int = 0) async throws {
    directory = try TemporaryDirectory(inMemory: true)
    timelines = Array([Self.timeline, Self.secondTimeline].prefix(count))
    shardNames =
      shards == 0
      ? [Self.tenant]
      : (0..<shards).map { Self.tenant + String(format: "-%02x%02x", $0, shards) }
    try await add(.first)
    if count == 2 { try await add(.second) }
  }

  /// Puts a timeline into the storage.
  func add(_ kind: Kind) async throws {
    let files = try await Self.imported.value.path
    if shardNames.count > 1 {
      return try await Self.importBackup(
        files + "/backup.tar", kind, shards: shardNames.count, to: path)
    }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    _ = try Shell.output("cp", "-r", "\(files)/\(kind)/tenants", path)
  }

  /// Writes a file below the storage.
  func write(_ text: String, to file: String) throws {
    try text.write(toFile: "\(path)/\(file)", atomically: false, encoding: .utf8)
  }

  /// Adds a layer to the first timeline, as a pageserver does for the WAL that it takes.
  func addWrittenLayer() throws {
    let name =
      String(repeating: "0", count: 36) + "-" + String(repeating: "F", count: 36)
      + "__000000000215ACF1-000000000215AD69"
    try changeIndex(
      "\"layer_metadata\":{",
      to: "\"layer_metadata\":{\"\(name)\":{\"file_size\":1,\"generation\":1},")
    try write("x", to: "tenants/\(shardNames[0])/timelines/\(Self.timeline)/\(name)-00000001")
  }

  /// Replaces a text in the first timeline's index.
  func changeIndex(_ old: String, to new: String) throws {
    let file = timelinePath + "/index_part.json-00000001"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacing(old, with: new).write(toFile: file, atomically: false, encoding: .utf8)
  }
}
