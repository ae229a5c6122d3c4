/// The elements of SVG that a drawing is made of.
extension LayerMap {
  static func text(
    _ content: String, _ style: String, _ x: Double, _ y: Double, _ attributes: String = ""
  ) -> String {
    #"<text class="\#(style)" x="\#(number(x))" y="\#(number(y))" \#(attributes)>"#
      + escapedXML(content) + "</text>"
  }

  static func rectangle(
    _ style: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double
  ) -> String {
    #"<rect class="\#(style)" x="\#(number(x))" y="\#(number(y))" "#
      + #"width="\#(number(width))" height="\#(number(height))"/>"#
  }

  static func line(
    _ style: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double
  ) -> String {
    #"<line class="\#(style)" x1="\#(number(x1))" y1="\#(number(y1))" "#
      + #"x2="\#(number(x2))" y2="\#(number(y2))"/>"#
  }

  /// One decimal, which is finer than a screen shows.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths.isMultiple(of: 10)
      ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }

  static func shortened(_ name: String) -> String {
    name.count <= 32 ? name : name.prefix(31) + "…"
  }

  /// Text as XML holds it; control characters, which it cannot hold, become spaces, but for line
  /// ends.
  static func escapedXML(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n": result += "&#10;"
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
