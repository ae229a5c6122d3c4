import BackupImport

extension ImportError {
  /// A wrong command line; `hint` comes before the pointer to the help.
  static func usage(_ message: String, hint: String? = nil) -> ImportError {
    let pointer = "See '\(Program.name) --help'."
    return ImportError(.usage, message, hint: hint.map { "\($0) \(pointer)" } ?? pointer)
  }
}

/// `text` in single quotes, control characters and what changes the direction of writing escaped,
/// so that no name can pass for output of ours.
func quoted(_ text: String) -> String {
  var result = "'"
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "'"
}
