/// The kind of a member of a tar.
public enum MemberKind: Sendable {
  case file
  case directory
  case symbolicLink
  case hardLink
  /// A device, a pipe or a socket.
  case other
}

extension MemberKind {
  /// The error for a member of this kind at a path that needs another kind.
  func refusal(expected: String) -> FormatError {
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
