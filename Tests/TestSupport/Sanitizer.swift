import Foundation

/// The sanitizer that the tests and the program are built with, set by `make check`.
public enum Sanitizer {
  /// `address` or `thread`; nil if there is none.
  public static let name = ProcessInfo.processInfo.environment["IMPORT_BACKUP_SANITIZER"]

  /// Whether there is no sanitizer, for tests that one makes too slow or impossible.
  public static var isOff: Bool { name == nil }
}
