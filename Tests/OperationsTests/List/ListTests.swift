import Foundation
import LayerFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// The timelines below a directory: which there are, and in what state.
@Suite struct ListTests {
  private static let tenants = [
    "11111111111111111111111111111111", "22222222222222222222222222222222",
  ]
  private static let timelines = [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
  ]

  private static func path(_ root: String, _ tenant: Int, _ timeline: Int) -> String {
    "\(root)/tenants/\(tenants[tenant])/timelines/\(timelines[timeline])"
  }

  /// Imports a small backup to where the given ids lead.
  @discardableResult
  private static func importing(
    to root: String, _ tenant: Int, _ timeline: Int, generation: UInt32 = 1
  ) throws -> ImportSummary {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    var options = ImportOptions(backup: backup, outputDirectory: root)
    options.tenantID = tenants[tenant]
    options.timelineID = timelines[timeline]
    options.generation = generation
    return try importBackup(options, progress: nil)
  }

  private static func list(_ path: String) throws -> TimelineList {
    try listTimelines(ListOptions(path: path))
  }

  private static func states(_ list: TimelineList) -> [String] {
    list.timelines.map(\.state.rawValue)
  }

  /// Everything below a directory, with the time of its last change.
  private static func snapshot(_ path: String) throws -> [String] {
    let text = try Shell.output("find", path, "-printf", "%p %y %s %T@ %C@\\n")
    return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init).sorted()
  }

  /// Goal: whichever directory is given, the timelines in it are listed, in order, with what an
  /// import said of them; nothing is changed.
  @Test func levels() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    let second = try Self.importing(to: root, 1, 0)
    try Self.importing(to: root, 0, 1)
    let first = try Self.importing(to: root, 0, 0, generation: 7)
    let before = try Self.snapshot(root)

    let all = try Self.list(root)
    #expect(
      all.timelines.map { ($0.tenantID ?? "") + ($0.timelineID ?? "") }
        == [(0, 0), (0, 1), (1, 0)].map { Self.tenants[$0] + Self.timelines[$1] })
    #expect(Self.states(all) == ["complete", "complete", "complete"])
    #expect(all.timelines.map(\.generation) == [7, 1, 1])
    #expect(all.timelines.map(\.postgresVersion) == [15, 15, 15])
    #expect(all.timelines[0].timelinePath == first.timelinePath)
    #expect(all.timelines[2].importLSN == second.importLSN)
    #expect(all.timelines[2].endLSN == second.endLSN)
    #expect(all.timelines[2].layerCount == second.imageLayerCount + second.l0LayerCount)
    let layers = try directory.files().filter {
      $0.key.contains(Self.tenants[1]) && $0.key.contains("__")
    }
    #expect(all.timelines[2].layerByteCount == layers.values.reduce(0) { $0 + UInt64($1.count) })
    #expect(all.timelines.allSatisfy { $0.leftovers.isEmpty && $0.error == nil })
    #expect(all.failure == nil && all.skippedCount == 0)

    let tenant = "\(root)/tenants/\(Self.tenants[0])"
    let paths: [(String, Int)] = [
      (root + "/", 3), (root + "/tenants", 3), (tenant, 2), (tenant + "/timelines/", 2),
      (Self.path(root, 0, 1), 1),
    ]
    for (path, count) in paths {
      let list = try Self.list(path)
      #expect(list.timelines.count == count, "\(path)")
      #expect(
        list.timelines.allSatisfy { $0.tenantID != nil && $0.timelineID != nil }, "\(path)")
    }
    #expect(try Self.snapshot(root) == before)
  }

  /// Goal: an empty directory has no timelines, which is no error; one that does not exist is.
  @Test func nothing() throws {
    let directory = try TemporaryDirectory()
    #expect(try Self.list(directory.path).timelines.isEmpty)
    try FileManager.default.createDirectory(
      atPath: directory.path + "/tenants", withIntermediateDirectories: false)
    #expect(try Self.list(directory.path).timelines.isEmpty)
    try Data("x".utf8).write(to: URL(filePath: directory.path + "/file"))
    for path in ["/nowhere", "/file", ""] {
      let error = #expect(throws: Failure.self) { try Self.list(directory.path + path + "/x") }
      #expect(error?.exitCode == .cannotOpen)
    }
    let file = #expect(throws: Failure.self) { try Self.list(directory.path + "/file") }
    #expect(file?.code == .cannotOpenInput)
  }

  /// Goal: a timeline that is being written is locked, or replaced if it is complete; looking does not
  /// take the lock from an import.
  @Test func locked() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    try Self.importing(to: root, 0, 0)
    let ids = (try #require(Identifier(Self.tenants[0])), Self.timelines.map { Identifier($0) })
    let old = try TimelineDirectory(
      OutputPlace(output: root, tenant: ids.0, timeline: try #require(ids.1[0])), force: true)
    let new = try TimelineDirectory(
      OutputPlace(output: root, tenant: ids.0, timeline: try #require(ids.1[1])), force: false)
    _ = try new.makeTemporaryFile("layer-1", shard: 0)
    let list = try Self.list(root)
    #expect(Self.states(list) == ["replacing", "locked"])
    #expect(list.timelines[0].generation == 1 && list.timelines[1].generation == nil)
    #expect(list.timelines[1].leftovers.map(\.code) == [.temporaryFile])
    #expect(list.failure == nil)
    // What a replacement has begun to remove is no longer complete.
    let path = list.timelines[0].timelinePath
    let layer = try #require(
      try FileManager.default.contentsOfDirectory(atPath: path).first { $0.contains("__") })
    try FileManager.default.removeItem(atPath: path + "/" + layer)
    #expect(Self.states(try Self.list(root)) == ["locked", "locked"])
    old.abandon()
    new.abandon()
    withExtendedLifetime((old, new)) {}
  }

  /// Goal: what an interrupted import leaves is shown as that, and so is everything that no index
  /// names: temporary files, layers, older indexes, other files.
  @Test func leftovers() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    try Self.importing(to: root, 0, 0, generation: 2)
    let path = Self.path(root, 0, 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    let layer = try #require(names.first { $0.contains("__") })
    let others: [(String, Int)] = [
      ("layer-3.import-temp", 10), (String(layer.dropLast(8)) + "00000001", 20),
      ("index_part.json-00000001", 30), ("notes\u{1B}.txt", 40),
    ]
    for (name, count) in others {
      try Data(count: count).write(to: URL(filePath: path + "/" + name))
    }
    let unfinished = Self.path(root, 0, 1)
    try FileManager.default.createDirectory(
      atPath: unfinished, withIntermediateDirectories: true)
    for index in 0..<20 {
      try Data(count: 3).write(to: URL(filePath: unfinished + "/layer-\(index).import-temp"))
    }
    let list = try Self.list(root)
    #expect(Self.states(list) == ["complete", "unfinished"])
    #expect(list.timelines[0].generation == 2)
    #expect(
      list.timelines[0].leftovers.map(\.code)
        == [.temporaryFile, .unlistedLayer, .olderIndex, .otherFile])
    #expect(list.timelines[0].leftovers.map(\.byteCount) == [10, 20, 30, 40])
    #expect(list.timelines[0].leftovers[3].names == [#"notes\u{1B}.txt"#])
    #expect(list.timelines[1].leftovers.map(\.fileCount) == [20])
    #expect(list.timelines[1].leftovers.map(\.byteCount) == [60])
    #expect(list.timelines[1].leftovers.map(\.names.count) == [8])
    #expect(list.failure == nil)
  }

  /// Goal: damage is said and does not keep the others from being listed. Method: damage the index
  /// or a layer in every way that shows in a listing.
  @Test(arguments: 0..<6) func damage(kind: Int) throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    try Self.importing(to: root, 0, 0)
    try Self.importing(to: root, 0, 1)
    let path = Self.path(root, 0, 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    let index = path + "/index_part.json-00000001"
    let layer = path + "/" + (try #require(names.first { $0.contains("__") }))
    var text = try String(contentsOfFile: index, encoding: .utf8)
    var words = ""
    switch kind {
    case 0:
      text = "{"
      words = "is not valid JSON"
    case 1:
      text = text.replacing(#""version":15"#, with: #""version":16"#)
      words = "index version 16 is not supported"
    case 2:
      text = text.replacing("__", with: "_/../")
      words = "is not the name of a layer"
    case 3:
      try FileManager.default.removeItem(atPath: layer)
      words = "is missing"
    case 4:
      try Data(count: 12_345).write(to: URL(filePath: layer))
      words = "but the index says"
    default:
      // A link to the very same file.
      try FileManager.default.moveItem(atPath: layer, toPath: root + "/moved")
      try FileManager.default.createSymbolicLink(
        atPath: layer, withDestinationPath: root + "/moved")
      words = "is a symbolic link"
    }
    try Data(text.utf8).write(to: URL(filePath: index))
    let list = try Self.list(root)
    #expect(Self.states(list) == ["damaged", "complete"])
    #expect(list.timelines[0].error?.contains(words) == true, "\(list.timelines[0])")
    let failure = try #require(list.failure)
    #expect(failure.exitCode == (kind == 1 ? .unsupported : .damaged))
    #expect(failure.code.rawValue == list.timelines[0].code)
    #expect(failure.message.contains("timeline '\(path)' is damaged: "))
  }

  /// Goal: a timeline that a pageserver was deleting is called that.
  @Test func deleted() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    try Self.importing(to: root, 0, 0)
    let index = Self.path(root, 0, 0) + "/index_part.json-00000001"
    let text = try String(contentsOfFile: index, encoding: .utf8)
    let changed = "{\"deleted_at\":\"2026-03-01T00:00:00\"," + text.dropFirst()
    try Data(changed.utf8).write(to: URL(filePath: index))
    let list = try Self.list(root)
    #expect(Self.states(list) == ["deleted"])
    #expect(list.timelines[0].deletedAt == "2026-03-01T00:00:00")
  }

  /// Goal: no link is followed, and what is no tenant or timeline is named and passed over; a shard without
  /// the others is damaged. Method: links in every place, also to themselves and to real timelines.
  @Test func linksAndStrangers() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path
    let manager = FileManager.default
    try Self.importing(to: root, 0, 0)
    let tenants = root + "/tenants"
    let own = "\(tenants)/\(Self.tenants[0])"
    try manager.createSymbolicLink(
      atPath: "\(tenants)/\(Self.tenants[1])", withDestinationPath: own)
    try manager.createSymbolicLink(
      atPath: "\(own)/timelines/\(Self.timelines[1])",
      withDestinationPath: Self.path(root, 0, 0))
    try manager.createDirectory(
      atPath: tenants + "/lost+found", withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: tenants + "/file"))
    try manager.copyItem(atPath: own + "/timelines/" + Self.timelines[0], toPath: root + "/copy")
    let shard = "\(tenants)/\(Self.tenants[0])-0104/timelines"
    try manager.createDirectory(atPath: shard, withIntermediateDirectories: true)
    try manager.moveItem(atPath: root + "/copy", toPath: shard + "/" + Self.timelines[0])
    let list = try Self.list(root)
    #expect(Self.states(list) == ["complete", "damaged"])
    #expect(list.timelines.map(\.shardCount) == [1, 4])
    #expect(list.timelines.map(\.code) == [nil, "shard-missing"])
    #expect(list.skippedCount == 4)
    #expect(
      Set(list.skipped.map { $0.path.dropFirst(root.count) + ": " + $0.reason })
        == [
          "/tenants/\(Self.tenants[1]): it is a symbolic link",
          "/tenants/\(Self.tenants[0])/timelines/\(Self.timelines[1]): it is a symbolic link",
          "/tenants/lost+found: it is not named after a tenant or a timeline",
          "/tenants/file: it is not a directory",
        ])
    // The path itself may be a link.
    try manager.createSymbolicLink(atPath: root + "/link", withDestinationPath: root)
    #expect(try Self.list(root + "/link").timelines.count == 2)
    try manager.moveItem(atPath: tenants, toPath: root + "/elsewhere")
    try manager.createSymbolicLink(atPath: tenants, withDestinationPath: root + "/elsewhere")
    let linked = try Self.list(root)
    #expect(linked.timelines.isEmpty && linked.skipped.map(\.path) == [root + "/tenants"])
  }
}
