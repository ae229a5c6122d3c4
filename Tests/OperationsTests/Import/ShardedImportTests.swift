import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// Imports into tenants of several shards.
@Suite struct ShardedImportTests {
  private static let tenant = String(repeating: "1", count: 32)
  private static let timeline = String(repeating: "2", count: 32)

  /// Every fixture with every count, so that each stripe size meets each count.
  private static let cases: [(name: String, layout: ShardLayout)] =
    ImportFixtureTests.names.enumerated().flatMap { index, name in
      [2, 3, 4, 8].enumerated().map { place, count in
        (name, ShardLayout(count: count, stripeSize: [1, 256, 2048][(index + place) % 3]))
      }
    }

  private static func options(
    _ backup: String, _ output: String, _ layout: ShardLayout
  ) -> ImportOptions {
    var options = ImportOptions(backup: backup, outputDirectory: output)
    options.tenantID = tenant
    options.timelineID = timeline
    options.shardCount = layout.count
    options.stripeSize = layout.stripeSize
    return options
  }

  private static func path(_ output: String, _ shard: Int, of count: Int) throws -> String {
    let tenant = try #require(Identifier(Self.tenant))
    let name = ShardID(shard, of: count).directoryName(ofTenant: tenant)
    return "\(output)/tenants/\(name)/timelines/\(timeline)"
  }

  private static func verify(_ path: String, against backup: String? = nil) throws -> VerifySummary
  {
    var options = VerifyOptions(timeline: path)
    options.backup = backup
    return try verifyTimeline(options, progress: nil)
  }

  /// Goal: each key is in exactly the shards that own it, with the value that a pageserver gave out.
  /// Method: list what each shard's layers hold, and compare with the fixture's list; small layers, so
  /// that relations have several. All shards together verify.
  @Test(arguments: cases.indices) func keysAndValues(_ index: Int) throws {
    let (name, layout) = Self.cases[index]
    let output = try TemporaryDirectory()
    var options = Self.options(Fixture.path(name + ".tar.zst"), output.path, layout)
    options.imageLayerSize = 1 << 20
    options.chunkSize = 1 << 20
    options.smallRelationSize = 256 << 10
    let summary = try importBackup(options, progress: nil)
    #expect(summary.shardCount == layout.count && summary.otherIndexes.count == layout.count - 1)
    let expected = try Fixture.lines(name + ".keys").map(String.init)
    for shard in 0..<layout.count {
      let own = expected.filter { line in
        guard let key = Key(line.prefix(36)) else { return true }
        let owner = layout.owner(of: key.meaning)
        return owner == .every || owner == .shard(shard)
      }
      let found = try TimelineListing.lines(of: Self.path(output.path, shard, of: layout.count))
      #expect(found == own.sorted(), "shard \(shard)")
    }
    let verified = try Self.verify("\(output.path)/tenants/\(Self.tenant)")
    #expect(verified.findingCount == 0 && verified.keyCount == UInt64(expected.count))
  }

  /// Goal: what an export gives, and what a comparison with the backup reads, is that of a timeline without
  /// shards. Method: exports of both, byte for byte; of a backup with pages in many stripes.
  @Test(arguments: [2, 5]) func exported(count: Int) throws {
    let directory = try TemporaryDirectory()
    let backup = Fixture.path("clean-16.tar.zst")
    var exports: [Data] = []
    for layout in [ShardLayout.unsharded, ShardLayout(count: count, stripeSize: 3)] {
      let output = directory.path + "/\(layout.count)"
      var options = Self.options(backup, output, layout)
      options.smallRelationSize = 64 << 10
      let summary = try importBackup(options, progress: nil)
      let verified = try Self.verify(summary.timelinePath, against: backup)
      #expect(verified.findingCount == 0 && verified.isCompared)
      #expect(verified.comparedPageCount == summary.pageCount)
      let file = directory.path + "/\(layout.count).tar"
      _ = try exportTimeline(
        ExportOptions(timeline: summary.timelinePath, output: .newFile(file)), progress: nil)
      exports.append(try Data(contentsOf: URL(filePath: file)))
    }
    #expect(exports[0] == exports[1])
  }

  /// Goal: an open layer's index that does not fit in memory changes nothing. Method: a layer of 40,000
  /// values, written with 16 KiB of memory and with enough; the same bytes.
  @Test func spilledIndex() throws {
    let directory = try TemporaryDirectory()
    let owner = LayerOwner(
      tenant: try #require(Identifier(Self.tenant)),
      timeline: try #require(Identifier(Self.timeline)), shard: ShardID(1, of: 4))
    let spill = IndexSpill { () throws(Failure) in
      try OutputFile(creating: directory.path + "/spill", mode: 0o600)
    }
    func layer(_ name: String, memory: Int, _ spill: IndexSpill?) throws -> [UInt8] {
      let path = directory.path + "/" + name
      var writer = LayerWriter(
        file: try OutputFile(creating: path, mode: 0o600), of: owner, valuesAt: nil, memory: memory,
        spill: spill)
      let first = Key(0, 1663, 5, 16384, 0, 0)
      for block in 0..<40_000 {
        let blob: [UInt8] = [3, 1, 2, UInt8(truncatingIfNeeded: block)]
        try writer.append(blob.bytes, for: Key(advancing: first, by: block * 5))
      }
      let end = Key(advancing: first, by: 200_000)
      _ = try writer.finish(as: LayerName(keys: first..<end, extent: .image(at: ImportedLSN.image)))
      return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }
    let expected = try layer("a", memory: 1 << 20, nil)
    #expect(try layer("b", memory: 16 << 10, spill) == expected)
    #expect(try layer("c", memory: 16 << 10, spill) == expected)
    #expect(!FileManager.default.fileExists(atPath: directory.path + "/spill"))
  }

  // MARK: Layouts

  /// Goal: whatever layers small relations come into, the timeline holds the same, and what is sorted has
  /// no L0 but the last. Method: every fixture, of each layout, as a tar and as a directory, with chunks
  /// so small that there are many; against the fixture's list.
  @Test(arguments: ImportFixtureTests.names) func layouts(_ name: String) throws {
    let directory = try TemporaryDirectory()
    let tar = Fixture.path(name + ".tar.zst")
    let data = directory.path + "/data"
    _ = try Shell.output("mkdir", data)
    _ = try Shell.output("tar", "-C", data, "-xf", tar)
    let expected = try Fixture.lines(name + ".keys").map(String.init).sorted()
    let isCluster = !name.hasPrefix("fullbackup")
    for (number, layout) in LayerLayout.allCases.enumerated() {
      for backup in [tar] + (isCluster ? [data] : []) {
        let isDirectory = backup == data
        var options = Self.options(
          backup, "\(directory.path)/\(number)\(isDirectory)", .unsharded)
        options.layout = layout
        options.imageLayerSize = 1 << 20
        options.chunkSize = 200 << 10
        options.smallRelationSize = 256 << 10
        let forecast = try rehearseImport(options, progress: nil).summary
        let summary = try importBackup(options, progress: nil)
        #expect(try TimelineListing.lines(of: summary.timelinePath) == expected, "\(layout)")
        #expect(try Self.verify(summary.timelinePath).findingCount == 0)
        #expect(summary.l0LayerCount == 1 || layout == .level0 && summary.l0LayerCount > 9)
        #expect(summary.layout == (layout == .level0 ? .level0 : .sorted))
        #expect(abs(forecast.l0LayerCount - summary.l0LayerCount) <= 2)
        let ratio = Double(forecast.outputByteCount) / Double(summary.outputByteCount)
        #expect((0.9...1.1).contains(ratio), "\(ratio)")
      }
    }
  }

  /// Goal: few small relations become L0s, as many as a pageserver leaves alone. Method: chunks of which
  /// there are eight, and nine.
  @Test func automaticLayout() throws {
    let directory = try TemporaryDirectory()
    var counts: [LayerLayout: Set<Int>] = [:]
    for size in stride(from: 600, through: 2000, by: 100) {
      var options = Self.options(
        Fixture.path("clean-15.tar.zst"), "\(directory.path)/\(size)", .unsharded)
      options.chunkSize = UInt64(size) << 10
      let summary = try importBackup(options, progress: nil)
      counts[summary.layout, default: []].insert(summary.l0LayerCount)
      #expect(try Self.verify(summary.timelinePath).findingCount == 0)
    }
    #expect(counts[.sorted] == [1])
    #expect(counts[.level0]?.max() == 9)
  }

  // MARK: Tenants

  private static func manifests(_ output: String) throws -> [String: String] {
    var found: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: output + "/tenants") {
      let directory = "\(output)/tenants/\(name)"
      for file in try FileManager.default.contentsOfDirectory(atPath: directory)
      where file != "timelines" {
        found["\(name)/\(file)"] = try String(
          contentsOfFile: directory + "/" + file, encoding: .utf8)
      }
    }
    return found
  }

  private static func small(_ directory: TemporaryDirectory) throws -> String {
    let path = directory.path + "/small.tar"
    try Data(SmallBackup.tar.encoded()).write(to: URL(filePath: path))
    return path
  }

  /// Goal: a tenant gets a manifest where it has none, one that is there is not touched, and another
  /// stripe size or another number of shards is refused, before anything is written. Method: several
  /// imports into one directory.
  @Test func tenants() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let backup = try Self.small(directory)
    var options = Self.options(backup, output, .unsharded)
    options.stripeSize = nil
    _ = try importBackup(options, progress: nil)
    let name = Self.tenant + "/tenant-manifest-00000001.json"
    let text = #"{"version":2,"stripe_size":2048,"offloaded_timelines":[]}"#
    #expect(try Self.manifests(output) == [name: text])

    // One that a service has written.
    let other = #"{"version":2,"stripe_size":32768,"offloaded_timelines":[]}"#
    let path = "\(output)/tenants/\(Self.tenant)/tenant-manifest-0000001f.json"
    try Data(other.utf8).write(to: URL(filePath: path))
    options.timelineID = String(repeating: "3", count: 32)
    options.generation = 40
    _ = try importBackup(options, progress: nil)
    let both = try Self.manifests(output)
    #expect(both.count == 2 && both.values.contains(other))

    options.timelineID = String(repeating: "4", count: 32)
    options.stripeSize = 2048
    let before = try directory.files()
    var error = #expect(throws: Failure.self) { try importBackup(options, progress: nil) }
    #expect(error?.code == .stripeSizeDiffers)
    #expect(error?.hint?.contains("--stripe-size 32768") == true)
    options.stripeSize = nil
    options.shardCount = 4
    error = #expect(throws: Failure.self) { try importBackup(options, progress: nil) }
    #expect(error?.code == .tenantLayoutDiffers)
    #expect(
      try rehearseImport(options, progress: nil).reasons.map(\.code) == ["tenant-layout-differs"])
    #expect(try directory.files() == before)
    options.shardCount = 1
    options.stripeSize = 32768
    _ = try importBackup(options, progress: nil)
  }

  /// Goal: shards without a manifest are those of a service that takes 32768. Method: the manifests of a
  /// tenant are removed, and another timeline comes.
  @Test func withoutManifest() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let backup = try Self.small(directory)
    var options = Self.options(backup, output, ShardLayout(count: 2))
    _ = try importBackup(options, progress: nil)
    for name in try Self.manifests(output).keys {
      try FileManager.default.removeItem(atPath: "\(output)/tenants/\(name)")
    }
    options.timelineID = String(repeating: "3", count: 32)
    let error = #expect(throws: Failure.self) { try importBackup(options, progress: nil) }
    #expect(error?.code == .stripeSizeDiffers)
    // It is read as a service would, so that its pages are in the wrong shards.
    let verified = try Self.verify("\(output)/tenants/\(Self.tenant)")
    #expect(verified.stripeSize == 32768)
    #expect(verified.findings.first?.code == .manifestMissing)
  }

  /// Imports a small backup into two shards; gives the path of the tenant.
  private static func importTwoShards(
    _ directory: TemporaryDirectory, stripeSize: UInt32
  ) throws -> String {
    let output = directory.path + "/out"
    _ = try importBackup(
      options(try small(directory), output, ShardLayout(count: 2, stripeSize: stripeSize)),
      progress: nil)
    return "\(output)/tenants/\(tenant)"
  }

  /// Goal: manifests that were not copied are found, as `attach` requires them, also if the timeline has
  /// the stripe size that a service takes without. Method: of two shards one or both have none.
  @Test func manifestsNotCopied() throws {
    let directory = try TemporaryDirectory()
    let tenant = try Self.importTwoShards(directory, stripeSize: 32768)
    #expect(try Self.verify(tenant).findings == [])
    for (shard, words) in [
      ("0102", "shard 1 of 2 of '\(tenant)' has no"),
      ("0002", "shards 0-1 of 2 of '\(tenant)' have no"),
    ] {
      try FileManager.default.removeItem(
        atPath: "\(tenant)-\(shard)/tenant-manifest-00000001.json")
      let findings = try Self.verify(tenant).findings
      #expect(findings.map(\.code) == [.manifestMissing])
      #expect(findings.first?.message.hasPrefix(words) == true, "\(findings)")
    }
  }

  /// Goal: what is wrong with a tenant's shards is found. Method: a shard is missing; its index is another
  /// import's; a layer is in the wrong shard; a value differs.
  @Test func damagedShards() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let backup = try Self.small(directory)
    _ = try importBackup(
      Self.options(backup, output, ShardLayout(count: 2, stripeSize: 1)), progress: nil)
    let tenant = "\(output)/tenants/\(Self.tenant)"
    let manager = FileManager.default

    try manager.moveItem(atPath: tenant + "-0102", toPath: output + "/away")
    var error = #expect(throws: Failure.self) { try Self.verify(tenant) }
    #expect(error?.code == .shardMissing && error?.message.contains("0102") == true)
    let listed = try listTimelines(ListOptions(path: output))
    #expect(listed.timelines.map(\.code) == ["shard-missing"])
    #expect(listed.failure?.exitCode == .damaged)
    try manager.moveItem(atPath: output + "/away", toPath: tenant + "-0102")
    #expect(try listTimelines(ListOptions(path: output)).timelines.map(\.state) == [.complete])
    #expect(try listTimelines(ListOptions(path: tenant)).timelines.map(\.shardCount) == [2])
    #expect(throws: Failure.self) { try listTimelines(ListOptions(path: tenant.dropLast() + "2")) }

    // The two shards change places: every key is in the wrong one.
    let (first, second) = (try Self.path(output, 0, of: 2), try Self.path(output, 1, of: 2))
    for (from, to) in [(first, output + "/away"), (second, first), (output + "/away", second)] {
      try manager.moveItem(atPath: from, toPath: to)
    }
    let swapped = try Self.verify(tenant)
    #expect(swapped.findings.contains { $0.code == .keyInWrongShard })
    #expect(swapped.findings.contains { $0.code == .indexInconsistent })

    // Shards of two imports, of the same cluster at different generations.
    try manager.removeItem(atPath: output)
    var options = Self.options(backup, output, ShardLayout(count: 2, stripeSize: 1))
    _ = try importBackup(options, progress: nil)
    options.outputDirectory = directory.path + "/other"
    options.generation = 2
    _ = try importBackup(options, progress: nil)
    try manager.removeItem(atPath: second)
    try manager.moveItem(
      atPath: try Self.path(options.outputDirectory, 1, of: 2), toPath: second)
    error = #expect(throws: Failure.self) { try Self.verify(tenant) }
    #expect(error?.code == .shardsDiffer)
  }

  /// Goal: one shard is refused alike by every command that reads a timeline or publishes it, with the path
  /// of all shards. Method: the directory of a shard, and its timeline.
  @Test func oneShard() throws {
    let directory = try TemporaryDirectory()
    let tenant = try Self.importTwoShards(directory, stripeSize: 1)
    let file = ExportOptions(timeline: tenant + "-0102", output: .file(directory.path + "/tar"))
    let errors = [
      #expect(throws: Failure.self) { try Self.verify(tenant + "-0102") },
      #expect(throws: Failure.self) { try inspect(InspectOptions(path: tenant + "-0102/")) },
      #expect(throws: Failure.self) { try exportTimeline(file, progress: nil) },
      #expect(throws: Failure.self) { try publishTimeline(tenant + "-0102") },
    ]
    for error in errors {
      #expect(error?.code == .timelineShard)
      #expect(error?.hint?.hasPrefix("Give all shards: '\(tenant)") == true, "\(error?.hint ?? "")")
    }
    let timeline = "/timelines/\(Self.timeline)"
    let error = #expect(throws: Failure.self) { try Self.verify(tenant + "-0102" + timeline) }
    #expect(error?.code == .timelineShard)
    #expect(error?.hint == "Give all shards: '\(tenant)\(timeline)'.")
  }

  /// Goal: a copy of a value in another shard that differs is found. Method: the last L0 of shard 1 is that
  /// of an import at another compression level whose control file has another system identifier.
  @Test func differentValues() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    var options = Self.options(
      try Self.small(directory), output, ShardLayout(count: 2, stripeSize: 1))
    _ = try importBackup(options, progress: nil)
    let other = SmallBackup.withControlFile { $0[0] ^= 1 }
    try Data(other.encoded()).write(to: URL(filePath: directory.path + "/other.tar"))
    options.backup = directory.path + "/other.tar"
    options.outputDirectory = directory.path + "/other"
    _ = try importBackup(options, progress: nil)
    let second = try Self.path(output, 1, of: 2)
    try FileManager.default.removeItem(atPath: second)
    try FileManager.default.moveItem(
      atPath: try Self.path(options.outputDirectory, 1, of: 2), toPath: second)
    let verified = try Self.verify("\(output)/tenants/\(Self.tenant)")
    #expect(verified.findings.map(\.code) == [FindingCode.shardsDiffer])
    #expect(verified.findings.first?.message.contains("pg_control") == true)
  }

  /// Goal: a timeline that a pageserver has split is refused, not read wrong. Method: the index of a shard
  /// names a layer of the unsharded tenant.
  @Test func splitShards() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let options = Self.options(
      try Self.small(directory), output, ShardLayout(count: 2, stripeSize: 1))
    let summary = try importBackup(options, progress: nil)
    let index = try #require(summary.indexPath)
    let text = try String(contentsOfFile: index, encoding: .utf8)
    try Data(text.replacing("\"0002\"", with: "\"0000\"", maxReplacements: 1).utf8)
      .write(to: URL(filePath: index))
    let error = #expect(throws: Failure.self) { try Self.verify(summary.timelinePath) }
    #expect(error?.code == .timelineShard)
  }

  // MARK: Publishing

  private static func importShards(
    _ list: String, _ backup: String, _ output: String, count: Int = 4
  ) throws -> ImportSummary {
    var options = options(backup, output, ShardLayout(count: count, stripeSize: 2))
    options.onlyShards = list
    return try importBackup(options, progress: nil)
  }

  /// `list` shows one timeline, in this state and without an error.
  private static func expectListed(
    _ tenant: String, _ state: ListedTimeline.State, error: String?
  ) throws {
    let list = try listTimelines(ListOptions(path: tenant))
    #expect(list.timelines.map(\.state) == [state] && list.failure == nil)
    let timeline = try #require(list.timelines.first)
    #expect(timeline.error == error && timeline.code == error.map { _ in "shard-missing" })
    #expect(timeline.shardCount == 4)
    #expect(timeline.postgresVersion != nil && timeline.layerByteCount != nil)
  }

  /// Goal: shards that were written one by one and published are those of one import; until then there is
  /// no index. Method: shards in three imports, one of them twice; published, and published again.
  @Test func published() throws {
    let directory = try TemporaryDirectory()
    let (output, whole) = (directory.path + "/out", directory.path + "/whole")
    let backup = try Self.small(directory)
    let tenant = "\(output)/tenants/\(Self.tenant)"
    _ = try Self.importShards("0,3", backup, output)
    var error = #expect(throws: Failure.self) { try publishTimeline(tenant) }
    #expect(error?.code == .shardMissing && error?.hint?.contains("--only-shards 1-2") == true)
    #expect(error?.message.hasPrefix("shards 1-2 of 4 are missing in ") == true)
    try Self.expectListed(tenant, .unpublished, error: "shards 1-2 of 4 are missing")
    let summary = try Self.importShards("1", backup, output)
    #expect(summary.onlyShards == [1])
    _ = try Self.importShards("0,3", backup, output)
    _ = try Self.importShards("2-2", backup, output)
    let indexes = try directory.files().keys.filter { $0.contains("index_part") }
    #expect(indexes.count == 4 && indexes.allSatisfy { $0.hasPrefix("out/pending/") })
    error = #expect(throws: Failure.self) { try Self.verify(tenant) }
    #expect(error?.exitCode == .cannotOpen)

    try Self.expectListed(tenant, .unpublished, error: nil)

    for expected in [4, 0] {
      let published = try publishTimeline(tenant + "/")
      #expect(published.publishedShardCount == expected && published.shardCount == 4)
      #expect(published.stripeSize == 2 && published.timelineID == Self.timeline)
    }
    _ = try importBackup(
      Self.options(backup, whole, ShardLayout(count: 4, stripeSize: 2)), progress: nil)
    func files(_ place: String) throws -> [String: [UInt8]] {
      var found: [String: [UInt8]] = [:]
      for (name, bytes) in try directory.files() where name.hasPrefix(place + "/tenants/") {
        found[String(name.dropFirst(place.count))] = bytes
      }
      return found
    }
    #expect(try files("out") == files("whole"))
    #expect(try directory.files().keys.allSatisfy { !$0.hasPrefix("out/pending") })
    #expect(try Self.verify(tenant, against: backup).findingCount == 0)
    try Self.expectListed(tenant, .complete, error: nil)
  }

  /// Goal: shards that do not belong together are not published. Method: one of another cluster, one with
  /// another stripe size, one without a layer; after each nothing is published.
  @Test func notPublished() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let backup = try Self.small(directory)
    let tenant = "\(output)/tenants/\(Self.tenant)"
    func refusal() throws -> ErrorCode? {
      let error = #expect(throws: Failure.self) { try publishTimeline(tenant) }
      let indexes = try directory.files().keys.filter { $0.contains("index_part") }
      #expect(indexes.allSatisfy { $0.hasPrefix("out/pending/") })
      return error?.code
    }
    let other = SmallBackup.withControlFile { $0[0] ^= 1 }
    try Data(other.encoded()).write(to: URL(filePath: directory.path + "/other.tar"))
    _ = try Self.importShards("0", backup, output, count: 2)
    _ = try Self.importShards("1", directory.path + "/other.tar", output, count: 2)
    #expect(try refusal() == .shardsDiffer)

    var options = Self.options(backup, output, ShardLayout(count: 2, stripeSize: 7))
    options.onlyShards = "1"
    _ = try importBackup(options, progress: nil)
    #expect(try refusal() == .shardsDiffer)

    _ = try Self.importShards("1", backup, output, count: 2)
    let shard = try Self.path(output, 1, of: 2)
    let layer = try #require(try FileManager.default.contentsOfDirectory(atPath: shard).first)
    let contents = try Data(contentsOf: URL(filePath: shard + "/" + layer))
    try contents.dropLast(8192).write(to: URL(filePath: shard + "/" + layer))
    #expect(try [.missingFile, .layerDamaged].contains(refusal()))
    try contents.write(to: URL(filePath: shard + "/" + layer))
    #expect(try publishTimeline(tenant).publishedShardCount == 2)
  }

  /// Goal: an interrupted publication can be done again. Method: one shard's index is published by hand,
  /// then all.
  @Test func publishedInPart() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    let backup = try Self.small(directory)
    _ = try Self.importShards("0-1", backup, output, count: 2)
    let name = "index_part.json-00000001"
    let tenant = try #require(Identifier(Self.tenant))
    let pending = "\(output)/pending/\(ShardID(1, of: 2).directoryName(ofTenant: tenant))/"
    try FileManager.default.moveItem(
      atPath: pending + Self.timeline + "/" + name,
      toPath: try Self.path(output, 1, of: 2) + "/" + name)
    let published = try publishTimeline("\(output)/tenants/\(Self.tenant)")
    #expect(published.publishedShardCount == 1)
    #expect(try Self.verify("\(output)/tenants/\(Self.tenant)").findingCount == 0)
  }

  /// Goal: what cannot be removed from `pending` is a warning, and the next publication removes it. Method: a
  /// directory in that of a shard.
  @Test func pendingRemains() throws {
    let directory = try TemporaryDirectory()
    let output = directory.path + "/out"
    _ = try Self.importShards("0-1", try Self.small(directory), output, count: 2)
    let tenant = try #require(Identifier(Self.tenant))
    let shard = "\(output)/pending/\(ShardID(1, of: 2).directoryName(ofTenant: tenant))"
    let obstacle = "\(shard)/\(Self.timeline)/obstacle"
    try FileManager.default.createDirectory(
      atPath: obstacle, withIntermediateDirectories: false)
    for hasObstacle in [true, false] {
      if !hasObstacle { try FileManager.default.removeItem(atPath: obstacle) }
      let published = try publishTimeline("\(output)/tenants/\(Self.tenant)")
      #expect(published.warnings.map(\.code) == (hasObstacle ? [.remainsNotRemoved] : []))
      #expect(published.warnings.allSatisfy { $0.message.contains("'\(obstacle)'") })
      #expect(FileManager.default.fileExists(atPath: shard) == hasObstacle)
      #expect(try Self.verify("\(output)/tenants/\(Self.tenant)").findingCount == 0)
    }
  }

  /// Goal: a list of shards is read as it is written, or refused.
  @Test func lists() {
    let layout = ShardLayout(count: 8)
    #expect(ShardSelection(layout, only: "0-3,7")?.numbers == [0, 1, 2, 3, 7])
    #expect(ShardSelection(layout, only: "5,1,5-6")?.numbers == [1, 5, 6])
    for text in ["", ",", "8", "3-1", "1-", "-1", "1--2", "a", "1-2-3", "0x1", " 1", "7-8"] {
      #expect(ShardSelection(layout, only: text) == nil, "\(text)")
    }
  }
}
