import Foundation
import TestSupport
import Testing

/// `--max-size`: a backup that unpacks to more is refused by every command, before it is written.
@Suite struct SizeLimitTests {
  /// The forms of a backup of `byteCount` bytes, as a tar.
  enum Form: String, CaseIterable, CustomTestStringConvertible {
    case tar, gzip, pipe, directory
    var testDescription: String { rawValue }
  }

  private static func make() throws -> (TemporaryDirectory, tar: Int, files: Int) {
    let directory = try TemporaryDirectory()
    let bytes = SmallBackup.tiny.encoded()
    try Data(bytes).write(to: URL(filePath: directory.path + "/tar"))
    try SmallBackup.tiny.unpack(into: directory.path + "/directory")
    _ = try Shell.output("sh", "-c", "gzip -c tar > gzip", directory: directory.path)
    return (directory, bytes.count, SmallBackup.tiny.members.reduce(0) { $0 + $1.contents.count })
  }

  /// Goal: the limit is the size of the tar, however it is compressed, and of a directory that of the
  /// files that are read. Method: that size, and one byte less; of a directory much less.
  @Test(arguments: Form.allCases) func exact(form: Form) async throws {
    let (directory, tar, files) = try Self.make()
    let limit = form == .directory ? files : tar
    for (limit, code) in [(limit, 0), (form == .directory ? limit / 4 : limit - 1, 69)] {
      let path = form == .pipe ? "-" : form.rawValue
      let input =
        form == .pipe ? ProgramRun.Input.pipe(directory.path + "/gzip") : .none
      let run = try await ProgramRun.run(
        [path, "--output", "out\(limit)", "--max-size", "\(limit)"], input: input,
        directory: directory.path)
      #expect(run.exitCode == Int32(code), "\(limit): \(run.error)")
      if code != 0 {
        #expect(run.error.contains("unpacks to more than \(limit) bytes"), "\(run.error)")
        #expect(run.error.contains("'--max-size'"))
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/out\(limit)"))
      }
    }
  }

  /// Goal: all commands have it. Method: a limit that is far too low, and one that is not.
  @Test(
    arguments: [
      ["inspect", "tar"], ["tar", "-o", "out", "--dry-run"],
      ["directory", "-o", "out", "--dry-run"],
    ]) func commands(arguments: [String]) async throws
  {
    let (directory, _, _) = try Self.make()
    for (limit, code) in [("10K", 69), ("1G", 0)] {
      let run = try await ProgramRun.run(
        arguments + ["--max-size", limit], directory: directory.path)
      #expect(run.exitCode == Int32(code), "\(run.error)")
    }
  }

  /// The same of a comparison.
  @Test func comparison() async throws {
    let (directory, _, _) = try Self.make()
    let run = try await ProgramRun.run(
      ["tar", "-o", "out", "--quiet"],
      script: #""$@" && "$1" verify out/tenants/*/timelines/* --against tar --max-size 10K"#,
      directory: directory.path)
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("unpacks to more than"), "\(run.error)")
  }

  /// Goal: holes count, and a file that claims too much is refused before it is read. Method: a sparse
  /// file of 4 GiB, in a tar of a few KiB.
  @Test func holes() async throws {
    let directory = try TemporaryDirectory()
    let run = try await ProgramRun.run(
      ["tar", "-o", "out", "--max-size", "1G"],
      script: "truncate -s 4G hole; tar -cSf tar hole; \"$@\"", directory: directory.path)
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("unpacks to more than"), "\(run.error)")
  }

  /// Goal: the copy that is recovered is bounded as well, and leaves nothing.
  @Test(arguments: ["tar", "directory"]) func recovery(form: String) async throws {
    let (directory, _, files) = try Self.make()
    let run = try await ProgramRun.run(
      [
        form, "--output", "out", "--recover-with", "bin", "--trust-backup", "--max-size",
        "\(files / 2)",
      ],
      script: #"""
        mkdir bin; printf '#!/bin/sh\necho "postgres (PostgreSQL) 15.3"\n' > bin/postgres
        chmod 755 bin/postgres; rm directory/pg_wal; mkdir directory/pg_wal; "$@"
        """#, directory: directory.path)
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("unpacks to more than"), "\(run.error)")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["bin", "directory", "gzip", "tar"])
  }
}
