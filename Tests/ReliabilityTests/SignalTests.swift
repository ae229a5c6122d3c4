import Foundation
import TestSupport
import Testing

/// SIGINT and SIGTERM at every step: the program stops at once and takes away what it wrote, or it
/// was done already.
@Suite(.serialized) struct SignalTests {
  /// Goal: a signal that comes at any call ends the import with its exit code and nothing left,
  /// unless the index has its name: then the import is complete. Method: raise it at each call on
  /// the output in turn, SIGINT and SIGTERM by turns.
  @Test func atEveryCall() async throws {
    let scene = try Scene()
    _ = try await scene.run([])
    let calls = try scene.calls()
    let commit = try #require(
      calls.lastIndex { $0.kind == "rename" && $0.path.contains("index_part") })
    try await inParallel(calls.indices) { index in
      let signal = index % 2 == 0 ? SIGINT : SIGTERM
      let scene = try Scene()
      let fault = Fault(kind: "any", call: .number(index + 1), action: .signal(signal))
      let run = try await scene.run([fault])
      if run.exitCode == 0 {
        // A signal is delivered to any thread, as soon as that runs: on a busy machine the import,
        // which takes milliseconds, may be done by then.
        #expect(index >= commit / 2, "\(fault): the signal is ignored")
        #expect(try scene.files() == (try await Scene.expected.value), "\(fault)")
      } else {
        try Self.expectStopped(scene, run, by: signal, "\(fault)")
      }
    }
  }

  /// Goal: the same while waiting for a backup through a pipe. Method: a pipe that gives the
  /// beginning and then nothing; the signal comes in the call that waits for it.
  @Test(arguments: [SIGINT, SIGTERM]) func waitingForPipe(signal: Int32) async throws {
    let scene = try Scene()
    let pipe = scene.directory.path + "/pipe"
    let fault = Fault(kind: "read", call: .number(2), action: .signal(signal))
    let run = try await ProgramRun.run(
      scene.arguments(backup: "-"),
      // Open for writing as well, so that the pipe does not end.
      script: """
        mkfifo '\(pipe)'; exec 3<> '\(pipe)'; head --bytes 60000 '\(scene.backup)' >&3
        exec "$@" <&3 3>&-
        """,
      environment: try FaultLibrary.environment([fault], under: pipe, log: scene.log))
    try Self.expectStopped(scene, run, by: signal, "waiting for a pipe")
  }

  /// Goal: with --force a signal leaves the old timeline whole, or the new one is complete.
  @Test func replacing() async throws {
    let old = try await Scene.uncompressed.value
    let scene = try Scene()
    try scene.put(old)
    _ = try await scene.run([], with: ["--force"])
    let numbers = stride(from: 1, through: try scene.calls().count, by: 3)
    try await inParallel(Array(numbers)) { number in
      let scene = try Scene()
      try scene.put(old)
      let fault = Fault(kind: "any", call: .number(number), action: .signal(SIGTERM))
      let run = try await scene.run([fault], with: ["--force"])
      #expect(run.exitCode == 0 || run.exitCode == 143)
      let expected = run.exitCode == 0 ? try await Scene.expected.value : old
      #expect(try scene.files() == expected, "\(fault)")
    }
  }

  private static func expectStopped(
    _ scene: Scene, _ run: ProgramRun, by signal: Int32, _ comment: String
  ) throws {
    #expect(!run.wasKilled, "\(comment): it hangs")
    #expect(run.exitCode == 128 + signal, "\(comment): \(run.error)")
    let message = signal == SIGINT ? "interrupted" : "terminated"
    #expect(run.error == "error: \(message) by a signal\n", "\(comment)")
    #expect(try scene.files() == nil, "\(comment): files are left")
  }
}
