import Foundation

/// Whether the tests take the time that `make soak` gives them.
enum Soak {
  static let isOn = ProcessInfo.processInfo.environment["IMPORT_BACKUP_SOAK"] != nil
}
