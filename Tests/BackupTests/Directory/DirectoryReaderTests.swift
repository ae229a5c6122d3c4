import Foundation
import TestSupport
import Testing

@testable import Backup

/// What a directory gives: which members, in which order, with which contents.
@Suite struct DirectoryReaderTests {
  /// Files of these names, each with the contents that `contents` makes of its name.
  private static func make(
    _ names: [String], in directory: TemporaryDirectory,
    _ contents: (String) -> [UInt8] = { _ in [] }
  ) throws {
    try TestTar(names.map { .init($0, contents: contents($0)) }).unpack(into: directory.path)
  }

  /// Goal: the order follows from the names alone: what decides first, relations by their numbers.
  /// Method: make files in a shuffled order, and compare names and kinds with a list.
  @Test func order() throws {
    let expected = [
      "PG_VERSION", "backup_label", "log/", "log/a", "global/", "global/pg_control",
      "pg_tblspc/", "pg_tblspc/16400@", "base/", "base/.DS_Store", "base/pgsql_tmp/",
      "base/pgsql_tmp/pgsql_tmp1.0", "base/5/", "base/5/PG_VERSION", "base/5/pg_filenode.map",
      "base/5/t3_16384", "base/5/999", "base/5/1000", "base/5/16384", "base/5/16384.1",
      "base/5/16384.2", "base/5/16384.10", "base/5/16384_fsm", "base/5/16384_vm",
      "base/5/16384_vm.1", "base/5/16384_init", "base/16/", "base/16/112", "base/4294967295/",
      "base/4294967295/4294967295", "global/", "global/pg_filenode.map", "global/1262", "pg_wal@",
      "pg_xact/", "pg_xact/0000", "pg_xact/000F", "pg_xact/1000",
    ]
    let directory = try TemporaryDirectory()
    var generator = SeededGenerator(state: 5)
    let files = expected.filter { $0.last != "/" && $0.last != "@" }
    try Self.make(files.shuffled(using: &generator), in: directory)
    let links = ["pg_wal": "/wal", "pg_tblspc/16400": "/srv/tablespace"]
    for (name, target) in links {
      try TestTar([.init(name, type: "2", linkTarget: target)]).unpack(into: directory.path)
    }
    let members = try readAll(DirectoryReader(path: directory.path, contents: .stored))
      .map(\.member)
    let found = members.map { member in
      switch member.kind {
      case .directory: member.name + "/"
      case .symbolicLink: member.name + "@"
      default: member.name
      }
    }
    #expect(found == expected)
    #expect(
      members.filter { $0.kind == .symbolicLink }.map(\.linkTarget)
        == ["/srv/tablespace", "/wal"])
  }

  /// Goal: contents come out whole, in parts or passed over, small files and ones of many buffers.
  /// Method: files of sizes around a buffer's, read through buffers of several sizes.
  @Test(arguments: [1000, 8192, 1 << 20, 3_000_000]) func contents(bufferSize: Int) throws {
    let sizes = [0, 1, 8191, 8192, (1 << 20) - 40, 1 << 20, (1 << 20) + 1, 5_000_000, 0, 77]
    let names = sizes.indices.map { "base/5/\($0 + 100)" }
    let expected = sizes.enumerated().map { halfRandomBytes($1, seed: UInt64($0)) }
    let directory = try TemporaryDirectory()
    try Self.make(["PG_VERSION"] + names, in: directory) { name in
      names.firstIndex(of: name).map { expected[$0] } ?? []
    }
    let reader = try DirectoryReader(path: directory.path, contents: .stored)
    #expect(reader.inputByteCount == UInt64(sizes.reduce(0, +)))
    let found = try readAll(reader, bufferSize: bufferSize).filter {
      names.contains($0.member.name)
    }
    #expect(found.map(\.member.name) == names)
    #expect(found.map(\.member.byteCount) == sizes.map(UInt64.init))
    #expect(found.map(\.contents) == expected)
    #expect(reader.inputBytesRead == reader.inputByteCount)

    // Every other file is read in part only.
    let again = try DirectoryReader(path: directory.path, contents: .stored)
    var buffer = [UInt8](repeating: 0, count: bufferSize)
    var isRead = false
    while let member = try again.nextMember() {
      guard let index = names.firstIndex(of: member.name) else { continue }
      isRead.toggle()
      guard isRead else { continue }
      let count = try read(again, into: &buffer)
      #expect(Array(buffer[..<count]) == Array(expected[index].prefix(bufferSize)))
    }
  }

  /// Goal: what is left out is named with its size and never opened. Method: a pipe that nobody
  /// writes to and a large file among the write-ahead log, of which no byte is read.
  @Test func leftOutIsNotRead() throws {
    let directory = try TemporaryDirectory()
    try Self.make(["PG_VERSION", "pg_wal/000000010000000000000001"], in: directory) { name in
      name == "PG_VERSION" ? Array("15\n".utf8) : halfRandomBytes(3_000_000, seed: 4)
    }
    _ = try Shell.output("mkfifo", directory.path + "/pipe", directory.path + "/pg_wal/pipe")
    let reader = try DirectoryReader(path: directory.path, contents: .stored)
    let members = try readAll(reader)
    #expect(members.map(\.member.name).contains("pipe"))
    #expect(members.last?.member.kind == .other)
    let segment = try #require(members.first { $0.member.byteCount == 3_000_000 })
    #expect(segment.contents.isEmpty)
    #expect(reader.inputByteCount == 3 && reader.inputBytesRead == 3)
  }
}
