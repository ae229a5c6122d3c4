import Foundation
import TestSupport
import Testing

/// The order in which an import makes its output durable, observed by strace.
@Suite(.enabled(if: Shell.canTrace, "strace is not allowed here"))
struct OrderOnDiskTests {
  /// Goal: a power failure at any moment leaves a complete timeline or no index. Method: check the
  /// order of the calls of an import:
  ///
  /// ```
  /// each layer        write … fsync … rename
  /// before the first  index and receipt: write, fsync
  /// after the last    fsync of the directory and of all its parents
  /// then the index    rename, fsync of the directory
  /// then the receipt  rename of both files, fsync of their directory
  /// then              nothing
  /// ```
  @Test func imported() async throws {
    let trace = try await Trace(of: try Scene(), [])
    let renames = trace.events.indices.filter { trace.events[$0].kind == .rename }
    #expect(renames.count == 11)
    for index in renames { trace.expectDurable(before: index) }

    let index = try #require(renames.first { trace.events[$0].path.contains("index_part.json") })
    #expect(renames.firstIndex(of: index) == 8)
    #expect(trace.events[renames[0]].path.contains("tenant-manifest"))
    let lastLayer = try #require(renames.dropLast(3).last)
    let firstLayer = try #require(renames.first)
    #expect(trace.events[firstLayer...].allSatisfy { $0.kind != .write })
    let between = trace.events[lastLayer..<index].filter { $0.kind == .sync }.map(\.path)
    var directory = trace.timeline
    var expected = [directory]
    while directory != (trace.output as NSString).deletingLastPathComponent {
      directory = (directory as NSString).deletingLastPathComponent
      expected.append(directory)
    }
    #expect(between == expected)
    trace.expectEnd()
  }

  /// Goal: directories from an earlier import that was killed are made durable as well.
  @Test func overRemains() async throws {
    let scene = try Scene()
    _ = try await scene.run([
      Fault(kind: "pwrite", call: .number(1), action: .killBefore)
    ])
    let trace = try await Trace(of: scene, [])
    let synced = Set(trace.events.filter { $0.kind == .sync }.map(\.path))
    var directory = trace.timeline
    while directory != scene.directory.path {
      #expect(synced.contains(directory))
      directory = (directory as NSString).deletingLastPathComponent
    }
    trace.expectEnd()
  }

  /// Goal: with --force, the old receipt is removed durably before the old index, that before
  /// anything else of its timeline, and all of it only after what is new is durable.
  @Test func forced() async throws {
    let scene = try Scene()
    try scene.put(try await Scene.uncompressed.value)
    let trace = try await Trace(of: scene, ["--force"])
    let events = trace.events
    let unlinks = events.indices.filter { events[$0].kind == .unlink }
    let receipt = try #require(unlinks.first)
    #expect(
      events[receipt...].prefix(3) == [
        Trace.Event(kind: .unlink, path: trace.receipt),
        Trace.Event(kind: .unlink, path: trace.receipt + ".sha256"),
        Trace.Event(kind: .sync, path: trace.receipts),
      ])
    let first = try #require(unlinks.first { events[$0].path.contains("index_part") })
    #expect(events[receipt..<first].allSatisfy { $0.path.hasPrefix(trace.receipts) })
    #expect(events[first].path.hasSuffix("index_part.json-00000001"))
    #expect(events[first + 1] == Trace.Event(kind: .sync, path: trace.timeline))
    #expect(unlinks.filter { !events[$0].path.hasPrefix(trace.receipts) }.count == 8)
    let layers = events.indices.filter {
      events[$0].kind == .rename && !events[$0].path.contains("index_part")
    }
    #expect(layers.allSatisfy { $0 > first + 1 })
    #expect(events[receipt...].allSatisfy { $0.kind != .write })
    trace.expectEnd()
  }
}

/// The calls of an import on its output that matter for durability.
struct Trace {
  enum Kind { case write, sync, rename, unlink }

  struct Event: Equatable {
    var kind: Kind
    /// The path that is written, synced or removed; for a rename, the temporary one.
    var path: String
  }

  let output: String
  var timeline: String { output + "/" + Scene.timeline }
  var receipts: String { output + "/receipts" }
  var receipt: String { output + "/" + Scene.receipt }
  private(set) var events: [Event] = []

  /// Imports under strace.
  init(of scene: Scene, _ more: [String]) async throws {
    output = scene.output
    let log = scene.directory.path + "/trace"
    let run = try await ProgramRun.run(
      scene.arguments(more),
      script: """
        exec strace -f -y -s 0 -o '\(log)' \
        -e trace=pwrite64,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat "$@"
        """,
      // The address sanitizer would search for leaks with ptrace, which strace uses.
      environment: ["ASAN_OPTIONS": "detect_leaks=0"])
    try #require(run.exitCode == 0, "\(run.error)")
    // A call that others interrupt is on two lines; the first has everything needed here.
    for line in try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n") {
      add(String(line.drop { $0.isNumber || $0 == " " }))
    }
  }

  private mutating func add(_ line: String) {
    guard let parenthesis = line.firstIndex(of: "(") else { return }
    let rest = line[line.index(after: parenthesis)...]
    // write(7</path>, …)
    let opened = rest.firstIndex { $0 == "<" || $0 == "\"" }.map { rest.index(after: $0) }
    guard let opened, let closed = rest[opened...].firstIndex(where: { $0 == ">" || $0 == "\"" })
    else { return }
    var path = String(rest[opened..<closed])
    // renameat(7</directory>, "name", …)
    if ["at", "at2"].contains(where: { line[..<parenthesis].hasSuffix($0) }) {
      let words = rest[closed...].split(separator: "\"", maxSplits: 2)
      if words.count > 1 { path += "/" + words[1] }
    }
    let kind: Kind? =
      switch line[..<parenthesis] {
      case "write", "pwrite64": .write
      case "fsync", "fdatasync": .sync
      case "rename", "renameat", "renameat2": .rename
      case "unlink", "unlinkat": .unlink
      default: nil
      }
    let isOutside = !path.hasPrefix(output) && kind != .sync
    if let kind, !isOutside { events.append(Event(kind: kind, path: path)) }
  }

  /// Expects that the file renamed at `index` was written, then synced, and not written again.
  func expectDurable(before index: Int) {
    let path = events[index].path
    let before = events[..<index].filter { $0.path == path }.map(\.kind)
    #expect(before.count { $0 == .sync } == 1, "\(path)")
    #expect(before.count > 1 && before.last == .sync, "\(path)")
    #expect(!events[index...].dropFirst().contains { $0.path == path }, "\(path)")
  }

  /// Expects the index at the end, and then the receipt: each renamed, its directory synced.
  func expectEnd() {
    let index = timeline + "/index_part.json-00000001.import-temp"
    #expect(
      events.suffix(6) == [
        Event(kind: .rename, path: index), Event(kind: .sync, path: timeline),
        Event(kind: .unlink, path: receipt),
        Event(kind: .rename, path: receipt + ".sha256.import-temp"),
        Event(kind: .rename, path: receipt + ".import-temp"), Event(kind: .sync, path: receipts),
      ])
  }
}
