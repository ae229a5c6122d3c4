import Foundation

/// Whether the tests run as long as `make soak` allows.
enum Soak {
  static let isOn = ProcessInfo.processInfo.environment["IMPORT_BACKUP_SOAK"] != nil

  /// The time limit for a run on much data, after which it counts as hanging.
  static let timeLimit: Duration = isOn ? .seconds(1800) : .seconds(240)
}
