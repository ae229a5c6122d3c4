import Foundation
import TestSupport
import Testing

/// Imports in pipelines: the producer before the program dies, or the consumer after it.
@Suite struct PipeTests {
  /// Goal: if a producer dies half-way, the backup is damaged, there is no index, and the script
  /// sees both failures. Method: pipelines under `pipefail`, cut off in different ways.
  @Test(
    arguments: [
      #"(head --bytes 300000 "$backup"; exit 1) | "$@""#,
      #"(head --bytes 300000 "$backup"; kill -KILL $BASHPID) | "$@""#,
      #"false | "$@""#,
      #"(zstd --stdout --quiet "$backup" | head --bytes 20000; exit 1) | "$@""#,
      // It ends well, and tells of it too late.
      #"(head --bytes 300000 "$backup"; kill -TERM $BASHPID) | "$@"; exit $?"#,
    ])
  func producerDies(pipeline: String) async throws {
    let scene = try Scene()
    let script = "set -o pipefail; backup='\(scene.backup)'; " + pipeline
    let run = try await ProgramRun.run(scene.arguments(backup: "-"), script: script)
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(run.error.hasPrefix("error: cannot read "), "\(run.error)")
    let causes = ["unexpected end of archive", "the zstd stream is cut off", "it is empty"]
    #expect(causes.contains { run.error.contains($0) }, "\(run.error)")
    #expect(try scene.files() == nil)
  }

  /// Goal: a result that nobody takes is exit code 74, with the timeline's path on standard error,
  /// and the timeline stands. Method: standard output full, closed, and with its reader gone.
  @Test(
    arguments: [
      #""$@" > /dev/full"#, #""$@" >&-"#, #"exec 3> >(exec true); wait $!; "$@" >&3"#,
    ], [[], ["--json"]])
  func resultIsLost(script: String, more: [String]) async throws {
    let scene = try Scene()
    let run = try await ProgramRun.run(scene.arguments(more), script: script)
    #expect(run.exitCode == 74, "\(run.error)")
    #expect(run.error.hasPrefix("error: cannot write to standard output: "), "\(run.error)")
    #expect(run.error.contains("'\(scene.output)/\(Scene.timeline)'"), "\(run.error)")
    #expect(try scene.files() == (try await Scene.expected.value))
  }

  /// Goal: an import that fails does not wait for more input. Method: the first write finds the
  /// disk full, while the producer has written a part, writes no more, and does not end.
  @Test func failureWhileWaiting() async throws {
    let scene = try Scene(SmallBackup.tar.encoded())
    let script =
      #"mkfifo "$fifo"; exec 3<> "$fifo"; head --bytes -4096 "$backup" > "$fifo" 3<&- & "$@" <&3"#
    let fault = Fault(kind: "pwrite", call: .number(1), action: .error(ENOSPC))
    var environment = try FaultLibrary.environment([fault], under: scene.output, log: scene.log)
    environment["fifo"] = scene.directory.path + "/fifo"
    environment["backup"] = scene.backup
    let run = try await ProgramRun.run(
      scene.arguments(backup: "-"), script: script, environment: environment)
    #expect(!run.wasKilled && run.exitCode == 74, "\(run.error)")
    #expect(run.error.contains("No space left on device"), "\(run.error)")
    #expect(try scene.files() == nil)
  }

  /// Goal: a manifest may come through a pipe. Method: one that matches, and one that does not.
  @Test(arguments: [false, true]) func manifest(isChanged: Bool) async throws {
    var manifest = TestManifest(SmallBackup.tiny)
    manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
    if isChanged { manifest["PG_VERSION"].byteCount += 1 }
    let scene = try Scene()
    let path = scene.directory.path + "/manifest"
    try Data(manifest.encoded()).write(to: URL(filePath: path))
    let run = try await ProgramRun.run(
      scene.arguments(), script: #""$@" --manifest <(sleep 0.1; cat "$manifest")"#,
      environment: ["manifest": path])
    #expect(run.exitCode == (isChanged ? 65 : 0), "\(run.error)")
    if isChanged { #expect(run.error.contains("differs from its manifest '/dev/fd/")) }
  }

  /// Goal: a program that is started without standard streams does not write its messages to its
  /// files.
  @Test func noStreams() async throws {
    let scene = try Scene()
    let run = try await ProgramRun.run(scene.arguments(), script: #""$@" <&- >&- 2>&-"#)
    #expect(run.exitCode == 74)
    #expect(try scene.files() == (try await Scene.expected.value))
  }
}
