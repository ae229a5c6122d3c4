import Foundation
import Operations
import TestSupport
import Testing

/// Faults while the built program reads a timeline: `verify`, `inspect` and `export`.
@Suite(.serialized) struct TimelineReadFaultTests {
  static let commands: [HostileTimeline.Command] = [.verify, .inspectAsJSON, .export]

  /// Goal: a failed call ends the command with exit code 74, or 66 if a file cannot be opened, and
  /// a message with the path and the system's reason. Method: fail each call of each kind on the
  /// timeline.
  @Test(arguments: commands) func failing(command: HostileTimeline.Command) async throws {
    let timeline = try await HostileTimeline()
    _ = try await timeline.run(command, faults: [])
    let calls = try timeline.scene.calls()
    var faults: [(fault: Fault, error: Int32, code: Int32)] = []
    for (kind, errors) in [
      ("opendir", [EIO, EACCES]), ("readdir", [EIO]), ("open", [EIO, EACCES, EMFILE]),
      ("fstat", [EIO]), ("pread", [EIO]),
    ] {
      let count = calls.count { $0.kind == kind }
      #expect(count > 0, "there are no calls of kind \(kind)")
      for number in 1...max(count, 1) {
        for error in errors {
          let fault = Fault(kind: kind, call: .number(number), action: .error(error))
          faults.append((fault, error, error == EIO ? 74 : 66))
        }
      }
    }
    try await inParallel(faults) { fault, error, code in
      let timeline = try await HostileTimeline()
      let run = try await timeline.run(command, faults: [fault])
      #expect(!run.wasKilled, "\(fault): it hangs")
      #expect(run.exitCode == code, "\(command), \(fault): \(run.error)")
      let failed = try timeline.scene.calls().first { $0.errorNumber == error }
      let reason = unsafe String(cString: strerror(error))
      let path = try #require(failed?.path, "\(fault)")
      #expect(
        run.error.hasPrefix("error: cannot ") && run.error.contains("'\(path)': \(reason) ["),
        "\(command), \(fault): \(run.error)")
      Self.expectNoResult(run, of: command)
      #expect(try timeline.exports() == [:])
    }
  }

  /// Goal: a comparison with a backup reports a failing disk as that, not as a damaged timeline.
  /// Method: each read of the timeline fails in turn. A relation is longer than the reader's buffer,
  /// so that a page's blob crosses the end of the buffer.
  @Test func comparison() async throws {
    var tar = SmallBackup.tiny
    tar.members.append(
      TestTar.Member("./base/5/99999", contents: [UInt8](repeating: 0, count: 200 * 8192)))
    let scene = try Scene(tar.encoded())
    let imported = try await scene.run(with: [
      "--compression-level", "0", "--small-relation-size", "4M", "--chunk-size", "4M",
    ])
    try #require(imported.exitCode == 0, "\(imported.error)")
    let path = scene.output + "/" + Scene.timeline
    let log = scene.log
    let undisturbed = try await ProgramRun.run(
      ["verify", path, "--against", scene.backup],
      environment: try FaultLibrary.environment([], under: path, log: log))
    try #require(undisturbed.exitCode == 0, "\(undisturbed.error)")
    let reads = try scene.calls().filter { $0.kind == "pread" }
    #expect(reads.contains { $0.result == 1 << 20 }, "no read fills a buffer")
    try await inParallel(Array(1...reads.count)) { number in
      let fault = Fault(kind: "pread", call: .number(number), action: .error(EIO))
      let run = try await ProgramRun.run(
        ["verify", path, "--against", scene.backup],
        environment: try FaultLibrary.environment([fault], under: path))
      let reason = unsafe String(cString: strerror(EIO))
      #expect(run.exitCode == 74, "\(fault): \(run.error)")
      #expect(run.error.hasPrefix("error: cannot read '\(path)/"), "\(fault): \(run.error)")
      #expect(run.error.contains("': \(reason) ["), "\(fault): \(run.error)")
    }
  }

  /// Goal: interrupted and partial calls are repeated, and the result is the same.
  @Test(arguments: commands) func interrupted(command: HostileTimeline.Command) async throws {
    let timeline = try await HostileTimeline()
    let expected = try await timeline.run(command, faults: [])
    #expect(expected.exitCode == 0, "\(expected.error)")
    let tar = try timeline.exports()
    for kind in ["opendir", "readdir", "open", "fstat", "pread", "close"] {
      for action in [Fault.Action.error(EINTR), .short] {
        let fault = Fault(kind: kind, call: .everyOther, action: action)
        let run = try await timeline.run(command, faults: [fault])
        #expect(run.exitCode == 0, "\(command), \(fault): \(run.error)")
        if command == .inspectAsJSON {
          #expect(
            try Self.withoutTimes(run.output) == Self.withoutTimes(expected.output), "\(fault)")
        }
        #expect(try timeline.exports() == tar, "\(fault)")
      }
    }
  }

  /// A JSON object without what each run has of its own.
  private static func withoutTimes(_ output: Data) throws -> NSDictionary {
    var object = try JSONSerialization.jsonObject(with: output) as? [String: Any] ?? [:]
    object["startTime"] = nil
    object["seconds"] = nil
    return NSDictionary(dictionary: object)
  }

  /// Goal: a signal at any call ends the command with its exit code and leaves nothing, or the
  /// command was nearly done. Method: raise one at each call on the timeline.
  @Test(arguments: commands) func signals(command: HostileTimeline.Command) async throws {
    let timeline = try await HostileTimeline()
    _ = try await timeline.run(command, faults: [])
    let count = try timeline.scene.calls().count
    try await inParallel(Array(1...count)) { number in
      let timeline = try await HostileTimeline()
      let signal = number % 2 == 0 ? SIGINT : SIGTERM
      let fault = Fault(kind: "any", call: .number(number), action: .signal(signal))
      let run = try await timeline.run(command, faults: [fault])
      #expect(!run.wasKilled, "\(fault): it hangs")
      // A command that reads a few small files may finish before it checks for a signal again.
      guard run.exitCode != 0 else { return #expect(number > count / 4, "\(command), \(fault)") }
      #expect(run.exitCode == 128 + signal, "\(command), \(fault): \(run.error)")
      let message = signal == SIGINT ? "interrupted" : "terminated"
      #expect(run.error == "error: \(message) by a signal [\(message)]\n", "\(fault)")
      Self.expectNoResult(run, of: command)
      #expect(try timeline.exports() == [:])
    }
  }

  /// Goal: if the result cannot be written, the exit code is 74. Method: standard output is full or
  /// closed, or its reader exits at once or, for long results, after a part.
  @Test(arguments: [
    #""$@" > /dev/full"#, #""$@" >&-"#, #"exec 3> >(exec true); wait $!; "$@" >&3"#,
  ])
  func resultIsLost(script: String) async throws {
    let timeline = try await HostileTimeline()
    for arguments in [
      ["verify"], ["verify", "--json"], ["inspect"], ["inspect", "--json"], ["export"],
      ["export", "--for-pageserver"],
    ] {
      let run = try await ProgramRun.run(arguments + [timeline.path], script: script)
      #expect(run.exitCode == 74, "\(arguments): \(run.error)")
      #expect(run.error.hasPrefix("error: cannot write to standard output: "), "\(run.error)")
    }
    let cut = try await ProgramRun.run(
      ["export", timeline.path],
      script: #""$@" | head --bytes 100000 > /dev/null; exit ${PIPESTATUS[0]}"#)
    #expect(cut.exitCode == 74, "\(cut.error)")
  }

  /// A failure has nothing on standard output, and with `--json` only its own object.
  private static func expectNoResult(_ run: ProgramRun, of command: HostileTimeline.Command) {
    if command == .inspectAsJSON {
      #expect(run.outputText.hasPrefix(#"{"code":""#) && run.outputText.hasSuffix("}\n"))
      #expect(!run.outputText.contains(#""subject""#))
    } else {
      #expect(run.output.isEmpty)
    }
  }
}

/// Faults while a file is written: the backup of `export`, the picture of `inspect`.
@Suite(.serialized) struct TimelineWriteFaultTests {
  /// A command that writes a file, and its arguments after the timeline.
  enum Writer: String, CaseIterable {
    case export, inspect

    func arguments(_ timeline: HostileTimeline) -> [String] {
      switch self {
      case .export: ["export", timeline.path, "--quiet", "--force", "-o", timeline.exportPath]
      case .inspect: ["inspect", timeline.path, "--svg", timeline.exportPath]
      }
    }
  }

  /// What a run without faults writes, and its calls.
  private static func undisturbed(
    _ writer: Writer
  ) async throws -> (file: [UInt8], calls: [Scene.Call]) {
    let timeline = try await HostileTimeline()
    let run = try await timeline.write(writer.arguments(timeline), faults: [])
    try #require(run.exitCode == 0, "\(run.error)")
    let file = try #require(try timeline.exports()["export.tar"])
    return (file, try timeline.scene.calls())
  }

  /// Goal: if the program is killed at any call, the file is complete or missing, and the next run
  /// writes it. Method: SIGKILL after each call on the file and its directory, in turn with an old file of
  /// that name and without.
  @Test(arguments: Writer.allCases) func killed(writer: Writer) async throws {
    let (expected, calls) = try await Self.undisturbed(writer)
    try await inParallel(1...calls.count) { number in
      let fault = Fault(kind: "any", call: .number(number), action: .killAfter)
      let timeline = try await HostileTimeline()
      let old: [UInt8]? = number.isMultiple(of: 2) ? [1, 2, 3] : nil
      if let old { try Data(old).write(to: URL(filePath: timeline.exportPath)) }
      let run = try await timeline.write(writer.arguments(timeline), faults: [fault])
      #expect(run.signal == SIGKILL, "\(fault): \(run.error)")
      let left = try timeline.exports()["export.tar"]
      #expect(left == expected || left == old, "\(fault) leaves a part")
      let again = try await timeline.write(writer.arguments(timeline), faults: [])
      #expect(again.exitCode == 0)
      #expect(try timeline.exports()["export.tar"] == expected)
    }
  }

  /// Goal: a failed call ends the command with exit code 74 and leaves no file; interrupted and
  /// partial calls are repeated, except fsync. Method: each call of each kind.
  @Test(arguments: Writer.allCases) func failing(writer: Writer) async throws {
    let (expected, calls) = try await Self.undisturbed(writer)
    var faults: [(Fault, Int32?)] = []
    for kind in ["open", "pwrite", "fsync", "rename", "close"] {
      let count = calls.count { $0.kind == kind }
      #expect(count > 0, "there are no calls of kind \(kind)")
      for number in 1...max(count, 1) {
        for error in [EIO, ENOSPC, EDQUOT, EINTR] {
          faults.append(
            (Fault(kind: kind, call: .number(number), action: .error(error)), error))
        }
        faults.append((Fault(kind: kind, call: .number(number), action: .short), nil))
      }
    }
    try await inParallel(faults) { fault, error in
      let timeline = try await HostileTimeline()
      let run = try await timeline.write(writer.arguments(timeline), faults: [fault])
      let failed = try timeline.scene.calls().first { $0.errorNumber != 0 }
      let isRetried = error == nil || error == EINTR && fault.kind != "fsync"
      // Errors of closing a directory are ignored.
      let isIgnored = fault.kind == "close" && failed?.path.hasSuffix("-temp") == false
      if isRetried || isIgnored {
        #expect(run.exitCode == 0, "\(fault): \(run.error)")
        #expect(try timeline.exports() == ["export.tar": expected], "\(fault)")
      } else {
        #expect(run.exitCode == 74, "\(fault): \(run.error)")
        // The message has the final name of the file, unless the renaming fails.
        var path = try #require(failed?.path)
        if fault.kind == "open" || fault.kind != "rename" && path.hasSuffix(".export-temp") {
          path = timeline.exportPath
        }
        let reason = unsafe String(cString: strerror(error ?? 0))
        #expect(run.error.contains("'\(path)': \(reason) ["), "\(fault): \(run.error)")
        #expect(try timeline.exports() == [:], "\(fault)")
      }
    }
  }

  /// Goal: the file is synced before it is renamed, and its directory after that.
  @Test(arguments: Writer.allCases) func order(writer: Writer) async throws {
    let calls = try await Self.undisturbed(writer).calls
    let steps = calls.filter { ["pwrite", "fsync", "rename"].contains($0.kind) }
    let kinds = steps.map(\.kind)
    #expect(kinds.suffix(4) == ["pwrite", "fsync", "rename", "fsync"])
    #expect(kinds.dropLast(3).allSatisfy { $0 == "pwrite" })
    #expect(steps.dropLast().allSatisfy { $0.path.hasSuffix(".export-temp") })
    #expect(steps.last.map { !$0.path.contains("export.tar") } == true)
  }

  /// Goal: a pipe or device is written to, not replaced.
  @Test func device() async throws {
    let timeline = try await HostileTimeline()
    for arguments in [["inspect", timeline.path, "--svg"], ["export", timeline.path, "-o"]] {
      let pipe = timeline.scene.directory.path + "/pipe"
      let run = try await ProgramRun.run(
        arguments + [pipe],
        script: "mkfifo '\(pipe)'; cat '\(pipe)' > '\(pipe).out' & \"$@\" && wait")
      #expect(run.exitCode == 0, "\(run.error)")
      #expect(try Data(contentsOf: URL(filePath: pipe + ".out")).count > 1000)
      try FileManager.default.removeItem(atPath: pipe)
    }
  }
}

extension HostileTimeline {
  /// Runs a command with faults among its calls on the timeline.
  func run(_ command: Command, faults: [Fault]) async throws -> ProgramRun {
    let arguments =
      command == .export
      ? ["export", path, "--force", "-o", exportPath]
      : command == .inspectAsJSON ? ["inspect", path, "--json"] : ["verify", path]
    return try await run(arguments, faults, under: path)
  }

  /// Runs the program with faults among the calls on the file that it writes.
  func write(_ arguments: [String], faults: [Fault]) async throws -> ProgramRun {
    return try await run(arguments, faults, under: exportDirectory)
  }

  private func run(
    _ arguments: [String], _ faults: [Fault], under: String
  ) async throws -> ProgramRun {
    try? FileManager.default.removeItem(atPath: scene.log)
    return try await ProgramRun.run(
      arguments,
      environment: try FaultLibrary.environment(faults, under: under, log: scene.log))
  }

  /// The files in the output directory, by name.
  func exports() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: exportDirectory) {
      files[name] = Array(try Data(contentsOf: URL(filePath: exportDirectory + "/" + name)))
    }
    return files
  }
}
