import Foundation
import TestSupport
import Testing

/// Small backups that would need much memory or time: both stay bounded.
@Suite(.serialized, .timeLimit(.minutes(Soak.isOn ? 60 : 20))) struct BombTests {
  /// The memory limit of the program: an import of any backup with one job, the window of a
  /// decoder, and what libarchive needs for the longest headers.
  private static let memoryLimit = 160 << 10  // KiB

  /// Goal: endless headers are refused before they fill the memory. Method: sparse maps in all
  /// formats, pax headers and long names, alone or one after the other, of 40 MB.
  @Test(arguments: ["map in contents", "map of GNU tar", "pax", "global pax", "xattr", "long name"])
  func headers(kind: String) async throws {
    let scene = try Scene(Self.headers(kind))
    let run = try await scene.runMeasured(backup: scene.backup)
    #expect(run.result.exitCode == 65, "\(run.result.error)")
    expectPeak(run.peak, below: Self.memoryLimit)
  }

  private static func headers(_ kind: String) -> [UInt8] {
    let megabyte = [UInt8](repeating: 0x61, count: 1_000_000)
    switch kind {
    case "map in contents":
      let pax = HostileTar.pax([
        ("GNU.sparse.major", [0x31]), ("GNU.sparse.minor", [0x30]),
        ("GNU.sparse.name", Array("base/5/99999".utf8)),
        ("GNU.sparse.realsize", Array("8192".utf8)),
      ])
      let map = Array("10000000\n".utf8) + repeated(Array("1\n0\n".utf8), 10_000_000)
      return pax + HostileTar.member("./base/5/99999", contents: map)
    case "map of GNU tar":
      let header = HostileTar.member("./base/5/99999", type: "S") { header in
        header[386..<397] = Array("00000000000".utf8)[...]
        header[398..<409] = Array("00000000001".utf8)[...]
        header[482] = 1
      }
      var extended: [UInt8] = []
      for _ in 0..<21 { extended += Array("00000000010\u{0}00000000000\u{0}".utf8) }
      extended += [1] + [UInt8](repeating: 0, count: 7)
      return header + repeated(extended, 80_000)
    case "pax":
      return repeated(HostileTar.pax([("comment", megabyte)]), 40)
    case "global pax":
      let global = HostileTar.pax([("comment", megabyte)], type: "g")
      return repeated(global + HostileTar.member("./log/a"), 40)
    case "xattr":
      let attributes = (0..<8000).map { number in
        ("SCHILY.xattr.user.\(number)", [UInt8](repeating: 0x61, count: 100))
      }
      return repeated(HostileTar.pax(attributes) + HostileTar.member("./log/a"), 40)
    default:
      return repeated(HostileTar.member("././@LongLink", type: "L", contents: megabyte), 40)
    }
  }

  private static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count * count)
    for _ in 0..<count { result += bytes }
    return result
  }

  /// Goal: the files that are kept in memory have a common limit. Method: relation maps beyond it,
  /// in one file and in five.
  @Test(arguments: [(1, 33), (5, 8)]) func keptFiles(count: Int, mebibytes: Int) async throws {
    let contents = [UInt8](repeating: 0, count: mebibytes << 20)
    let members = (1...count).map {
      HostileTar.member("./base/\(900 + $0)/pg_filenode.map", contents: contents)
    }
    let scene = try Scene(HostileTar.backup(after: Array(members.joined())))
    let run = try await scene.runMeasured(backup: scene.backup)
    #expect(run.result.exitCode == 69, "\(run.result.error)")
    #expect(run.result.error.contains("exceed 32 MiB"), "\(run.result.error)")
    expectPeak(run.peak, below: Self.memoryLimit)
  }

  /// Goal: holes have a limit. Method: files that are left out, with a hole of 1 GiB, one of 2^62
  /// bytes, and two that exceed the limit only together.
  @Test(arguments: [([30], 0), ([62], 69), ([30, 36], 69)] as [([Int], Int32)])
  func holes(exponents: [Int], exitCode: Int32) async throws {
    let members = exponents.map { exponent in
      HostileTar.pax([
        ("GNU.sparse.size", Array(String(UInt64(1) << exponent).utf8)),
        ("GNU.sparse.map", Array("0,512".utf8)),
      ]) + HostileTar.member("./log/\(exponent)", contents: [UInt8](repeating: 1, count: 512))
    }
    let scene = try Scene(HostileTar.backup(after: Array(members.joined())))
    let run = try await scene.runMeasured(backup: scene.backup)
    #expect(run.result.exitCode == exitCode, "\(run.result.error)")
    if exitCode != 0 { #expect(run.result.error.contains("exceed 64 GiB")) }
    expectPeak(run.peak, below: Self.memoryLimit)
  }

  /// Goal: a stream that inflates to much more than its size takes proportional time, and no
  /// memory. Method: 128 MiB of zeros (`IMPORT_BACKUP_SOAK`: 8 GiB) as a file that is left out, as
  /// a relation, and instead of a header, with each compressor: what is in the tar and what decompresses
  /// it know nothing of each other, so not every pair is tried (`IMPORT_BACKUP_SOAK`: all).
  @Test(arguments: zeroBombs) func zeros(program: String, name: String) async throws {
    let count: UInt64 = Soak.isOn ? 8 << 30 : 128 << 20
    let scene = try Scene()
    let header = name.isEmpty ? [] : HostileTar.member(name, claimed: count)
    try Data(header).write(to: URL(filePath: scene.directory.path + "/header"))
    let path = scene.directory.path
    _ = try Shell.output(
      "bash", "-c",
      """
      cd '\(path)' && (cat header; head --bytes \(count) /dev/zero; cat backup.tar) |
        \(program) -1 > bomb
      """)
    let run = try await scene.runMeasured(backup: path + "/bomb")
    // A segment may have 1 GiB, and zeros are pages that are not in use. Zeros before the first header
    // are the end of an archive without members, which another one follows.
    let isFine = name != "./base/5/99999" || count <= 1 << 30
    #expect(run.result.exitCode == (isFine ? 0 : 65), "\(run.result.error)")
    expectPeak(run.peak, below: Self.memoryLimit)
  }

  private static let zeroBombs: [(String, String)] = {
    let programs = ["gzip", "xz", "xz --threads=2 --block-size=32MiB", "zstd", "lz4"]
    let names = ["./log/a", "./base/5/99999", ""]
    return programs.indices.flatMap { index in
      (Soak.isOn ? names : [names[index % names.count]]).map { (programs[index], $0) }
    }
  }()

  /// Goal: a backup of very many members needs tens of bytes for each, which fit into the limit.
  /// Method: 100,000 empty relations, databases, slots or files that are left out
  /// (`IMPORT_BACKUP_SOAK`: a million) before the tiny backup, compressed with gzip, as they are
  /// 50 MB.
  @Test(
    arguments: ["./base/5/#", "./base/#/16384", "./log/#", "./pg_replslot/slot#/state"])
  func members(pattern: String) async throws {
    let count = Soak.isOn ? 1_000_000 : 100_000
    let scene = try Scene()
    let path = scene.directory.path
    try Self.writeMembers(pattern, count: count, to: path + "/members")
    _ = try Shell.output(
      "bash", "-c", "cd '\(path)' && cat members backup.tar | gzip -1 > bomb && rm members")
    let run = try await scene.runMeasured(backup: path + "/bomb")
    #expect(run.result.exitCode == 0, "\(run.result.error)")
    expectPeak(run.peak, below: Self.memoryLimit)
  }

  /// Writes members with names that have a number of seven digits instead of the `#`.
  private static func writeMembers(_ pattern: String, count: Int, to path: String) throws {
    let start = pattern.utf8.prefix { $0 != UInt8(ascii: "#") }.count
    var header = HostileTar.member(pattern.replacing("#", with: "2000000"))
    // The checksum of the header without the digits: the whole checksum is slow in debug mode.
    let sum = Int(String(decoding: header[148..<154], as: UTF8.self), radix: 8) ?? 0
    try Data().write(to: URL(filePath: path))
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    for chunk in stride(from: 0, to: count, by: 10_000) {
      var data = Data(capacity: 10_000 * header.count)
      for number in chunk..<chunk + 10_000 {
        var rest = number
        var digitSum = 0
        for place in stride(from: start + 6, to: start, by: -1) {
          header[place] = 0x30 + UInt8(rest % 10)
          digitSum += rest % 10
          rest /= 10
        }
        var checksum = sum + digitSum
        for place in stride(from: 153, through: 148, by: -1) {
          header[place] = 0x30 + UInt8(checksum % 8)
          checksum /= 8
        }
        data.append(contentsOf: header)
      }
      try handle.write(contentsOf: data)
    }
    try handle.close()
  }
}
