import LayerFormat
import Pipeline
import PostgresFormat
import Synchronization
import System

/// Lets Postgres move everything in tablespaces to the default one, and drop them.
///
/// ```
/// in each database   what is in pg_default to the database's own tablespace, where that is
///                    another: ALTER DATABASE refuses to mix the two
/// in another one     ALTER DATABASE … SET TABLESPACE pg_default
/// in each database   all that is in a tablespace to pg_default
/// in any             DROP TABLESPACE, which fails while there is anything left in it
/// ```
///
/// Single-user mode enters databases that allow no connections as well, runs no event triggers and
/// applies no settings of roles and databases. (Postgres, `postinit.c`, `CheckMyDatabase` and
/// `process_settings`; `event_trigger.c`)
struct TablespaceMove {
  let server: SingleUserServer
  let control: ControlFile
  let progress: RunProgress?

  /// A row of `pg_database`.
  private struct Database {
    var name: [UInt8]
    var tablespace: UInt32
  }

  /// How many databases have been emptied.
  private final class DatabaseCount: Sendable {
    private let count = Atomic<UInt64>(0)

    var value: UInt64 { count.load(ordering: .relaxed) }

    func add() { count.wrappingAdd(1, ordering: .relaxed) }
  }

  private static let kinds = ["TABLE", "INDEX", "MATERIALIZED VIEW"]

  /// Moves everything, and gives the tablespaces' names, escaped; `fileCount` are the cluster's
  /// files.
  func run(fileCount: Int) throws(Failure) -> [String] {
    let (databases, entry) = try databases()
    let done = DatabaseCount()
    progress?.begin(.movingTablespaces) { [count = databases.count] in
      RunProgress.Amount(done: done.value, total: UInt64(count), unit: .databases)
    }
    let tablespaces = try rows(
      "SELECT oid, spcname FROM pg_catalog.pg_tablespace ORDER BY oid", number: "oid",
      name: "spcname",
      in: entry
    ).filter { ![Tablespace.defaultID, Tablespace.globalID].contains($0.number) }

    // A statement locks all that it moves, and there are this many locks for each connection. Moved
    // relations are not logged, so that they need no second copy in the WAL.
    let connections = control.settings.first { $0.name == "max_connections" }?.value ?? 0
    let locks = [
      "max_locks_per_transaction": String(64 + fileCount / Int(max(connections, 1))),
      "wal_level": "minimal",
    ]
    for database in databases where database.tablespace != Tablespace.defaultID {
      guard let home = tablespaces.first(where: { $0.number == database.tablespace }) else {
        throw Failure(
          .missingTablespace, "database '\(escaped(database.name))' is in an unknown tablespace")
      }
      try execute(
        Self.moves(from: [Self.quoted("pg_default")], to: Self.quoted(home.name)),
        in: database.name, locks)
      guard let other = databases.first(where: { $0.name != database.name }) else { continue }
      try execute(
        [
          Array("ALTER DATABASE ".utf8) + Self.quoted(database.name)
            + Array(" SET TABLESPACE pg_default".utf8)
        ], in: other.name, locks)
    }
    let names = tablespaces.map { Self.quoted($0.name) }
    for database in databases {
      progress?.note { escaped(database.name) }
      try execute(
        Self.moves(from: names, to: Self.quoted("pg_default")), in: database.name, locks)
      done.add()
    }
    // With the cluster's own settings again, which pg_control then holds.
    try execute(names.map { Array("DROP TABLESPACE ".utf8) + $0 }, in: entry, [:])
    return tablespaces.map { escaped($0.name) }
  }

  private static func moves(from tablespaces: [[UInt8]], to target: [UInt8]) -> [[UInt8]] {
    tablespaces.flatMap { tablespace in
      kinds.map { kind in
        Array("ALTER \(kind) ALL IN TABLESPACE ".utf8) + tablespace + Array(" SET TABLESPACE ".utf8)
          + target
      }
    }
  }

  /// A name as an identifier of SQL: quotes doubled, a line's end in Unicode's notation, for a line
  /// is a command. Names are bytes in the encoding of some database, which both pass through.
  static func quoted(_ name: some Sequence<UInt8>) -> [UInt8] {
    var text = Array("U&\"".utf8)
    for byte in name {
      switch byte {
      case UInt8(ascii: "\""): text += Array("\"\"".utf8)
      case UInt8(ascii: "\\"): text += Array("\\\\".utf8)
      case UInt8(ascii: "\n"): text += Array("\\000A".utf8)
      default: text.append(byte)
      }
    }
    return text + [UInt8(ascii: "\"")]
  }

  private static func quoted(_ name: String) -> [UInt8] { quoted(Array(name.utf8)) }

  // MARK: Sessions

  /// Every database that can be entered, and one to work from: `template1` unless that was dropped.
  ///
  /// A database whose removal was cut short has a connection limit of -2 and cannot be entered.
  private func databases() throws(Failure) -> ([Database], entry: [UInt8]) {
    var failure: Failure?
    for entry in ["template1", "postgres", "template0"].map({ Array($0.utf8) }) {
      do throws(Failure) {
        let rows = try rows(
          "SELECT * FROM pg_catalog.pg_database WHERE datconnlimit <> -2 ORDER BY oid",
          number: "dattablespace", name: "datname", in: entry)
        return (rows.map { Database(name: $0.name, tablespace: $0.number) }, entry)
      } catch  where error.exitCode == .unsupported {
        failure = failure ?? error
      }
    }
    throw failure ?? Failure(.bug, "no database was tried")
  }

  /// Runs a query, which gives a number and a name a row.
  ///
  /// Names come in hexadecimal digits: in single-user mode a row is a line of standard output, after
  /// the prompt if it is the first.
  private func rows(
    _ query: String, number: String, name: String, in database: [UInt8]
  ) throws(Failure) -> [(number: UInt32, name: [UInt8])] {
    let columns = "\(number), pg_catalog.encode(pg_catalog.namesend(\(name)), 'hex')"
    let command = "COPY (SELECT \(columns) FROM (\(query)) AS r) TO STDOUT"
    var rows: [(number: UInt32, name: [UInt8])] = []
    for line in try execute([Array(command.utf8)], in: database, [:])
      .split(separator: UInt8(ascii: "\n"))
    {
      let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      if fields.count == 1 { continue }  // what the server says of itself
      let digits = fields[0].drop { !($0 >= 0x30 && $0 <= 0x39) }
      guard fields.count == 2, let number = UInt32(String(decoding: digits, as: UTF8.self)),
        let name = [UInt8](hexadecimalPairs: fields[1])
      else {
        throw Failure(
          .tablespaceMoveFailed, "Postgres returned a malformed row: '\(escaped(line))'")
      }
      rows.append((number, name))
    }
    return rows
  }

  @discardableResult
  private func execute(
    _ commands: [[UInt8]], in database: [UInt8], _ settings: [String: String]
  ) throws(Failure) -> [UInt8] {
    let input = commands.flatMap { $0 + [UInt8(ascii: "\n")] }
    let result = try server.run(
      in: database, commands: input, control: control, others: settings)
    guard result.exitCode == 0 else {
      throw Failure(
        .tablespaceMoveFailed,
        "Postgres cannot move the tablespaces of database '\(escaped(database))': "
          + ServerLog.describe(result, log: server.scratch.log))
    }
    return result.output
  }
}
