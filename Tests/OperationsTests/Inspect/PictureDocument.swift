import Foundation
import FoundationXML

/// A picture, taken apart as XML.
struct PictureDocument {
  /// An element with its text.
  struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""

    /// The right and the lower end of a rectangle.
    var end: Double { number("x") + number("width") }
    var bottom: Double { number("y") + number("height") }

    func number(_ attribute: String) -> Double { Double(attributes[attribute] ?? "") ?? .nan }
  }

  let elements: [Element]
  let isWellFormed: Bool

  init(_ text: String) {
    let parser = XMLParser(data: Data(text.utf8))
    let reader = Reader()
    parser.delegate = reader
    isWellFormed = parser.parse()
    elements = reader.elements
  }

  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [Element] = []
    private var open: [Int] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) {
      open.append(elements.count)
      elements.append(Element(name: name, attributes: attributes))
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
      if let last = open.last { elements[last].text += text }
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
      qualifiedName: String?
    ) { open.removeLast() }
  }

  func all(_ name: String, _ style: String) -> [Element] {
    elements.filter { $0.name == name && $0.attributes["class"] == style }
  }
}
