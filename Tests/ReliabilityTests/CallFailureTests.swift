import Foundation
import TestSupport
import Testing

/// Each system call of the program fails, once or from then on: the right exit code, a message with
/// the path and the system's reason, and nothing left.
@Suite(.serialized) struct CallFailureTests {
  /// Goal: a failed call on the output ends the import and leaves nothing. Method: each call of
  /// each kind returns an error, one after the other.
  @Test(
    arguments: [
      "mkdir", "open", "flock", "fstat", "opendir", "readdir", "statvfs", "pwrite", "pread",
      "fsync", "rename", "close",
    ])
  func onOutput(kind: String) async throws {
    let count = try await Self.callCount(kind)
    #expect(count > 0, "no call of the kind is made")
    let errors = [EIO, ENOSPC, EDQUOT, EINTR]
    let faults = (1...max(count, 1)).flatMap { number in
      errors.map { (number, error: $0) }
    }
    try await inParallel(faults) { number, error in
      let scene = try Scene()
      let fault = Fault(kind: kind, call: .number(number), action: .error(error))
      let run = try await scene.run([fault])
      let failed = try scene.calls().first { $0.kind == kind && $0.errorNumber == error }
      if error == EINTR && kind != "fsync" {
        // close is not called again: Linux has closed the file.
        try await Self.expectDone(scene, run, "\(fault)")
      } else if let failed, kind != "close", try Self.isAfterIndex(scene, error) {
        try await Self.expectTimelineOnly(scene, run, error, path: failed.path, "\(fault)")
      } else if let failed, kind != "close" || failed.path.hasSuffix(".import-temp") {
        try Self.expectFailure(scene, run, code: 74, error, path: failed.path, "\(fault)")
        if kind == "fsync" && failed.path.hasSuffix(".import-temp") {
          let count = try scene.calls().count { $0.kind == kind && $0.path == failed.path }
          #expect(count == 1, "\(fault): the file is synced again")
        }
      } else {
        // A directory that was only read, or fewer calls than were counted.
        try await Self.expectDone(scene, run, "\(fault)")
      }
    }
  }

  /// Goal: reasons of the path, not of the disk, are exit code 73.
  @Test(arguments: [("mkdir", EACCES), ("mkdir", EROFS), ("open", EACCES), ("flock", ENOLCK)])
  func place(kind: String, error: Int32) async throws {
    let scene = try Scene()
    let run = try await scene.run([
      Fault(kind: kind, call: .number(1), action: .error(error))
    ])
    let failed = try #require(try scene.calls().first { $0.errorNumber == error })
    try Self.expectFailure(scene, run, code: 73, error, path: failed.path, kind)
  }

  /// Goal: interrupted and partial calls are repeated until everything is done. Method: every other
  /// call of the kind, on the output and on the backup.
  @Test(
    arguments: [
      "mkdir", "open", "flock", "fstat", "opendir", "readdir", "statvfs", "pwrite", "pread",
      "rename", "unlink", "close", "read",
    ])
  func interrupted(kind: String) async throws {
    for action in [Fault.Action.error(EINTR), .short] {
      let scene = try Scene()
      // With remains to unlink.
      try scene.put([Scene.timeline + "/layer-1.import-temp": [1]])
      let fault = Fault(kind: kind, call: .everyOther, action: action)
      let run = try await scene.run([fault], under: scene.directory.path)
      try await Self.expectDone(scene, run, "\(fault)")
    }
  }

  /// Goal: small relations that do not fit into memory are spooled, and a fault there is handled
  /// like any other. Method: a larger backup, and each call on the spool.
  @Test func spool() async throws {
    let backup = SmallBackup.tar.encoded()
    let settings = ["--compression-level", "0", "--chunk-size", "4M", "--memory", "16M"]
    let undisturbed = try Scene(backup)
    let run = try await undisturbed.run([], with: settings)
    #expect(run.exitCode == 0)
    let spoolCalls = try undisturbed.calls().filter { $0.path.contains("/spool-") }
    #expect(spoolCalls.contains { $0.kind == "pwrite" })
    #expect(spoolCalls.contains { $0.kind == "pread" })
    let expected = try undisturbed.files()

    for kind in ["pread", "unlink"] {
      let scene = try Scene(backup)
      let fault = Fault(kind: kind, call: .number(1), action: .error(EIO))
      let run = try await scene.run([fault], with: settings)
      let failed = try #require(try scene.calls().first { $0.errorNumber == EIO })
      let path = failed.path.replacing(" (deleted)", with: "")
      try Self.expectFailure(scene, run, code: 74, EIO, path: path, "\(fault)")
    }
    for kind in ["pread", "pwrite"] {
      for action in [Fault.Action.error(EINTR), .short] {
        let scene = try Scene(backup)
        let fault = Fault(kind: kind, call: .everyOther, action: action)
        let run = try await scene.run([fault], with: settings)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(try scene.files() == expected, "\(fault)")
      }
    }
  }

  /// Goal: a backup that cannot be read ends the import as well.
  @Test(arguments: [("open", EACCES, 66), ("read", EIO, 74), ("fstat", EIO, 66)])
  func onInput(kind: String, error: Int32, code: Int32) async throws {
    for number in 1...(kind == "read" ? 2 : 1) {
      let scene = try Scene()
      let fault = Fault(kind: kind, call: .number(number), action: .error(error))
      let run = try await scene.run([fault], under: scene.backup)
      try Self.expectFailure(scene, run, code: code, error, path: scene.backup, "\(fault)")
    }
  }

  /// Goal: if the last fsync fails, the index loses its name before any layer goes; if that fails too,
  /// everything stays, as an index without a layer would be worse. Method: fail the fsync of the
  /// directory after the rename of the index; then fail the rename back too, or kill the program at each
  /// call from there on.
  @Test func lastStep() async throws {
    // The very last is of the directory of the receipt.
    let last = try await Self.callCount("fsync") - 1
    let fsync = Fault(kind: "fsync", call: .number(last), action: .error(EIO))
    let scene = try Scene()
    let run = try await scene.run([fsync])
    let calls = try scene.calls()
    let failure = try #require(calls.firstIndex { $0.errorNumber == EIO })
    try Self.expectFailure(scene, run, code: 74, EIO, path: calls[failure].path, "\(fsync)")
    let withdrawn = try #require(
      calls[failure...].firstIndex {
        $0.kind == "rename" && $0.path == scene.output + "/" + Scene.index
      })
    let removed = calls.indices[failure...].filter {
      calls[$0].kind == "unlink" && !calls[$0].path.contains("/receipts/")
    }
    #expect(removed.count > 7 && removed.allSatisfy { $0 > withdrawn })

    let stuck = try Scene()
    let number = calls[...withdrawn].count { $0.kind == "rename" }
    let rename = Fault(kind: "rename", call: .number(number), action: .error(EIO))
    let stuckRun = try await stuck.run([fsync, rename])
    #expect(stuckRun.exitCode == 74)
    #expect(try stuck.files() == (try await Scene.expected.value).withoutReceipts)

    let faults = (failure + 2...calls.count).map { number in
      [fsync, Fault(kind: "any", call: .number(number), action: .killBefore)]
    }
    try await inParallel(faults) { faults in
      let scene = try Scene()
      _ = try await scene.run(faults)
      let files = try scene.files()?.withoutTemporaryFiles ?? [:]
      let expected = try await Scene.expected.value
      #expect(files[Scene.index] == nil || files == expected.withoutReceipts, "\(faults)")
    }
  }

  /// The number of calls of the kind that an import makes on its output.
  private static func callCount(_ kind: String) async throws -> Int {
    let scene = try Scene()
    _ = try await scene.run([])
    return try scene.calls().count { $0.kind == kind }
  }

  /// Whether the call that failed with `error` came after the index had its name, and was durable.
  private static func isAfterIndex(_ scene: Scene, _ error: Int32) throws -> Bool {
    let calls = try scene.calls()
    let rename = calls.firstIndex { $0.kind == "rename" && $0.path.contains("index_part") }
    let failed = calls.firstIndex { $0.errorNumber == error }
    guard let rename, let failed, rename < failed else { return false }
    return calls[rename..<failed].contains { $0.kind == "fsync" && $0.errorNumber == 0 }
  }

  /// Expects an error about the receipt, a complete timeline, and nothing else.
  private static func expectTimelineOnly(
    _ scene: Scene, _ run: ProgramRun, _ error: Int32, path: String, _ comment: String
  ) async throws {
    #expect(run.exitCode == 74, "\(comment): \(run.error)")
    #expect(run.error.hasPrefix("error: cannot "), "\(comment): \(run.error)")
    #expect(run.error.contains("'\(path)"), "\(comment): \(run.error)")
    #expect(
      run.error.contains("is complete. Only its receipt is missing."), "\(comment): \(run.error)")
    let expected = try await Scene.expected.value
    #expect(try scene.files() == expected.withoutReceipts, "\(comment)")
  }

  private static func expectDone(_ scene: Scene, _ run: ProgramRun, _ comment: String) async throws
  {
    #expect(run.exitCode == 0, "\(comment): \(run.error)")
    #expect(try scene.files() == (try await Scene.expected.value), "\(comment)")
  }

  private static func expectFailure(
    _ scene: Scene, _ run: ProgramRun, code: Int32, _ error: Int32, path: String,
    _ comment: String
  ) throws {
    #expect(!run.wasKilled, "\(comment): it hangs")
    #expect(run.exitCode == code, "\(comment): \(run.error)")
    let line = run.error.split(separator: "\n").first ?? ""
    #expect(line.hasPrefix("error: cannot "), "\(comment): \(line)")
    let reason = unsafe String(cString: strerror(error))
    #expect(line.contains("'\(path)") && line.contains(": \(reason) ["), "\(comment): \(line)")
    #expect(try scene.files() == nil, "\(comment): files are left")
  }
}
