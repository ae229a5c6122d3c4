import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System

/// The drawing of a timeline's layers: well-formed, complete, and nothing over anything else.
@Suite struct LayerMapTests {
  private static func timeline(_ names: [LayerName], end: String) -> TimelineDescription {
    var timeline = TimelineDescription(
      timelinePath: "", generation: 1, indexVersion: 15, postgresVersion: 17, endLSN: end,
      ancestorLSN: "0/0", latestGCCutoffLSN: end, importLSN: end)
    timeline.layers = names.enumerated().map { index, name in
      LayerDescription(
        number: index + 1, kind: name.isImage ? .image : name.isLevel0 ? .level0 : .delta,
        name: name.fileName(generation: 1), keyStart: "", keyEnd: "",
        keys: name.keys.words, lsnStart: "", byteCount: UInt64(index * 8192))
    }
    return timeline
  }

  /// Chunks, images of many relations, and deltas above them.
  private static func names(chunks: Int, relations: Int, deltas: Int) -> [LayerName] {
    let chunkNames = (0..<chunks).map { chunk -> LayerName in
      let start = LogSequenceNumber(rawValue: 0x10 + UInt64(chunk) * 8)
      let isLast = chunk == chunks - 1
      return LayerName.level0(
        start..<(isLast ? LogSequenceNumber(rawValue: 0x500_0001) : start + 8))
    }
    let imageNames = (0..<relations).map { number in
      let fork = RelationForkID(
        databaseID: 5, relationNumber: UInt32(16384 + number), fork: .main)
      return LayerName(
        keys: Key(fork, block: 0)..<Key(fork, block: 100),
        extent: .image(at: LogSequenceNumber(rawValue: 0xFFFF8)))
    }
    let deltaNames = (0..<deltas).map { number -> LayerName in
      let start = 0x500_0001 + UInt64(number) * 256
      return LayerName(
        keys: Key.minimum..<Key(.controlFile), extent: TimelineSample.lsns(start..<start + 256))
    }
    return chunkNames + imageNames + deltaNames
  }

  private static func map(_ timeline: TimelineDescription, _ text: String = "x") -> LayerMap {
    LayerMap(timeline, heading: ["heading \(text)"]) { layer in
      LayerMap.Caption(tooltip: "tip \(layer.number) \(text)", labels: [text])
    }
  }

  /// Goal: each layer is drawn once, within the frame, with its tooltip; what is written beside the
  /// frame does not overlap. Method: few and very many layers, as XML.
  @Test(arguments: [(1, 0, 0), (2, 3, 1), (0, 0, 3), (0, 1, 0), (40, 400, 5), (900, 30, 0)])
  func drawing(chunks: Int, relations: Int, deltas: Int) {
    let names = Self.names(chunks: chunks, relations: relations, deltas: deltas)
    let document = PictureDocument(Self.map(Self.timeline(names, end: "0/5000000")).svg())
    #expect(document.isWellFormed)
    let frame = document.all("rect", "frame")[0]
    let right = frame.number("x") + frame.number("width") + 0.11
    let bottom = frame.number("y") + frame.number("height") + 0.11
    let titles = document.elements.filter { $0.name == "title" }.map(\.text)
    #expect(Set(titles) == Set((0..<names.count).map { "tip \($0 + 1) x" }))
    for (style, count) in [("L0", chunks), ("image", relations), ("delta", deltas)] {
      // The first of each is the legend's.
      let boxes = document.all("rect", style).dropFirst()
      #expect(boxes.count == count)
      for box in boxes {
        #expect(box.number("x") >= frame.number("x") && box.number("y") >= frame.number("y") - 0.11)
        #expect(box.number("x") + box.number("width") <= right + 1)
        #expect(box.number("y") + box.number("height") <= bottom + 1)
      }
    }
    let labels = document.all("text", "label").filter { $0.attributes["text-anchor"] == "end" }
    let lsns = labels.filter { $0.attributes["transform"] == nil }.map { $0.number("y") }.sorted()
    #expect(zip(lsns, lsns.dropFirst()).allSatisfy { $1 - $0 >= 12.9 })
    let keys = labels.filter { $0.attributes["transform"] != nil }.map { $0.number("x") }.sorted()
    #expect(zip(keys, keys.dropFirst()).allSatisfy { $1 - $0 >= 16.9 })
    let marks = document.all("text", "markname").map { $0.number("y") }.sorted()
    #expect(zip(marks, marks.dropFirst()).allSatisfy { $1 - $0 >= 12.9 })
  }

  /// Goal: L0s have the whole width if there are no other layers, and their labels.
  @Test func onlyLevel0() {
    let names = Self.names(chunks: 2, relations: 0, deltas: 0)
    let document = PictureDocument(Self.map(Self.timeline(names, end: "0/5000000")).svg())
    let frame = document.all("rect", "frame")[0]
    let boxes = document.all("rect", "L0").dropFirst()
    #expect(boxes.map { $0.number("width") } == [frame.number("width"), frame.number("width")])
    #expect(document.all("text", "label").count { $0.text == "x" } == 2)
  }

  /// Goal: no name breaks the document or adds to it.
  @Test func hostileNames() {
    let text = "</title><script>alert('&\"')</script>]]>\u{1B}\u{0}\u{FFFE}"
    let names = Self.names(chunks: 1, relations: 1, deltas: 0)
    let document = PictureDocument(Self.map(Self.timeline(names, end: "0/5000000"), text).svg())
    #expect(document.isWellFormed)
    #expect(!document.elements.contains { $0.name == "script" })
    #expect(
      document.elements.contains {
        $0.name == "title" && $0.text.contains("</title><script>alert('&\"')</script>")
      })
  }

  /// Goal: a timeline without layers, or at the ends of all ranges, is drawn as well.
  @Test func extremes() {
    let last = LogSequenceNumber(rawValue: .max)
    let names = [
      LayerName.level0(LogSequenceNumber(rawValue: 0)..<last),
      LayerName(
        keys: .minimum..<(.maximum), extent: .image(at: LogSequenceNumber(rawValue: .max - 1))),
    ]
    for timeline in [Self.timeline([], end: "0/0"), Self.timeline(names, end: last.description)] {
      #expect(PictureDocument(Self.map(timeline).svg()).isWellFormed)
    }
  }

  /// Goal: the file is whole or not there. Method: over an old file; where it cannot be.
  @Test func file() throws {
    let directory = try TemporaryDirectory()
    let map = Self.map(Self.timeline(Self.names(chunks: 1, relations: 0, deltas: 0), end: "0/8"))
    try Data("old".utf8).write(to: URL(filePath: directory.path + "/map.svg"))
    try map.write(to: .file(directory.path + "/map.svg"))
    #expect(try directory.files() == ["map.svg": Array(map.svg().utf8)])
    try FileManager.default.createDirectory(
      atPath: directory.path + "/taken", withIntermediateDirectories: false)
    #expect(throws: Failure.self) { try map.write(to: .file(directory.path + "/taken")) }
    let error = #expect(throws: Failure.self) {
      try map.write(to: .file(directory.path + "/nowhere/map.svg"))
    }
    #expect(error?.exitCode == .cannotCreate)
    #expect(try directory.files().keys.sorted() == ["map.svg"])
  }

  /// Goal: an axis keeps the order, its length, and gives room by share.
  @Test func rankScale() {
    let scale = RankScale([8, 1, 2, 8, 100], length: 100) { stretch in
      .init(least: 10, share: stretch.lowerBound == 2 ? 3 : stretch.lowerBound == 8 ? 1 : 0)
    }
    #expect(scale.positions == [1, 2, 8, 100])
    #expect(scale.positions.map { scale.coordinate($0) } == [0, 10, 72.5, 100])
    let crowded = RankScale(0...1000, length: 50) { _ in .init(least: 10, share: 1) }
    #expect(abs(crowded.length - 50) < 0.001)
    #expect(RankScale([Int](), length: 5) { _ in .init(least: 1, share: 1) }.length == 0)
  }
}
