import Foundation
import TestSupport
import Testing

/// Memory does not grow with the size of a backup or a timeline.
@Suite(
  .timeLimit(.minutes(Soak.isOn ? 60 : 10)),
  .enabled(if: Sanitizer.isOff, "a sanitizer takes many times the memory that is measured"))
struct LongStreamTests {
  /// The default of `--memory`, and the program itself.
  private static let memoryLimit = 96 << 10  // KiB

  /// Goal: an import of a stream of 4 GiB (`IMPORT_BACKUP_SOAK`: 64) stays under its bound.
  /// Method: a relation of that many full segments of zeros before the tiny backup, through a named
  /// pipe, so that no file system must store it.
  @Test func peakMemory() async throws {
    let segmentCount = Soak.isOn ? 64 : 4
    let scene = try Scene()
    let path = scene.directory.path
    for number in 0..<segmentCount {
      let name = "./base/5/99999" + (number == 0 ? "" : ".\(number)")
      try Data(HostileTar.member(name, claimed: 1 << 30))
        .write(to: URL(filePath: "\(path)/header\(number)"))
    }
    _ = try Shell.output("mkfifo", path + "/stream")
    let producer = Process()
    producer.executableURL = URL(filePath: "/bin/bash")
    producer.arguments = [
      "-c",
      """
      cd '\(path)' && exec > stream || exit
      for number in $(seq 0 \(segmentCount - 1)); do
        cat header$number && head --bytes 1G /dev/zero || exit
      done
      cat backup.tar
      """,
    ]
    try producer.run()
    let run = try await scene.runMeasured(backup: path + "/stream", jobs: 2)
    producer.terminate()  // if the import did not read everything
    producer.waitUntilExit()
    #expect(run.result.exitCode == 0, "\(run.result.error)")
    expectPeak(run.peak, below: Self.memoryLimit)
  }
  /// The counts of pages in the JSON of a result.
  private struct Pages: Decodable {
    var pageCount: Int
    var comparedPageCount: Int?
  }

  /// Goal: nor with the size of a timeline: an import of 1 GiB of pages that differ
  /// (`IMPORT_BACKUP_SOAK`: 16), its verification, alone and against the backup, and its export
  /// stay under the same bound. Method: the benchmarks' generator gives the same backup each time,
  /// through a pipe; the export goes to `/dev/null`.
  @Test func longTimeline() async throws {
    let byteCount = Soak.isOn ? 16 << 30 : 1 << 30
    let directory = try TemporaryDirectory()
    let generator = try Self.generator(in: directory)
    let timeline = directory.path + "/out/" + Scene.timeline
    func pages(_ arguments: [String]) async throws -> Pages? {
      let (run, peak) = try await ProgramRun.measured(
        arguments + ["--jobs", "2"],
        script: """
          exec "$@" < <(exec env -u LD_PRELOAD '\(generator)' --size \(byteCount) --pages mixed)
          """,
        timeLimit: Soak.timeLimit)
      #expect(run.exitCode == 0, "\(arguments): \(run.error)")
      expectPeak(peak, below: Self.memoryLimit, "\(arguments)")
      return run.output.isEmpty ? nil : try JSONDecoder().decode(Pages.self, from: run.output)
    }
    let imported = try #require(
      await pages([
        "-", "--output", directory.path + "/out", "--json",
        "--tenant-id", Scene.tenantID, "--timeline-id", Scene.timelineID,
      ]))
    #expect(imported.pageCount >= byteCount / 8192)
    let verified = try await pages(["verify", timeline, "--json"])
    #expect(verified?.pageCount == imported.pageCount)
    let compared = try await pages(["verify", timeline, "--against", "-", "--json"])
    #expect(compared?.comparedPageCount == imported.pageCount)
    _ = try await pages(["export", timeline, "--output", "/dev/null"])
  }

  /// Builds the benchmarks' generator of backups, and returns its path.
  private static func generator(in directory: TemporaryDirectory) throws -> String {
    let benchmarks = URL(filePath: #filePath).appending(path: "../../../Benchmarks").standardized
    let generator = directory.path + "/generate"
    _ = try Shell.output(
      "make", "--silent", "--directory", benchmarks.path(percentEncoded: false),
      "BUILD=\(directory.path)", generator)
    return generator
  }
}
