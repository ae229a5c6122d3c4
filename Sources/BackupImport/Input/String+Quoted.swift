extension String {
  /// The text in single quotes, control characters escaped, so that a name from a backup cannot
  /// break a line or a terminal.
  var quoted: String {
    var result = "'"
    for scalar in unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control
      result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return result + "'"
  }
}
