import CXML

/// An element of a small XML document, read by libxml2: what S3 answers with.
///
/// Attributes, comments and namespaces are left out. Memory: some 200 bytes an element.
struct XMLElement {
  /// The element's name, without a namespace.
  let name: String
  /// The text directly in it.
  let text: String
  /// The elements directly in it, in their order.
  let children: [XMLElement]

  /// The first element of this name in it; nil if there is none.
  subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

  private static let isLibraryReady: Void = xmlInitParser()

  /// The root of a document; nil if it is not well-formed, or declares a type of its own: that could
  /// define entities, which grow without end.
  init?(document: [UInt8]) {
    _ = Self.isLibraryReady
    guard let count = Int32(exactly: document.count), count > 0 else { return nil }
    let options =
      XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
    // Invariant: the bytes are lent for the call, with their length. The tree is freed here, after
    // everything has been copied.
    let parsed = unsafe document.withUnsafeBytes { bytes in
      unsafe xmlReadMemory(
        bytes.baseAddress?.assumingMemoryBound(to: CChar.self), count, nil, nil,
        Int32(bitPattern: UInt32(options)))
    }
    guard let tree = unsafe parsed else { return nil }
    defer { unsafe xmlFreeDoc(tree) }
    guard unsafe tree.pointee.intSubset == nil, let root = unsafe xmlDocGetRootElement(tree) else {
      return nil
    }
    unsafe self.init(root)
  }

  /// Copies an element; libxml2 refuses documents of more than 256 levels.
  private init(_ node: xmlNodePtr) {
    // Invariant: the tree lives until the root has been copied, and its names are C strings.
    name = unsafe node.pointee.name.map { unsafe String(cString: $0) } ?? ""
    var text = ""
    var children: [XMLElement] = []
    var next = unsafe node.pointee.children
    while let child = unsafe next {
      switch unsafe child.pointee.type {
      case XML_ELEMENT_NODE: unsafe children.append(XMLElement(child))
      case XML_TEXT_NODE, XML_CDATA_SECTION_NODE:
        if let content = unsafe child.pointee.content { text += unsafe String(cString: content) }
      default: break
      }
      unsafe next = unsafe child.pointee.next
    }
    self.text = text
    self.children = children
  }
}
