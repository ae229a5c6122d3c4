import Foundation
import TestSupport
import Testing

/// An import of a running cluster's backup in one pass, with a real Postgres 15: failing calls, kills,
/// full disks.
///
/// The faults are those of this program: the server gets none of its environment.
@Suite(
  .serialized, .enabled(if: RecoveryScene.backup != nil, "Postgres 15 is not installed"))
struct RecoveryFaultTests {
  /// How many of the calls of a kind are tried, evenly spread; all would take hours.
  private static let sampleCount = Soak.isOn ? 60 : 3

  private static func sample(_ count: Int) -> [Int] {
    let step = max(count / sampleCount, 1)
    // The first and the last are among them.
    return Array(Set(stride(from: 1, through: count, by: step)).union([count])).sorted()
  }

  /// Goal: a failed call on the output or in the scratch directory ends the import, and leaves nothing
  /// of either. Method: calls of each kind return an error, one after another.
  @Test(
    arguments: [
      "mkdir", "open", "fstat", "opendir", "readdir", "pwrite", "pread", "fsync", "rename", "close",
    ]) func failingCalls(kind: String) async throws
  {
    let undisturbed = try RecoveryScene()
    let run = try await undisturbed.run([])
    try #require(run.exitCode == 0, "\(run.error)")
    let count = try undisturbed.calls().count { $0.kind == kind }
    #expect(count > 0)
    try await inParallel(Self.sample(count)) { number in
      let scene = try RecoveryScene()
      let fault = Fault(kind: kind, call: .number(number), action: .error(EIO))
      let run = try await scene.run([fault])
      try await Self.expectAllOrNothing(scene, run, "\(fault)")
    }
  }

  /// Expects that an import of which one call failed with `EIO` has left all of its files, all but the
  /// receipt, or none, and says so.
  private static func expectAllOrNothing(
    _ scene: RecoveryScene, _ run: ProgramRun, _ comment: String
  ) async throws {
    let calls = try scene.calls()
    let failed = calls.firstIndex { $0.errorNumber == EIO }
    let comment = "\(comment) \(failed.map { calls[$0].path } ?? "-"): \(run.error)"
    #expect(!run.wasKilled && run.signal == nil, "\(comment)")
    let index = calls.firstIndex { $0.kind == "rename" && $0.path.contains("index_part") }
    var isAfterIndex = false
    if let index, let failed, index < failed {
      isAfterIndex = calls[index..<failed].contains { $0.kind == "fsync" && $0.errorNumber == 0 }
    }
    let remains = try scene.scratchRemains()
    if run.exitCode == 0 {
      // A call on what was only read, or that removes the scratch, which then stays.
      try await scene.expectTimeline(comment)
      let isInScratch = failed.map { calls[$0].path.hasPrefix(scene.scratch) } ?? false
      #expect(remains.isEmpty || isAfterIndex && isInScratch, "\(comment)")
      return
    }
    #expect(remains == [], "\(comment)")
    #expect(run.exitCode == 74, "\(comment)")
    let line = run.error.split(separator: "\n").first ?? ""
    #expect(line.hasPrefix("error: cannot "), "\(comment)")
    #expect(line.contains(": Input/output error ["), "\(comment)")
    if isAfterIndex {
      #expect(line.hasSuffix("[receipt-not-written]"), "\(comment)")
      #expect(run.error.contains("is complete. Only its receipt is missing."), "\(comment)")
      try await scene.expectTimeline(comment, hasReceipt: false)
    } else {
      #expect(line.hasSuffix("[read-failed]") || line.hasSuffix("[write-failed]"), "\(comment)")
      #expect(try scene.files() == [], "\(comment)")
    }
  }

  /// Goal: interrupted and partial calls are repeated. Method: every other call of the kind.
  @Test(arguments: ["open", "pwrite", "pread", "readdir", "fstat", "close"])
  func interrupted(kind: String) async throws {
    for action in [Fault.Action.error(EINTR), .short] {
      let scene = try RecoveryScene()
      let fault = Fault(kind: kind, call: .everyOther, action: action)
      let run = try await scene.run([fault])
      #expect(run.exitCode == 0, "\(fault): \(run.error)")
      try await scene.expectTimeline("\(fault)")
      #expect(try scene.scratchRemains() == [])
    }
  }

  /// Goal: a killed import leaves no index, or a complete timeline, and no server; and the next one ends
  /// as if nothing had happened. Method: SIGKILL at calls all over the import, and at random moments.
  @Test func kills() async throws {
    let undisturbed = try RecoveryScene()
    _ = try await undisturbed.run([])
    let calls = Self.sample(try undisturbed.calls().count).map { number in
      (Fault(kind: "any", call: .number(number), action: .killAfter), Duration.seconds(120))
    }
    var generator = SeededGenerator(state: 23)
    let moments = (0..<(Soak.isOn ? 200 : 8)).map { _ in
      (
        Fault?.none, Duration.microseconds(Int.random(in: 100_000..<2_500_000, using: &generator))
      )
    }
    try await inParallel(calls.map { (Fault?.some($0.0), $0.1) } + moments) { fault, timeLimit in
      let scene = try RecoveryScene()
      _ = try await scene.run(fault.map { [$0] } ?? [], timeLimit: timeLimit)
      let comment = fault.map { "\($0)" } ?? "killed after \(timeLimit)"
      let hadIndex = scene.hasIndex
      if hadIndex { try await scene.expectTimeline(comment, hasReceipt: nil) }
      let remains = try scene.scratchRemains()
      // The sandbox ends with the program that started it; without one, the server may still run.
      if Sandboxing.works { #expect(try await scene.isWithoutServer(), "\(comment)") }
      let again = try await scene.run(nil, with: hadIndex ? ["--force"] : [])
      #expect(again.exitCode == 0, "\(comment), and again: \(again.error)")
      try await scene.expectTimeline(comment)
      // What a killed run left in the scratch is not the next one's.
      #expect(try scene.scratchRemains().sorted() == remains.sorted(), "\(comment)")
    }
  }

  /// Goal: a scratch directory that is too small ends the import, at each of its steps, and leaves
  /// nothing. Method: a tmpfs in which the small files, the WAL or what replay writes do not fit, or has
  /// no more inodes.
  @Test(
    .enabled(if: FileSystemOfItsOwn.isAllowed, "mounting a tmpfs is not allowed here"),
    arguments: ["size=300k", "size=3m", "size=6m", "size=7m", "size=64m,nr_inodes=40"])
  func fullDisk(options: String) async throws {
    let scene = try RecoveryScene()
    let run = try await ProgramRun.run(
      scene.arguments([]),
      script: FileSystemOfItsOwn.script(
        """
        mount -t tmpfs -o \(options),mode=755 tmpfs '\(scene.scratch)' || exit 99
        "$@"; code=$?
        find '\(scene.scratch)' -mindepth 1
        exit $code
        """))
    #expect([65, 74].contains(run.exitCode), "\(options): \(run.exitCode) \(run.error)")
    #expect(
      run.error.contains("No space left on device") || run.error.contains("kept free")
        || run.error.contains("MiB free"), "\(options): \(run.error)")
    #expect(run.output.isEmpty, "\(options): files are left: \(run.outputText)")
    #expect(
      run.error.contains(run.exitCode == 65 ? "[recovery-failed]" : "[no-space]"),
      "\(options): \(run.error)")
    #expect(try scene.files() == [], "\(options)")
  }
}

/// A backup of a running cluster, and imports of it that recover it in one pass.
struct RecoveryScene: Sendable {
  private static let programs = "/usr/lib/postgresql/15/bin"

  /// The directory with the backup, `plain`; nil without Postgres.
  static let backup: TemporaryDirectory? = {
    guard FileManager.default.isExecutableFile(atPath: programs + "/postgres"),
      let directory = try? TemporaryDirectory()
    else { return nil }
    let script = #"""
      bin=$1; cd "$2"
      chmod 755 .; drop=(); [ "$(id -u)" != 0 ] || { drop=(setpriv --reuid nobody --clear-groups); chown nobody .; }
      run() { "${drop[@]}" "$@"; }
      sql() { run "$bin/psql" -h "$PWD" -U postgres -d template1 -qAtX -c "$1"; }
      run "$bin/initdb" -D "$PWD/data" -U postgres -A trust -k --no-sync --wal-segsize=1
      run "$bin/pg_ctl" -D "$PWD/data" -w -t 60 -l "$PWD/log" -o "-c listen_addresses= \
        -c unix_socket_directories=$PWD -c fsync=off -c autovacuum=off -c wal_keep_size=1GB" start
      trap 'run "$bin/pg_ctl" -D "$PWD/data" -w -t 60 -m immediate stop' EXIT
      # One database is enough.
      sql 'DROP DATABASE postgres'; sql "ALTER DATABASE template0 IS_TEMPLATE false"; sql 'DROP DATABASE template0'
      sql "CREATE TABLE h AS SELECT g AS a, md5(g::text) AS b FROM generate_series(1, 4000) g"
      sql 'CREATE INDEX ON h USING hash (b)'; sql 'CHECKPOINT'
      coproc session { run "$bin/psql" -h "$PWD" -U postgres -d template1 -qAtX 2>&1; }
      echo "SELECT pg_backup_start('b', true);" >&${session[1]}; read -r _ <&${session[0]}
      mkdir plain; cp -a data/base plain/
      sql "DELETE FROM h WHERE a % 3 = 0"; sql 'VACUUM h'
      sql "INSERT INTO h SELECT g, md5(g::text) FROM generate_series(5000, 9000) g"; sql 'CHECKPOINT'
      for name in data/*; do
        case ${name#data/} in base | postmaster.* | *.conf) ;; *) cp -a "$name" plain/ ;; esac
      done
      echo 'SELECT labelfile FROM pg_backup_stop(false);' >&${session[1]}
      while read -r -t 60 line; do
        [[ $line == [A-Z]*': '* && $line != NOTICE* && $line != WARNING* ]] && echo "$line"
        [[ $line != 'START TIMELINE:'* ]] || break
      done <&${session[0]} > plain/backup_label
      exec {session[1]}>&-
      cp -a data/pg_wal/0* plain/pg_wal/
      """#
    do {
      _ = try Shell.output("bash", "-euc", script, "bash", programs, directory.path)
    } catch {
      // The tests then fail, rather than being skipped.
      FileHandle.standardError.write(Data("\(error)\n".utf8))
    }
    return directory
  }()

  let directory: TemporaryDirectory
  private var work: String { directory.path + "/work" }
  private var log: String { directory.path + "/calls" }
  private var output: String { work + "/out" }
  var scratch: String { work + "/scratch" }
  var hasIndex: Bool {
    FileManager.default.fileExists(atPath: output + "/" + Scene.index)
  }

  init() throws {
    directory = try TemporaryDirectory()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: directory.path)
    try FileManager.default.createDirectory(
      atPath: work + "/scratch", withIntermediateDirectories: true)
  }

  func arguments(_ more: [String]) -> [String] {
    [
      (Self.backup?.path ?? "") + "/plain", "--output", output, "--scratch", scratch, "--tenant-id",
      Scene.tenantID, "--timeline-id", Scene.timelineID, "--quiet", "--recover-with", Self.programs,
      "--small-relation-size", "64K", "--chunk-size", "4M",
    ] + Sandboxing.options + more
  }

  /// Imports, with faults among the calls on the output and the scratch directory; nil for none, and no
  /// library.
  func run(
    _ faults: [Fault]?, with more: [String] = [], timeLimit: Duration = .seconds(300)
  ) async throws -> ProgramRun {
    try await ProgramRun.run(
      arguments(more),
      environment: try faults.map {
        try FaultLibrary.environment($0, under: work, log: log)
      } ?? [:], timeLimit: timeLimit)
  }

  /// The calls of the last run.
  func calls() throws -> [Scene.Call] { try Scene.calls(in: log) }

  /// Verifies the timeline, and expects its files and no others; the receipt's may be there or not if
  /// `hasReceipt` is nil.
  func expectTimeline(_ comment: String, hasReceipt: Bool? = true) async throws {
    let run = try await ProgramRun.run(["verify", output + "/" + Scene.timeline, "--json"])
    #expect(run.exitCode == 0, "\(comment): \(run.error)")
    // The names of layers hold their keys and LSNs, which are the same in every run.
    var expected = try await Self.expected.value
    var found = try files()
    if hasReceipt != true {
      expected.removeAll { $0.hasPrefix("receipts/") }
      if hasReceipt == nil { found.removeAll { $0.hasPrefix("receipts/") } }
    }
    #expect(found == expected, "\(comment)")
  }

  /// The names of all files of an import.
  private static let expected = Task {
    let scene = try RecoveryScene()
    let run = try await scene.run(nil)
    #expect(run.exitCode == 0, "\(run.error)")
    return try scene.files()
  }

  /// The paths of all files below the output, sorted.
  func files() throws -> [String] {
    guard FileManager.default.fileExists(atPath: output) else { return [] }
    let names = try Shell.output("find", output, "-type", "f", "-printf", "%P\\n")
    return String(decoding: names, as: UTF8.self).split(separator: "\n").map(String.init).sorted()
  }

  /// What is left in the scratch directory.
  func scratchRemains() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: scratch)
  }

  /// Whether no process works in the scratch directory, after a short time at most.
  func isWithoutServer() async throws -> Bool {
    let place = Array((scratch + "/import-backup-recovery").utf8)
    for _ in 0..<100 {
      let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc")
      let isThere = processes.contains { name in
        guard name.allSatisfy(\.isNumber),
          let words = try? Data(contentsOf: URL(filePath: "/proc/\(name)/cmdline"))
        else { return false }
        return !Array(words).ranges(of: place).isEmpty
      }
      if !isThere { return true }
      try await Task.sleep(for: .milliseconds(100))
    }
    return false
  }
}
