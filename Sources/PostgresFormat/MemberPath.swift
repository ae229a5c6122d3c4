/// Where a member of a tar lies in the data directory: its name, taken apart and checked.
public struct MemberPath: Hashable, Sendable {
  /// The components with one slash between them; at least one, each non-empty and neither `.` nor
  /// `..`.
  public let bytes: [UInt8]

  /// Takes the name as it stands in the tar: `./` and empty components count for nothing, nor does
  /// a slash at the end.
  ///
  /// - Parameter strippingComponents: how many components to take off the front.
  /// - Returns: nil when nothing is left, as of `./`.
  /// - Throws: `damaged` for a name that is empty, absolute, climbs (`..`) or holds a NUL, before
  ///   anything is taken off.
  public init?(_ name: RawSpan, strippingComponents: Int = 0) throws(FormatError) {
    let name = name.array
    guard let first = name.first else { throw .damaged("a member without a name") }
    guard first != slash else { throw .damaged("an absolute name") }
    guard !name.contains(0) else { throw .damaged("a name with a NUL in it") }
    var left = strippingComponents
    var bytes: [UInt8] = []
    bytes.reserveCapacity(name.count)
    var start = 0
    while start < name.count {
      let end = name[start...].firstIndex(of: slash) ?? name.count
      let component = name[start..<end]
      start = end + 1
      if component.isEmpty || component.isNamed(".") { continue }
      guard !component.isNamed("..") else { throw .damaged("a name that climbs") }
      if left > 0 {
        left -= 1
      } else {
        if !bytes.isEmpty { bytes.append(slash) }
        bytes.append(contentsOf: component)
      }
    }
    guard !bytes.isEmpty else { return nil }
    self.bytes = bytes
  }

  public var components: [ArraySlice<UInt8>] { bytes.split(separator: slash) }

  /// How many components stand before `global/pg_control` where that is the end of the path, else
  /// nil; what to strip from a tar that was made from a directory higher up.
  public var componentsBeforeControlFile: Int? {
    let components = components
    guard components.count >= 2, components[components.count - 1].elementsEqual("pg_control".utf8),
      components[components.count - 2].elementsEqual("global".utf8)
    else { return nil }
    return components.count - 2
  }
}

extension MemberPath: CustomStringConvertible {
  /// The path as it can be shown to a person.
  public var description: String { escaped(bytes) }
}

private let slash = UInt8(ascii: "/")
