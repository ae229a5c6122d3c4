/// The path of a member of a tar in the data directory, checked.
public struct MemberPath: Hashable, Sendable {
  /// The components, separated by one slash; at least one, none empty, `.` or `..`.
  public let bytes: [UInt8]

  /// Reads the name in the tar; `./`, empty components and slashes at both ends are ignored, so
  /// that an absolute name is taken as tar(1) takes it.
  ///
  /// - Parameter strippingComponents: the number of components to remove from the front.
  /// - Returns: nil if nothing is left, as for `./`.
  /// - Throws: `damaged` for a name that is empty, or contains `..` or a NUL, also in components that
  ///   would be removed.
  public init?(_ name: RawSpan, strippingComponents: Int = 0) throws(FormatError) {
    let name = name.array
    guard !name.isEmpty else { throw .damaged("the name is empty") }
    guard !name.contains(0) else { throw .damaged("the name contains a NUL") }
    var left = strippingComponents
    var bytes: [UInt8] = []
    bytes.reserveCapacity(name.count)
    var start = 0
    while start < name.count {
      let end = name[start...].firstIndex(of: slash) ?? name.count
      let component = name[start..<end]
      start = end + 1
      if component.isEmpty || component.isNamed(".") { continue }
      guard !component.isNamed("..") else { throw .damaged("the name contains '..'") }
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

  /// The components of the path.
  public var components: [ArraySlice<UInt8>] { bytes.split(separator: slash) }
}

extension MemberPath: CustomStringConvertible {
  /// The path, escaped.
  public var description: String { escaped(bytes) }
}

private let slash = UInt8(ascii: "/")

/// Numbers in file names, exactly as Postgres writes them: each number has one spelling.
///
/// Otherwise two files could mean the same relation.
extension ArraySlice<UInt8> {
  /// A decimal number of 32 bits, without sign or leading zeros, and not 0.
  var positiveDecimal: UInt32? {
    guard let first, first != UInt8(ascii: "0"), count <= 10 else { return nil }
    var value: UInt64 = 0
    for digit in self {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + UInt64(digit - 0x30)
    }
    return UInt32(exactly: value)
  }

  /// Up to 16 upper-case hexadecimal digits; leading zeros are allowed.
  var upperHexadecimal: UInt64? {
    contains { $0 > UInt8(ascii: "F") } ? nil : UInt64(hexadecimal: self)
  }

  var isDecimalDigits: Bool { !isEmpty && allSatisfy { (0x30...0x39).contains($0) } }

  func isNamed(_ name: String) -> Bool { elementsEqual(name.utf8) }

  func hasPrefix(_ prefix: String) -> Bool { starts(with: prefix.utf8) }

  func hasSuffix(_ suffix: String) -> Bool { reversed().starts(with: suffix.utf8.reversed()) }
}

/// The kind of a member of a tar.
public enum MemberKind: Sendable {
  /// A regular file, the only kind with contents.
  case file
  /// A directory.
  case directory
  /// A symbolic link, as Postgres has for tablespaces.
  case symbolicLink
  /// A second name of a file that came before.
  case hardLink
  /// A device, a pipe or a socket.
  case other
}

extension MemberKind {
  /// The error for a member of this kind at a path that needs another kind.
  package func refusal(expected: String) -> FormatError {
    let (name, hint): (String, String?) =
      switch self {
      case .file: ("a file", nil)
      case .directory: ("a directory", nil)
      case .symbolicLink:
        (
          "a symbolic link",
          "Links are not followed. Make the tar with --dereference, so that it contains their targets."
        )
      case .hardLink:
        (
          "a hard link",
          "Make the tar with --hard-dereference, so that it contains the file under each of its names."
        )
      case .other: ("a device, pipe or socket", nil)
      }
    return .damaged("it is \(name), not \(expected)", hint: hint)
  }
}
