/// The settings that a server which starts from a cluster, or replays its WAL, must not fall below.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 max_connections
///          4    4 max_worker_processes
///          8    4 max_wal_senders
///         12    4 max_prepared_transactions
///         16    4 max_locks_per_transaction
///
/// In this order both in the control file and in the WAL record of a change (Postgres,
/// `src/include/catalog/pg_control.h` and `src/include/access/xlog_internal.h`,
/// `xl_parameter_change`).
public struct MinimumSettings: Equatable, Sendable {
  static let names = [
    "max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions",
    "max_locks_per_transaction",
  ]

  static let byteCount = 20

  /// The values by name, always all five.
  public let values: [(name: String, value: Int32)]

  /// Reads the first 20 bytes; traps if there are fewer.
  init(decoding bytes: RawSpan) {
    values = Self.names.enumerated().map { index, name in
      (name, bytes.littleEndian(at: 4 * index))
    }
  }

  /// Whether all five values are the same.
  public static func == (left: Self, right: Self) -> Bool {
    left.values.map(\.value) == right.values.map(\.value)
  }
}
