/// What a cluster was doing when its control file was written.
///
/// Postgres's `DBState` (`src/include/catalog/pg_control.h`).
public enum ClusterState: Equatable, Sendable {
  /// `DB_STARTUP`: a server was starting.
  case startingUp
  /// `DB_SHUTDOWNED`: the last checkpoint was a clean shutdown.
  case shutDown
  /// `DB_SHUTDOWNED_IN_RECOVERY`: a standby was shut down.
  case shutDownInRecovery
  /// `DB_SHUTDOWNING`: the shutdown checkpoint has begun.
  case shuttingDown
  /// `DB_IN_CRASH_RECOVERY`: a server replays WAL after a crash.
  case inCrashRecovery
  /// `DB_IN_ARCHIVE_RECOVERY`: a standby, or a server that replays archived WAL.
  case inArchiveRecovery
  /// `DB_IN_PRODUCTION`: a server runs, or was killed.
  case inProduction
  /// A number that is none of these, which Postgres 14 to 17 do not write.
  case unknown(UInt32)

  /// The state with this number in the control file; every number is accepted.
  public init(rawValue: UInt32) {
    self =
      switch rawValue {
      case 0: .startingUp
      case 1: .shutDown
      case 2: .shutDownInRecovery
      case 3: .shuttingDown
      case 4: .inCrashRecovery
      case 5: .inArchiveRecovery
      case 6: .inProduction
      default: .unknown(rawValue)
      }
  }

  /// The state's number in the control file.
  public var rawValue: UInt32 {
    switch self {
    case .startingUp: 0
    case .shutDown: 1
    case .shutDownInRecovery: 2
    case .shuttingDown: 3
    case .inCrashRecovery: 4
    case .inArchiveRecovery: 5
    case .inProduction: 6
    case .unknown(let value): value
    }
  }
}

extension ClusterState: CustomStringConvertible {
  /// The state as `pg_controldata` prints it.
  public var description: String {
    switch self {
    case .startingUp: "starting up"
    case .shutDown: "shut down"
    case .shutDownInRecovery: "shut down in recovery"
    case .shuttingDown: "shutting down"
    case .inCrashRecovery: "in crash recovery"
    case .inArchiveRecovery: "in archive recovery"
    case .inProduction: "in production"
    case .unknown(let value): "unrecognized state \(value)"
    }
  }
}
