import Foundation
import FuzzTargets
import Operations
import TestSupport

/// The first inputs of fuzzing: small parts of real backups, all valid.
enum FuzzSeeds {
  /// The seeds of a target by name.
  static func all(of target: FuzzTarget) async throws -> [String: [UInt8]] {
    switch target {
    case .archive: ["cluster": short(archive.encoded()), "sparse": short(try sparseArchive())]
    case .name: names
    case .controlFile: try postgresFiles(".pg_control")
    case .twoPhase: try postgresFiles(".twophase-")
    case .origins: try postgresFiles(".replorigin_checkpoint")
    case .signal:
      [
        "lsn": Array("PREV LSN: 0/5057110".utf8), "none": Array("PREV LSN: none\n".utf8),
        "invalid": Array("PREV LSN: invalid".utf8),
      ]
    case .backupLabel: ["online": try online["backup_label"].contents]
    case .tablespaceMap: ["two": Array("16384 /srv/one\n16385 /srv/t w\\\no\n".utf8)]
    case .catalog: ["pg_database": Array(try online["global/1262"].contents.prefix(8192))]
    case .relationMap: ["shared": try online["global/pg_filenode.map"].contents]
    case .writeAheadLog: try writeAheadLog()
    case .layer: try await layers()
    case .index: ["golden": try Fixture.bytes("golden/index_part.json-00000001")]
    case .manifest: ["cluster": try TestManifest(archive).encoded()]
    case .listing: ["page": Array(listing.utf8)]
    case .gzip: ["tar": try compressed("gzip", "-9", "-n")]
    case .lz4:
      [
        "tar": try compressed("lz4", "-9", "-BD", "--content-size"),
        "plain": try compressed("lz4", "--no-frame-crc"),
      ]
    case .xz:
      [
        "tar": try compressed("xz", "-9"), "crc32": try compressed("xz", "--check=crc32"),
        "blocks": try compressed("xz", "--threads=2", "--block-size=16KiB"),
      ]
    case .zstd:
      ["tar": try compressed("zstd", "-19"), "fast": try compressed("zstd", "--no-check")]
    }
  }

  /// A backup of a few KiB: every small file, one relation and the SLRU segments that every cluster
  /// has, of one page each.
  static let archive: TestTar = {
    var tar = SmallBackup.tiny
    var hasRelation = false
    tar.members.removeAll { member in
      if member.type == "5" { return member.name.utf8.count > 12 }
      let name = member.name
      if ["PG_VERSION", "pg_control", "pg_filenode.map"].contains(where: name.hasSuffix) {
        return name.hasPrefix("./base/") && !name.hasPrefix("./base/5/")
      }
      if name.hasPrefix("./pg_twophase/") { return false }
      if name.hasSuffix("replorigin_checkpoint") { return false }
      if ["./pg_xact/0000", "./pg_multixact/offsets/0000"].contains(name) {
        return member.contents.count > 8192
      }
      if name.hasPrefix("./base/5/"), member.contents.count == 8192, !hasRelation {
        hasRelation = true
        return false
      }
      return true
    }
    tar.fitRelationMaps()
    return tar
  }()

  /// A tar in the format of the target, which corrects its checksums.
  private static func short(_ tar: [UInt8]) -> [UInt8] {
    [0] + ShortForm.encode(tar, blockByteCount: ShortForm.archiveBlock)
  }

  /// The same cluster with a sparse relation in the format of GNU tar.
  private static func sparseArchive() throws -> [UInt8] {
    let directory = try TemporaryDirectory(inMemory: true)
    try Data(archive.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    return try Shell.output(
      "bash", "-c",
      """
      mkdir data && tar -C data -xf backup.tar && mkdir -p data/base/5 &&
        truncate --size 32768 data/base/5/99999 &&
        printf x | dd of=data/base/5/99999 bs=8192 seek=1 conv=notrunc status=none &&
        tar -C data --sparse --format=pax --sort=name -cf - .
      """, directory: directory.path)
  }

  private static let names: [String: [UInt8]] = Dictionary(
    uniqueKeysWithValues: [
      "./base/5/16384_vm.1", "./global/1262_fsm", "./pg_xact/0000", "./pg_multixact/offsets/0000",
      "pg_twophase/0000000000000336", "./base/5/t3_16384", "./pg_replslot/slot/state",
      "pg_logical/replorigin_checkpoint", "./base/5/pg_filenode.map", "./pg_wal/0000000100000000",
      "base/pgsql_tmp/pgsql_tmp1.0", "data/global/pg_control", "./global/pg_control.old",
      "pg_stat/pgstat.stat", "neon.signal",
    ].enumerated().map { ("\($0)", Array($1.utf8)) })

  /// A backup of a running cluster.
  private static var online: TestTar {
    get throws { TestTar(decoding: try Fixture.bytes("online-15/base.tar")) }
  }

  /// The first pages of real segments; and the parts of a record, which are a truncation's.
  private static func writeAheadLog() throws -> [String: [UInt8]] {
    var seeds: [String: [UInt8]] = [
      "truncation": [0x83, 255, 20] + [UInt8](repeating: 2, count: 20)
    ]
    for (index, name) in ["online-14", "online-16", "online-17"].enumerated() {
      let segments = TestTar(decoding: try Fixture.bytes(name + "/pg_wal.tar")).members
        .filter { $0.contents.count == 1 << 20 }
      for (number, segment) in segments.prefix(2).enumerated() {
        let pages = ShortForm.encode(
          Array(segment.contents.prefix(2 * ShortForm.walPage)), blockByteCount: ShortForm.walPage)
        seeds["\(name)-\(number)"] = [[0, 2, 3][index]] + pages
      }
    }
    return seeds
  }

  /// A page as Ceph gives it.
  private static let listing = """
    <?xml version="1.0" encoding="UTF-8"?><ListBucketResult \
    xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a%2F</Prefix>\
    <Delimiter>/</Delimiter><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>\
    <EncodingType>url</EncodingType><NextContinuationToken>a%2Fb+c</NextContinuationToken>\
    <Contents><Key>a%2F%C3%A9&amp;</Key><LastModified>2026-11-28T20:00:00.000Z</LastModified>\
    <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>12</Size></Contents>\
    <CommonPrefixes><Prefix>a%2Fdir%2F</Prefix></CommonPrefixes></ListBucketResult>
    """

  /// The fixtures of `postgres-format` with this word in their name.
  private static func postgresFiles(_ word: String) throws -> [String: [UInt8]] {
    let directory = Fixture.path("postgres-format")
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory)
    where name.contains(word) && !name.hasPrefix("clean-18") {
      files[name] = Array(try Data(contentsOf: URL(filePath: directory + "/" + name)))
    }
    return files
  }

  /// The layers of an import of the smallest backup, in the short form.
  private static func layers() async throws -> [String: [UInt8]] {
    let directory = try TemporaryDirectory(inMemory: true)
    let backup = directory.path + "/backup.tar"
    try Data(archive.encoded()).write(to: URL(filePath: backup))
    var seeds: [String: [UInt8]] = [:]
    for (name, relationSize) in [("small", UInt64(1) << 20), ("big", 8192)] {
      var options = ImportOptions(backup: backup, outputDirectory: directory.path + "/" + name)
      options.smallRelationSize = relationSize
      _ = try importBackup(options, progress: nil)
    }
    for (path, contents) in try directory.files() where path.hasSuffix("-00000001") {
      let parts = path.split(separator: "/")
      guard let file = parts.last, file.contains("__") else { continue }
      seeds["\(parts[0])-\(file)"] = ShortForm.encode(
        contents, blockByteCount: ShortForm.layerBlock)
    }
    return seeds
  }

  /// The first KiB of the smallest backup, through a compressor.
  private static func compressed(_ program: String...) throws -> [UInt8] {
    let directory = try TemporaryDirectory(inMemory: true)
    try Data(archive.encoded().prefix(6000)).write(to: URL(filePath: directory.path + "/input"))
    return try Shell.output(
      "bash", "-c", program.joined(separator: " ") + " -c < input", directory: directory.path)
  }
}
