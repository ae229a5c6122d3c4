import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// What an inspection says of a timeline, against a plain reading of all of it.
@Suite struct TimelineInspectionTests {
  private static let fork = RelationForkID(databaseID: 5, relationNumber: 16384, fork: .main)

  /// Imports a real backup into layers of all kinds that an import writes.
  private static func importedTimeline(in directory: TemporaryDirectory) async throws -> String {
    var options = ImportOptions(
      backup: Fixture.path("clean-15-minimal-promoted.tar.zst"), outputDirectory: directory.path)
    options.smallRelationSize = 1 << 20
    options.imageLayerSize = 1 << 20
    options.chunkSize = 2 << 20
    return try importBackup(options, progress: nil).timelinePath
  }

  private static func describe(
    _ path: String, _ configure: (inout InspectOptions) -> Void = { _ in }
  ) throws -> TimelineDescription {
    var options = InspectOptions(path: path)
    configure(&options)
    return try TimelineInspector(options).describe()
  }

  /// Goal: counts and lengths of every layer are right. Method: read all values, add them up.
  @Test func contents() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.importedTimeline(in: directory)
    let description = try Self.describe(path)
    let timeline = try Timeline(path: path)
    #expect(description.layers.count == timeline.layers.count)
    for (layer, described) in zip(timeline.layers, description.layers) {
      let file = try timeline.open(layer)
      var scanner = try LayerScanner(file)
      var stored: UInt64 = 0
      while let value = try scanner.next() {
        let header = value.blob.header
        stored += UInt64(header.byteCount)
        stored += header.isCompressed || header.byteCount >= 128 ? 4 : 1
      }
      var reader = try LayerValueReader(file)
      var plain: UInt64 = 0
      var count = 0
      while try reader.next({ _, value in
        plain += UInt64(value.bytes.byteCount)
        count += 1
      }) {}
      let contents = try #require(described.contents)
      #expect(contents.valueCount == count)
      #expect(contents.recordCount == 0)
      #expect(contents.plainByteCount == plain)
      #expect(contents.storedByteCount == stored)
      #expect(described.byteCount == file.byteCount)
    }
    #expect(description.totals.map(\.kind) == [.level0, .image])
    #expect(description.totals.reduce(0) { $0 + $1.layerCount } == description.layers.count)
    #expect(description.unnamedFiles.isEmpty)
  }

  /// Goal: a point lookup finds every key of a layer, and none that is not there. Method: every
  /// seventh key of layers whose index has more than one level, and the keys beside them.
  @Test func lookup() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.importedTimeline(in: directory)
    let timeline = try Timeline(path: path)
    var deepest = 0
    for layer in timeline.layers {
      let file = try timeline.open(layer)
      deepest = max(deepest, try file.node(file.summary.indexRoot).level)
      var cursor = try LayerIndexCursor(file)
      var entries: [LayerEntry] = []
      while let entry = try cursor.next() { entries.append(entry) }
      let keys = Set(entries.map(\.key))
      for entry in stride(from: 0, to: entries.count, by: 7).map({ entries[$0] }) {
        #expect(try file.entry(of: entry.key) == entry)
        if !keys.contains(entry.key.next) { #expect(try file.entry(of: entry.key.next) == nil) }
      }
      if !keys.contains(.minimum) { #expect(try file.entry(of: .minimum) == nil) }
      #expect(try file.entry(of: .maximum) == nil)
    }
    #expect(deepest > 0)
  }

  /// Goal: a key's bytes are those of the backup, and where they lie is said right. Method: the
  /// control file's value, whose bytes begin with the system identifier, and a page.
  @Test func keyOfImport() async throws {
    let directory = try TemporaryDirectory()
    let path = try await Self.importedTimeline(in: directory)
    let key = try #require(
      try Self.describe(path) { $0.key = Key(.controlFile).description }.key)
    #expect(key.meaning == "global/pg_control")
    #expect(key.entries.count == 1)
    #expect(key.entries[0].plainByteCount == 8192)
    #expect(key.entries[0].lsn == "0/215ACF0")
    let identifier = UInt64(7_711_321_751_215_609_471).byteSwapped
    #expect(key.bytes?.hasPrefix(identifier.hexadecimal(16, uppercase: false)) == true)
    let missing = try #require(try Self.describe(path) { $0.key = Key.maximum.description }.key)
    #expect(missing.entries.isEmpty && missing.bytes == nil)
  }

  /// Goal: what is found for a key is what a pageserver would read: the newest entries down to the
  /// first that stands alone, or to an image layer that covers the key, found there or not.
  @Test func searchOrder() throws {
    let sample = try TimelineSample()
    let keys = (0..<5).map { Key(Self.fork, block: $0) }
    let images = LayerName(
      keys: keys[0]..<keys[3], extent: .image(at: LogSequenceNumber(rawValue: 0x30)))
    try sample.add(
      images,
      [(keys[0], 0x30, .image(TimelineSample.page(1))), (keys[1], 0x30, .image([2, 3]))])
    // From below the image layer to above it.
    try sample.add(
      LayerName(keys: keys[0]..<keys[4], extent: TimelineSample.lsns(0x10..<0x40)),
      [
        (keys[0], 0x20, .image(TimelineSample.page(9))),
        (keys[0], 0x38, .record([7], standsAlone: false)),
        (keys[2], 0x20, .image([8])),
        (keys[3], 0x18, .image([6])),
        (keys[3], 0x20, .record([5], standsAlone: true)),
        (keys[3], 0x28, .record([4], standsAlone: false)),
      ])
    try sample.add(
      .level0(LogSequenceNumber(rawValue: 0x40)..<LogSequenceNumber(rawValue: 0x51)),
      [(keys[0], 0x48, .record([10, 11], standsAlone: false))])
    try sample.finish(end: 0x50)

    func lsns(_ key: Key) throws -> [String] {
      let found = try Self.describe(sample.directory.path) { $0.key = key.description }.key
      return found?.entries.map { "\($0.lsn)\($0.isRecord ? "r" : "")" } ?? []
    }
    #expect(try lsns(keys[0]) == ["0/48r", "0/38r", "0/30"])
    #expect(try lsns(keys[1]) == ["0/30"])
    #expect(try lsns(keys[2]) == [])
    #expect(try lsns(keys[3]) == ["0/28r", "0/20r"])
    #expect(try lsns(keys[4]) == [])
    let newest = try Self.describe(sample.directory.path) { $0.key = keys[0].description }.key
    #expect(newest?.bytes == "000000010a0b")
    #expect(newest?.entries.first?.layerNumber == 1)

    let delta = try #require(
      try Self.describe(sample.directory.path) { $0.layer = "2" }.layerEntries)
    #expect(delta.entries.map(\.lsn) == ["0/20", "0/38", "0/20", "0/18", "0/20", "0/28"])
    #expect(delta.entries.map(\.isRecord) == [false, true, false, false, true, true])
    #expect(delta.entries.map(\.storedByteCount) == [8208, 6, 14, 14, 6, 6])
    #expect(delta.entries.map(\.plainByteCount) == [8192, 5, 1, 1, 5, 5])
    let described = try Self.describe(sample.directory.path)
    #expect(described.layers.map(\.kind) == [.level0, .delta, .image])
    #expect(described.layers.map { $0.contents?.recordCount } == [1, 3, 0])
    // Two steps: as one, the macro compares optionals by a thunk of the compiler that reads a byte
    // too many, which ends a run under the address sanitizer.
    let image = try #require(described.layers[2].contents)
    #expect(image.plainByteCount == 2 * 8192)
    #expect(described.layers[2].keys == "base/5/16384 blocks 0–2")
  }

  /// Goal: a layer is found by name, by file name and by number, and nothing else is.
  @Test func layerNames() throws {
    let sample = try TimelineSample()
    let name = LayerName.level0(
      LogSequenceNumber(rawValue: 0x10)..<LogSequenceNumber(rawValue: 0x51))
    try sample.add(name, [(Key(.controlFile), 0x20, .image([1]))])
    try sample.finish(end: 0x50)
    for text in ["1", name.description, name.fileName(generation: 1)] {
      let entries = try Self.describe(sample.directory.path) { $0.layer = text }.layerEntries
      #expect(entries?.entries.map(\.meaning) == ["global/pg_control"])
      #expect(entries?.layerName == name.fileName(generation: 1))
    }
    for text in ["0", "2", "-1", "", name.fileName(generation: 2), "99999999999999999999"] {
      let error = #expect(throws: Failure.self) {
        try Self.describe(sample.directory.path) { $0.layer = text }
      }
      #expect(error?.exitCode == .usage)
    }
  }

  /// Goal: a layer that is damaged, cut off or not there is described as that, the others as they
  /// are. Method: damage one of two at a time.
  @Test func damage() throws {
    for damage in 0..<4 {
      let sample = try TimelineSample()
      let ranges: [Range<UInt64>] = [0x10..<0x18, 0x18..<0x51]
      let names = ranges.map {
        LayerName(keys: .minimum..<(.maximum), extent: TimelineSample.lsns($0))
      }
      for name in names {
        try sample.add(name, [(Key(.controlFile), name.lsns.lowerBound.rawValue, .image([1]))])
      }
      try sample.finish(end: 0x50)
      let path = sample.directory.path + "/" + names[1].fileName(generation: 1)
      var bytes = Array(try Data(contentsOf: URL(filePath: path)))
      switch damage {
      case 0: bytes[8193] = 0xFF
      case 1: bytes.removeLast(8192)
      case 2: bytes[0] = 0
      default: bytes = []
      }
      if bytes.isEmpty {
        try FileManager.default.removeItem(atPath: path)
      } else {
        try Data(bytes).write(to: URL(filePath: path))
      }
      let description = try Self.describe(sample.directory.path)
      #expect(description.layers[0].error == nil)
      #expect(description.layers[0].contents?.valueCount == 1)
      #expect(description.layers[1].error?.contains(path) == true)
      #expect(description.layers[1].contents == nil)
    }
  }

  /// Goal: a damaged index of a layer ends a lookup in an error, never in a trap or a loop. Method:
  /// every byte of the root's head and of its first values set to other values.
  @Test func damagedTree() throws {
    let sample = try TimelineSample()
    let keys = (0..<2000).map { Key(Self.fork, block: $0) }
    let name = LayerName(
      keys: keys[0]..<keys[1999].next, extent: .image(at: LogSequenceNumber(rawValue: 0x30)))
    try sample.add(name, keys.map { ($0, 0x30, .image([1])) })
    let path = sample.directory.path + "/" + name.fileName(generation: 1)
    let sound = Array(try Data(contentsOf: URL(filePath: path)))
    #expect(try LayerFile(path: path, name: name).entry(of: keys[1234])?.key == keys[1234])
    for offset in 0..<64 {
      for byte: UInt8 in [0, 1, 0x80, 0xFF] {
        var bytes = sound
        bytes[sound.count - 8192 + offset] = byte
        try Data(bytes).write(to: URL(filePath: path))
        let file = try LayerFile(path: path, name: name)
        do throws(Failure) {
          for key in [keys[0], keys[1234], keys[1999]] {
            if let entry = try file.entry(of: key) { #expect(entry.key == key) }
          }
        } catch {
          #expect(error.exitCode == .damaged)
        }
      }
    }
  }
}
