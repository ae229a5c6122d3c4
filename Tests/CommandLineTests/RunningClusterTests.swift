import Foundation
import Operations
import TestSupport
import Testing

/// A running cluster's backup, recovered in one pass.
@Suite(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
struct RunningClusterTests {
  /// What the cluster does with the pages that it changes.
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case checksums, noFullPageWrites, sixteen

    var testDescription: String { rawValue }
    var settings: String {
      switch self {
      case .checksums: ""
      case .noFullPageWrites: "full_page_writes = off\nwal_consistency_checking = 'hash,generic'"
      case .sixteen: "wal_log_hints = on\nwal_compression = on"
      }
    }
    /// The forms that are tried; each of them twice.
    var forms: [LoadedCluster.Form] {
      switch self {
      case .checksums: LoadedCluster.Form.allCases
      case .noFullPageWrites: [.pipe, .archived]
      case .sixteen: [.tars, .plain]
      }
    }
    var programs: String? {
      self == .sixteen ? PostgresServer.programs16 : PostgresServer.programs
    }
  }

  /// For a machine with much else to do.
  private static let timeLimit = Duration.seconds(400)

  private static func run(
    _ cluster: LoadedCluster, _ form: LoadedCluster.Form, _ output: String, _ more: [String]
  ) async throws -> ProgramRun {
    let path = cluster.path(form)
    return try await ProgramRun.run(
      [form == .pipe ? "-" : path, "--output", output, "--json"] + cluster.arguments(form) + more,
      input: form == .pipe ? .pipe(path) : .none, timeLimit: timeLimit)
  }

  /// Exports the only timeline below `output` into a directory of its own.
  private static func export(
    _ output: String, to directory: String, isOlder: Bool = false
  ) async throws -> String {
    let timeline = try PostgresServer.shell(
      #"""
      mkdir "$2"; ls -d "$1"/tenants/*/timelines/* | sed -E 's/-[0-9a-f]{4}(\/timelines)/\1/' | sort -u
      """#, [output, directory], "/")[0]
    let verified = try await ProgramRun.run(["verify", timeline, "--json"])
    #expect(verified.exitCode == 0, "\(verified.error)")
    let summary = try JSONDecoder().decode(VerifySummary.self, from: verified.output)
    // Only a base has tables that were dropped: that of the archived copy, which was taken first.
    if output.hasSuffix("/full") { #expect(summary.goneKeyCount == 0) }
    if isOlder { #expect(summary.goneKeyCount > 0) }
    let run = try await ProgramRun.run(["export", timeline, "-o", directory + ".tar"])
    #expect(run.exitCode == 0, "\(run.error)")
    try PostgresServer.shell(#"tar -C "$1" -xf "$1.tar""#, [directory], "/")
    return timeline
  }

  /// Imports both ways into a directory by `run`, and expects exports that are equal in every byte but
  /// the times in `pg_control` and in the last WAL segment. Gives the summary and the timeline of the one
  /// pass.
  static func compare(
    in directory: String, isOlder: Bool = false, onePass: [String] = [], _ name: String,
    _ run: (_ output: String, _ more: [String]) async throws -> ProgramRun
  ) async throws -> (ImportSummary, timeline: String) {
    let one = try await run(directory + "/one", onePass)
    try #require(one.exitCode == 0, "\(name): \(one.error)")
    let summary = try JSONDecoder().decode(ImportSummary.self, from: one.output)
    #expect(summary.backupKind == "recovered")
    let full = try await run(directory + "/full", ["--full-copy"])
    try #require(full.exitCode == 0, "\(name): \(full.error)")
    let timeline = try await export(directory + "/one", to: directory + "/a", isOlder: isOlder)
    _ = try await export(directory + "/full", to: directory + "/b")
    let differences = try PostgresServer.shell("diff -rq a b || true", [], directory)
    let expected = ["global/pg_control", "pg_wal/"]
    #expect(
      differences.filter { line in !expected.contains { line.contains($0) } } == [], "\(name)")
    return (summary, timeline)
  }

  /// Goal: the same over a standby, a switch of timelines, and a crash with more WAL in an archive.
  /// Method: both ways; each recovery that goes further ends further.
  @Test func standby() async throws {
    let cluster = try StandbyCluster(programs: try #require(PostgresServer.programs))
    for copy in StandbyCluster.Copy.allCases {
      var ends: Set<String> = []
      for arguments in cluster.arguments(copy) {
        let directory = try TemporaryDirectory()
        let (summary, _) = try await Self.compare(in: directory.path, "\(copy) \(arguments)") {
          output, more in
          try await ProgramRun.run(
            [
              cluster.path(copy), "--output", output, "--json", "--recover-with",
              cluster.programs,
            ] + Sandboxing.options + arguments + more, timeLimit: Self.timeLimit)
        }
        ends.insert(try #require(summary.recoveryEndLSN))
      }
      #expect(ends.count == cluster.arguments(copy).count, "\(ends)")
    }
  }

  /// Goal: `verify` finds the same in one pass as with a full copy. Method: the timeline's own backup; one
  /// that was taken before, which differs in many pages; and the own one with a bit changed in a page that
  /// replay does not touch, which is found, and in one that it cuts off, which is not.
  private static func verify(
    _ timeline: String, against form: LoadedCluster.Form, of cluster: LoadedCluster,
    _ directory: TemporaryDirectory, isThorough: Bool
  ) async throws {
    let scratch = directory.path + "/scratch"
    try FileManager.default.createDirectory(
      atPath: scratch, withIntermediateDirectories: false)
    try PostgresServer.shell(
      #"""
      cp -a "$1" changed
      for file in base/4/1255 "$(cat "$2/cut")"; do
        place=$(( $(stat -c %s "changed/$file") - 100 ))
        byte=$(od -An -tu1 -j $place -N 1 "changed/$file")
        printf "\\x$(printf %x $(( byte ^ 1 )))" | dd of="changed/$file" bs=1 seek=$place conv=notrunc
      done 2> /dev/null
      """#, [cluster.path(form), cluster.directory], directory.path)
    let cases: [(LoadedCluster.Form, path: String, count: ClosedRange<UInt64>)] = [
      (form, cluster.path(form), 0...0), (.tars, cluster.path(.tars), 100...(.max)),
      (form, directory.path + "/changed", 1...1),
    ]
    for (other, path, count) in isThorough ? cases : Array(cases.prefix(1)) {
      var found: [VerifySummary] = []
      for more in isThorough ? [[], ["--full-copy"]] : [[]] {
        let run = try await ProgramRun.run(
          ["verify", timeline, "--against", path, "--json", "--scratch", scratch]
            + cluster.arguments(other) + more, timeLimit: timeLimit)
        #expect(run.exitCode == (count.contains(0) ? 0 : 1), "\(form) \(other): \(run.error)")
        var summary = try JSONDecoder().decode(VerifySummary.self, from: run.output)
        #expect(summary.isCompared)
        #expect(summary.comparedPageCount > 1000)
        #expect(count.contains(summary.findingCount), "\(summary.findings)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch) == [])
        summary.seconds = 0
        found.append(summary)
      }
      guard found.count == 2 else { continue }
      #expect(found[0].findings == found[1].findings)
      #expect(found[0].findingCount == found[1].findingCount)
      #expect(found[0].comparedPageCount == found[1].comparedPageCount)
      if count == 1...1 {
        #expect(found[0].findings.first?.code == .pageDiffers)
        #expect(found[0].findings.first?.file == "base/4/1255")
      }
    }
  }

  /// Goal: an import in one pass gives what one of a full recovery gives, with few files in its scratch.
  /// Method: under a load, every form of backup both ways. The one export starts, and no index of it
  /// disagrees with its table. One cluster at a time, as each takes 2 GB.
  @Test(.serialized, arguments: Kind.allCases.filter { $0.programs != nil })
  func sameAsFullCopy(kind: Kind) async throws {
    let programs = try #require(kind.programs)
    let cluster = try LoadedCluster(
      programs: programs, checksums: kind == .checksums, settings: kind.settings)
    for form in kind.forms {
      let directory = try TemporaryDirectory()
      let scratch = directory.path + "/kept"
      try FileManager.default.createDirectory(
        atPath: scratch, withIntermediateDirectories: false)
      let (summary, timeline) = try await Self.compare(
        in: directory.path, isOlder: form == .archived,
        onePass: ["--scratch", scratch, "--keep-scratch"]
          + (form == .plain ? ["--shards", "3", "--stripe-size", "4"] : []), "\(kind) \(form)"
      ) { output, more in try await Self.run(cluster, form, output, more) }
      // Of template0, which nobody changes, the server was given no main fork.
      let files = try PostgresServer.shell(
        #"(cd */data/base; ls 4; ls 5 | grep -xE '[0-9]+' | sed s/^/5:/); rm -r "$PWD""#, [],
        scratch)
      #expect(files.contains("1255_fsm") && !files.contains { UInt32($0) != nil }, "\(files)")
      #expect(files.contains { $0.hasPrefix("5:") })
      #expect(summary.imageLayerCount > 0)
      #expect(summary.preparedTransactionCount > 0)
      if form == .plain { continue }
      // The base and its changes are in separate layers.
      let layers = try FileManager.default.contentsOfDirectory(atPath: timeline)
      #expect(layers.contains { $0.contains("__0000000000080000-") }, "\(layers)")
      if form == kind.forms.last {
        try await Self.verify(
          timeline, against: form, of: cluster, directory, isThorough: kind == .checksums)
      }
      guard form == .pipe else { continue }
      let server = try PostgresServer(
        unpacking: directory.path + "/a.tar", programs: programs, user: "postgres")
      try server.start(options: "-c max_prepared_transactions=10")
      #expect(try server.query("SELECT count(*) FROM pg_prepared_xacts") == ["1"])
      _ = try server.check(
        "pg_amcheck", "--install-missing", "--heapallindexed", "--database", "postgres")
      try server.stop()
    }
  }
}
