import PostgresFormat
import System

/// A picture that can be written to a file as SVG.
public protocol Picture {
  /// The whole document: well-formed XML without scripts, the same for the same contents.
  func svg() -> String
}

extension Picture {
  /// Writes the picture: under a temporary name beside `path` first, durable before it is renamed,
  /// so that `path` holds the old or the new one at every moment.
  public func write(to output: OutputTarget) throws(Failure) {
    let destination = try FileDestination(output, mode: 0o644)
    let isWritten = destination.write(Array(svg().utf8).bytes)
    if !isWritten, let failure = destination.failure { throw failure }
    try destination.commit()
  }
}

/// The elements of SVG that pictures are made of.
enum Drawing {
  /// What a character of the small font takes, rather too much.
  static let characterWidth: Double = 6.6
  static let lineHeight: Double = 18

  /// The first lines of a document of this size, and its background.
  static func opening(width: Double, height: Double, style: String) -> [String] {
    [
      #"<?xml version="1.0" encoding="UTF-8"?>"#,
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(number(width)) "#
        + #"\#(number(height))" width="\#(number(width))" height="\#(number(height))">"#,
      "<style>\n\(style)\n</style>",
      #"<rect class="paper" width="100%" height="100%"/>"#,
    ]
  }

  /// Lines of text at the top, the first one larger.
  static func heading(_ lines: [String]) -> [String] {
    lines.enumerated().map { index, line in
      text(line, index == 0 ? "title" : "note", 24, 32 + lineHeight * Double(index) * 1.1)
    }
  }

  /// What a line of text takes, rather too much; ideographs are twice as wide.
  static func width(of text: String) -> Double {
    text.unicodeScalars.reduce(0) { $0 + ($1.value < 0x1100 ? 1 : 2) } * characterWidth
  }

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
    let sign = tenths < 0 ? "-" : ""
    let (whole, rest) = abs(tenths).quotientAndRemainder(dividingBy: 10)
    return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest)"
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
