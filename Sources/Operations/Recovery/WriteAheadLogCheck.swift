import PostgresFormat
import System

/// Looks through the WAL of a scratch copy for what must not be replayed there.
///
/// The record of a `CREATE TABLESPACE` names the directory that the cluster had. A server that
/// replays it uses that directory, and what it replays next overwrites files in it: on the machine
/// of the cluster itself they are the cluster's own. (Postgres, `tablespace.c`,
/// `create_tablespace_directories`)
struct WriteAheadLogCheck {
  let programs: PostgresPrograms
  let scratch: ScratchDirectory
  let control: ControlFile
  /// Where replay begins.
  let start: LogSequenceNumber

  /// Segments of one timeline that follow each other.
  private struct Run {
    var timelineID: Substring
    var first: UInt64
    var last: UInt64
    var names: (first: String, last: String)
  }

  /// Refuses WAL in the copy that makes a tablespace; what a restore command brings is not seen.
  func requireNoNewTablespaces() throws(Failure) {
    let directory = scratch.data + "/pg_wal"
    for run in try runs(in: directory) {
      var arguments = ["--rmgr=Tablespace", "--path=\(directory)"]
      if run.first == start.rawValue / UInt64(control.walSegmentSize) {
        arguments += ["--start=\(start)"]
      }
      // It ends with an error if the WAL ends within a segment, so its exit code says nothing.
      let result = try ChildProcess.run(
        programs.words("pg_waldump", arguments + [run.names.first, run.names.last]),
        log: scratch.path + "/pg_waldump.log")
      guard result.exitCode < 126 else {
        throw Failure(
          .unsupported, "cannot run \(programs.path("pg_waldump").quoted)",
          hint: PostgresPrograms.hint)
      }
      let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
      guard let line = lines.first(where: { $0.contains(Self.creation) }),
        let record = line.firstRange(of: Self.creation)
      else { continue }
      throw Self.newTablespace(at: String(line[record.upperBound...]))
    }
  }

  /// The refusal of a backup whose replay makes a tablespace.
  static func newTablespace(at place: String) -> Failure {
    Failure(
      .unsupported,
      "a tablespace was created during the backup or later: \(place.quoted)",
      hint: "Take a new backup: this one cannot be recovered without writing to that directory.")
  }

  private static let creation = "desc: CREATE "

  private func runs(in directory: String) throws(Failure) -> [Run] {
    let segmentSize = UInt64(control.walSegmentSize)
    var runs: [Run] = []
    for name in try SystemCalls.names(in: directory) where name.utf8.count == 24 {
      guard let high = UInt64(name.dropFirst(8).prefix(8), radix: 16),
        let low = UInt64(name.suffix(8), radix: 16)
      else { continue }
      let number = high * (1 << 32 / segmentSize) + low
      if number < start.rawValue / segmentSize { continue }
      if let last = runs.last, last.timelineID == name.prefix(8), last.last + 1 == number {
        runs[runs.count - 1].last = number
        runs[runs.count - 1].names.last = name
      } else {
        runs.append(
          Run(timelineID: name.prefix(8), first: number, last: number, names: (name, name)))
      }
    }
    return runs
  }
}
