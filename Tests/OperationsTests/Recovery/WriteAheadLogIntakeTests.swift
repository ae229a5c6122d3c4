import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Goal: the WAL of a backup is taken in each form that people have it in. Method: the segments of a
/// real backup, in directories and tars, compressed by the real programs.
@Suite struct WriteAheadLogIntakeTests {
  /// The contents of the segments by name.
  private static let segments: [String: [UInt8]] = {
    do {
      let tar = TestTar(decoding: try Fixture.bytes("online-15/pg_wal.tar"))
      let files = tar.members.filter { $0.type == "0" && $0.name.count == 24 }
      return Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.contents) })
    } catch {
      preconditionFailure("the fixture cannot be read: \(error)")
    }
  }()

  /// A directory with the segments in `pg_wal`, and what `script` makes of it.
  private static func make(_ script: String) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    for (name, contents) in segments {
      try TestTar([.init(name, contents: contents)]).unpack(into: directory.path + "/pg_wal")
    }
    _ = try Shell.output("bash", "-euc", script, directory: directory.path)
    return directory
  }

  /// What an intake of `path` copies.
  private static func copied(_ path: String) throws(Failure) -> [String: [UInt8]] {
    do {
      let target = try TemporaryDirectory()
      var intake = WriteAheadLogIntake(path: path, directory: target.path)
      try intake.run()
      let files = try target.files()
      #expect(Set(files.keys) == intake.names)
      return files
    } catch let error as Failure {
      throw error
    } catch {
      throw Failure(.bug, "\(error)")
    }
  }

  @Test(arguments: [
    ("a directory", "mv pg_wal wal"),
    ("a directory deep down", "mkdir -p wal/a/b; mv pg_wal wal/a/b; echo x > wal/a/notes"),
    ("a tar", "tar -C pg_wal -cf wal ."), ("a tar of the directory", "tar -cf wal pg_wal"),
    ("a compressed tar", "tar -c pg_wal | zstd -q > wal"),
    ("gzip in a tar", "gzip pg_wal/*; tar -cf wal pg_wal"),
    ("lz4 in a tar", "lz4 -qm --rm pg_wal/*; tar -cf wal pg_wal"),
    ("zstd in a directory", "zstd -q --rm pg_wal/*; mv pg_wal wal"),
    ("xz in a directory", "xz -0 pg_wal/*; mv pg_wal wal"),
    (
      "compressed under plain names",
      "for f in pg_wal/*; do gzip $f; mv $f.gz $f; done; mv pg_wal wal"
    ),
    (
      "pgBackRest's names",
      "for f in pg_wal/*; do gzip < $f > $f-$(sha1sum < $f | head -c 40).gz; rm $f; done; mv pg_wal wal"
    ),
    ("a link to the directory", "ln -s pg_wal wal"),
  ])
  func forms(name: String, script: String) throws {
    let directory = try Self.make(script)
    #expect(try Self.copied(directory.path + "/wal") == Self.segments)
  }

  /// Goal: a tar or a directory without WAL is an error, which names it.
  @Test(arguments: [
    "mkdir wal", "tar -cf wal -T /dev/null", "mkdir wal; echo > wal/00000002.history",
    "mkdir -p wal/archive_status; touch wal/archive_status/000000010000000000000001.done",
    "mkdir wal; cp pg_wal/0* wal/; for f in wal/*; do mv $f $f.partial; done",
  ])
  func none(script: String) throws {
    let directory = try Self.make(script)
    let error = #expect(throws: Failure.self) { try Self.copied(directory.path + "/wal") }
    #expect(error?.exitCode == .damaged)
    #expect(error?.message == "no WAL segment in '\(directory.path)/wal'")
    #expect(error?.hint?.contains("at any depth") == true)
  }

  /// Goal: a segment in two places, a damaged one and one without end are refused by name.
  @Test(arguments: [
    ("mkdir wal; cp -r pg_wal wal/a; cp -r pg_wal wal/b", "appears twice in"),
    ("gzip pg_wal/*; for f in pg_wal/*; do truncate -s -9 $f; done; mv pg_wal wal", "cut off"),
    ("mkdir wal; ln -s \"$PWD\"/pg_wal/* wal", "is a symbolic link"),
    ("mkdir x; ln -s \"$PWD\"/pg_wal/* x; tar -cf wal x", "is a symbolic link"),
    ("echo hello > wal", "not a tar"), ("tar -c pg_wal | bzip2 > wal", "a bzip2 file"),
    (
      "mkdir wal; head -c 1100M /dev/zero | zstd -q > wal/000000010000000000000001.zst",
      "more than 1 GiB"
    ),
  ])
  func refused(script: String, message: String) throws {
    let directory = try Self.make(script)
    let error = #expect(throws: Failure.self) { try Self.copied(directory.path + "/wal") }
    #expect(error?.exitCode == .damaged)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
    #expect(error?.remedy == nil)
  }
}
