/// What a cluster was doing when its control file was written.
///
/// Postgres's `DBState` (`src/include/catalog/pg_control.h`).
public enum ClusterState: Equatable, Sendable {
  case startingUp
  case shutDown
  case shutDownInRecovery
  case shuttingDown
  case inCrashRecovery
  case inArchiveRecovery
  case inProduction
  case unknown(UInt32)

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
