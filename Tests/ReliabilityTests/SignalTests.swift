import Foundation
import TestSupport
import Testing

/// SIGHUP, SIGINT and SIGTERM at every step: the program stops at once and removes what it wrote,
/// or it was already done.
@Suite(.serialized) struct SignalTests {
  private static let signals = [SIGHUP, SIGINT, SIGTERM]

  /// Goal: a signal at any call ends the import with its exit code and leaves nothing, unless the
  /// index has its name: then the import is complete. Method: raise it at each call on the output,
  /// the three signals in rotation.
  @Test func atEveryCall() async throws {
    let scene = try Scene()
    _ = try await scene.run([])
    let calls = try scene.calls()
    let commit = try #require(
      calls.lastIndex { $0.kind == "rename" && $0.path.contains("index_part") })
    try await inParallel(calls.indices) { index in
      let signal = Self.signals[index % Self.signals.count]
      let scene = try Scene()
      let fault = Fault(kind: "any", call: .number(index + 1), action: .signal(signal))
      let run = try await scene.run([fault])
      if run.exitCode == 0 {
        // A signal is delivered to any thread, as soon as that thread runs. On a busy machine, the
        // import, which takes milliseconds, may be done before.
        #expect(index >= commit / 2, "\(fault): the signal is ignored")
        #expect(try scene.files() == (try await Scene.expected.value), "\(fault)")
      } else {
        try Self.expectStopped(scene, run, by: signal, "\(fault)")
      }
    }
  }

  /// Goal: a second SIGHUP changes nothing: when a terminal closes, its shell and the kernel send one
  /// each. A later SIGINT or SIGTERM kills. Method: raise each at the first fsync, and again when the
  /// second file is removed, more than a second later.
  @Test(arguments: signals) func twice(signal: Int32) async throws {
    let scene = try Scene()
    let run = try await scene.run([
      Fault(kind: "fsync", call: .number(1), action: .signal(signal)),
      Fault(kind: "unlink", call: .number(1), action: .delay(milliseconds: 1500)),
      Fault(kind: "unlink", call: .number(2), action: .signal(signal)),
    ])
    if signal == SIGHUP {
      try Self.expectStopped(scene, run, by: signal, "twice")
    } else {
      #expect(run.signal == signal)
      #expect(try scene.files()?.keys.contains { $0.contains("index_part") } == false)
    }
  }

  /// Goal: a signal that comes twice at once, as from timeout(1), is one. Method: raise it in two calls
  /// that follow each other; a busy machine may take a second in between, so several times.
  @Test(arguments: signals) func twiceAtOnce(signal: Int32) async throws {
    for attempt in 1... {
      let scene = try Scene()
      let run = try await scene.run(
        ["fsync", "unlink"].map { Fault(kind: $0, call: .number(1), action: .signal(signal)) })
      if run.signal == signal && attempt < 10 { continue }
      return try Self.expectStopped(scene, run, by: signal, "twice at once")
    }
  }

  /// Goal: SIGUSR1 at any call changes nothing.
  @Test func progressRequest() async throws {
    let scene = try Scene()
    _ = try await scene.run([])
    try await inParallel(try scene.calls().indices) { index in
      let scene = try Scene()
      let fault = Fault(kind: "any", call: .number(index + 1), action: .signal(SIGUSR1))
      let run = try await scene.run([fault])
      #expect(run.exitCode == 0, "\(fault): \(run.error)")
      #expect(try scene.files() == (try await Scene.expected.value), "\(fault)")
    }
  }

  /// Goal: the same while waiting for a backup from a pipe. Method: a pipe that delivers the
  /// beginning and then nothing; the signal comes during the call that waits.
  @Test(arguments: signals) func waitingForPipe(signal: Int32) async throws {
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

  /// Goal: if the signal first ends the program that writes the backup, as at a terminal, the
  /// signal is reported rather than a backup that is cut off. Method: a pipe that ends too early;
  /// the signal comes during the call that finds the end, or after the end, from the writer.
  @Test(arguments: [true, false]) func endOfPipe(isEarly: Bool) async throws {
    let scene = try Scene()
    let pipe = scene.directory.path + "/pipe"
    let early =
      "head --bytes 60000 '\(scene.backup)' >&3; exec 4< '\(pipe)' 3>&-; exec \"$@\" <&4 4<&-"
    let late = """
      "$@" < '\(pipe)' 3>&- & head --bytes 60000 '\(scene.backup)' >&3
      exec 3>&-; kill -TERM $!; wait $!
      """
    let fault = Fault(kind: "read", call: .number(2), action: .signal(SIGTERM))
    let run = try await ProgramRun.run(
      scene.arguments(backup: "-"),
      script: "mkfifo '\(pipe)'; exec 3<> '\(pipe)'; " + (isEarly ? early : late),
      environment: isEarly ? try FaultLibrary.environment([fault], under: pipe) : [:])
    try Self.expectStopped(scene, run, by: SIGTERM, "at the end of a pipe")
  }

  /// Goal: a signal mask that the program inherits by accident keeps no signal from it. Method: start
  /// it with all of them blocked, and end it while it waits for a pipe.
  @Test(arguments: signals) func inheritedMask(signal: Int32) async throws {
    let scene = try Scene()
    let pipe = scene.directory.path + "/pipe"
    // A shell ignores SIGINT for what it starts in the background.
    let start = """
      import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL)
      signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 16)); os.execv(sys.argv[1], sys.argv[1:])
      """
    let run = try await ProgramRun.run(
      scene.arguments(backup: "-"),
      script: """
        mkfifo '\(pipe)'; exec 3<> '\(pipe)'; head --bytes 60000 '\(scene.backup)' >&3
        python3 -c '\(start)' "$@" <&3 3>&- &
        until grep --quiet --line-regexp read /proc/$!/task/*/comm; do :; done
        kill -\(signal) $!; wait $!
        """)
    try Self.expectStopped(scene, run, by: signal, "with a mask")
  }

  /// Goal: a pipe that ends too early without a signal is still a damaged backup.
  @Test func endOfPipeWithoutSignal() async throws {
    let scene = try Scene()
    let run = try await ProgramRun.run(
      scene.arguments(backup: "-"),
      script: "head --bytes 60000 '\(scene.backup)' | \"$@\"; exit ${PIPESTATUS[1]}")
    #expect(run.exitCode == 65)
    #expect(run.error.contains("unexpected end of archive"), "\(run.error)")
  }

  /// Goal: a signal that is ignored when the program starts, as with nohup and in background jobs
  /// of a script, stays ignored. Method: raise it in the middle of an import.
  @Test(arguments: signals) func ignored(signal: Int32) async throws {
    let scene = try Scene()
    let fault = Fault(kind: "fsync", call: .number(1), action: .signal(signal))
    let run = try await ProgramRun.run(
      scene.arguments(), script: "trap '' \(signal); exec \"$@\"",
      environment: try FaultLibrary.environment([fault], under: scene.output, log: scene.log))
    #expect(run.exitCode == 0, "\(run.error)")
    #expect(try scene.files() == (try await Scene.expected.value))
    #expect(try scene.calls().contains { $0.kind == "fsync" })
  }

  /// Goal: the same while waiting for the reader of an exported backup, on standard output or on a
  /// named pipe. Method: a pipe that nobody reads, and one that nobody has opened; the signal comes
  /// during the first call on it.
  @Test(arguments: [true, false]) func waitingForReader(isOpen: Bool) async throws {
    let scene = try Scene()
    let imported = try await scene.run()
    try #require(imported.exitCode == 0, "\(imported.error)")
    let pipe = scene.directory.path + "/pipe"
    let fault = Fault(
      kind: isOpen ? "write" : "open", call: .number(1), action: .signal(SIGTERM))
    let run = try await ProgramRun.run(
      ["export", scene.output + "/" + Scene.timeline] + (isOpen ? [] : ["--output", pipe]),
      script: "mkfifo '\(pipe)'; " + (isOpen ? "exec \"$@\" 1<> '\(pipe)'" : "exec \"$@\""),
      environment: try FaultLibrary.environment([fault], under: pipe))
    #expect(run.exitCode == 143, "\(run.error)")
    #expect(run.error == "error: terminated by a signal [terminated]\n")
  }

  /// Goal: the same while waiting for a server that does not end when asked, and has closed its
  /// output. Method: a program instead of the server that ignores SIGTERM, says that it runs,
  /// closes its output, and does nothing more.
  @Test func waitingForServer() async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    let run = try await ProgramRun.run(
      [backup, "--output", "out", "--recover-with", "bin", "--trust-backup"],
      script: #"""
        mkdir bin; mkfifo -m 666 started never
        cat > bin/postgres <<END
        #!/bin/bash
        trap '' TERM
        echo > $PWD/started
        exec 1>&-
        read < $PWD/never
        END
        chmod 755 bin/postgres
        set -m
        "$@" & program=$!
        read < started; kill -TERM $program; wait $program
        """#, directory: directory.path)
    #expect(run.exitCode == 143, "\(run.error)")
    #expect(run.error.contains("terminated by a signal"))
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["backup.tar", "bin", "never", "started"])
  }

  /// Goal: the program that recovers the backup gets no signal that this program's group gets, but is
  /// ended in order. Method: a program instead of the server that notes every signal; SIGUSR1, SIGHUP
  /// and SIGHUP again to the group.
  @Test func groupOfServer() async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    let run = try await ProgramRun.run(
      [backup, "--output", "out", "--recover-with", "bin", "--trust-backup"],
      script: #"""
        mkdir bin; mkfifo -m 666 started; install -m 666 /dev/null signals
        cat > bin/postgres <<END
        #!/bin/bash
        for name in HUP INT USR1; do trap "echo \$name >> $PWD/signals" \$name; done
        trap "echo TERM >> $PWD/signals; exit 1" TERM
        echo > $PWD/started
        while :; do sleep 0.1; done
        END
        chmod 755 bin/postgres
        set -m
        "$@" & program=$!
        read < started
        kill -USR1 -- -$program
        until grep --quiet '^progress: ' "/proc/$$/fd/2"; do sleep 0.1; done
        kill -HUP -- -$program; kill -HUP -- -$program 2> /dev/null; wait $program
        """#, directory: directory.path)
    #expect(run.exitCode == 129, "\(run.error)")
    #expect(try directory.files()["signals"] == Array("TERM\n".utf8))
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["backup.tar", "bin", "signals", "started"])
  }

  /// Goal: with --force, a signal leaves the old timeline or the new one complete.
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
    let message =
      switch signal {
      case SIGHUP: "hung up: the terminal or session was closed [hung-up]"
      case SIGINT: "interrupted by a signal [interrupted]"
      default: "terminated by a signal [terminated]"
      }
    #expect(run.error == "error: \(message)\n", "\(comment)")
    #expect(try scene.files() == nil, "\(comment): files are left")
  }
}
