import BackupImport

extension ImportError {
  /// A wrong command line; `hint` comes before the pointer to the help.
  static func usage(_ message: String, hint: String? = nil) -> ImportError {
    let pointer = "See '\(Program.name) --help'."
    return ImportError(.usage, message, hint: hint.map { "\($0) \(pointer)" } ?? pointer)
  }
}
