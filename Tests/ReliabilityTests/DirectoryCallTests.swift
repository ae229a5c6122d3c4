import Foundation
import TestSupport
import Testing

/// Calls that fail, are partial or interrupted, with a data directory as the backup.
@Suite(.serialized) struct DirectoryCallTests {
  private static func run(
    _ scene: Scene, _ fault: Fault, with more: [String] = []
  ) async throws -> ProgramRun {
    let data = scene.directory.path + "/data"
    try SmallBackup.tiny.unpack(into: data)
    return try await ProgramRun.run(
      scene.arguments(backup: data, ["--layout", "fake-l0"] + more),  // as of the tar
      environment: try FaultLibrary.environment([fault], under: data, log: scene.log))
  }

  /// The calls of an import without faults on the directory.
  private static func calls() async throws -> [Scene.Call] {
    let scene = try Scene()
    let run = try await Self.run(scene, Fault(kind: "none", call: .number(1), action: .short))
    #expect(run.exitCode == 0, "\(run.error)")
    // One chunk contains all small relations of both, so that their order does not matter.
    #expect(try scene.files() == (try await Scene.expected.value))
    return try scene.calls()
  }

  /// Goal: each failure ends the import with its exit code, the path and the reason, and leaves
  /// nothing. Method: every third call of each kind fails, for a reason of the path or of the disk.
  @Test func failures() async throws {
    let calls = try await Self.calls()
    for (kind, error, code) in [
      ("open", EACCES, 66), ("open", EMFILE, 66), ("fstat", EIO, 74), ("opendir", ENOMEM, 74),
      ("readdir", EIO, 74), ("read", EIO, 74),
      ("readlink", EIO, 74),
    ] as [(String, Int32, Int32)] {
      let count = calls.count { $0.kind == kind }
      #expect(count > 0, "no call of the kind is made")
      try await inParallel(stride(from: 1, through: count, by: 3).map { $0 }) { number in
        let scene = try Scene()
        let fault = Fault(kind: kind, call: .number(number), action: .error(error))
        let run = try await Self.run(scene, fault)
        let failed = try #require(try scene.calls().first { $0.errorNumber == error })
        if run.exitCode == 0 {
          // An unreadable directory of the user is left out anyway; and version and tablespaces are
          // only read for a hint, which can do without them.
          let places = ["/data", "/data/PG_VERSION", "/data/pg_tblspc", "/data/log"]
          #expect(places.contains { failed.path.hasSuffix($0) }, "\(fault): \(failed.path)")
          #expect(try scene.files() == (try await Scene.expected.value), "\(fault)")
          return
        }
        let line = run.error.split(separator: "\n").first ?? ""
        let reason = unsafe String(cString: strerror(error))
        // A directory that cannot be listed before the import begins is an input that cannot be
        // opened.
        let codes: [Int32?] = kind == "opendir" ? [code, 66] : [code]
        #expect(codes.contains(run.exitCode), "\(fault): \(run.error)")
        #expect(
          line.hasPrefix("error: cannot ") && line.contains("'\(failed.path)': \(reason) ["),
          "\(line)")
        #expect(try scene.files() == nil, "\(fault): files are left")
      }
    }
  }

  /// Goal: interrupted calls are repeated, and short reads continued. Method: every other call.
  @Test(arguments: ["open", "fstat", "readdir", "read", "readlink"])
  func interrupted(kind: String) async throws {
    for action in [Fault.Action.error(EINTR), .short] {
      let scene = try Scene()
      let run = try await Self.run(scene, Fault(kind: kind, call: .everyOther, action: action))
      #expect(run.exitCode == 0, "\(run.error)")
      #expect(try scene.files() == (try await Scene.expected.value), "\(kind) \(action)")
    }
  }

  /// Goal: a signal ends the import while it reads a directory, and leaves nothing. Method: raise
  /// it at every tenth call; the call after it takes long, so that the import is not done first.
  @Test func signals() async throws {
    let numbers = Array(stride(from: 1, through: try await Self.calls().count, by: 10))
    try await inParallel(numbers) { number in
      let scene = try Scene()
      let data = scene.directory.path + "/data"
      try SmallBackup.tiny.unpack(into: data)
      let faults = [
        Fault(kind: "any", call: .number(number), action: .signal(SIGTERM)),
        Fault(kind: "any", call: .number(number + 1), action: .delay(milliseconds: 2000)),
      ]
      let run = try await ProgramRun.run(
        scene.arguments(backup: data),
        environment: try FaultLibrary.environment(faults, under: data, log: scene.log))
      #expect(run.exitCode == 143, "call \(number): \(run.error)")
      #expect(run.error == "error: terminated by a signal [terminated]\n")
      #expect(try scene.files() == nil, "call \(number): files are left")
    }
  }
}
