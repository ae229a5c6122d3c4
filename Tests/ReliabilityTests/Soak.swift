import Foundation

/// Whether the tests take the time that `make soak` gives them.
enum Soak {
  static let isOn = ProcessInfo.processInfo.environment["IMPORT_BACKUP_SOAK"] != nil

  /// What a run of the program over much may take, before it is taken for one that hangs.
  static let timeLimit: Duration = isOn ? .seconds(1800) : .seconds(240)
}
