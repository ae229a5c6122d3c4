import Foundation
import TestSupport
import Testing

/// Memory does not grow with the length of a backup.
@Suite(
  .timeLimit(.minutes(Soak.isOn ? 60 : 10)),
  .enabled(if: Sanitizer.isOff, "a sanitizer takes many times the memory that is measured"))
struct LongStreamTests {
  /// What `--memory` is by default, and the program itself.
  private static let memoryLimit = 96 << 10  // KiB

  /// Goal: an import of a stream of 4 GiB (`IMPORT_BACKUP_SOAK`: 64) stays under its bound.
  /// Method: a relation of that many full segments of zeros before the tiny backup, through a named
  /// pipe, since no file system need hold it.
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
    producer.terminate()  // where the import did not take it all
    producer.waitUntilExit()
    #expect(run.result.exitCode == 0, "\(run.result.error)")
    #expect(run.peak < Self.memoryLimit, "\(run.peak) KiB")
  }
}
