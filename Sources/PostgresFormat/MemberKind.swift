/// What kind of thing a member of a tar is.
public enum MemberKind: Sendable {
  case file
  case directory
  case symbolicLink
  case hardLink
  /// A device, a pipe or a socket.
  case other
}

extension MemberKind {
  /// The refusal of a member of this kind in a place where only one of another kind can be.
  func refusal(whereBelongs expected: String) -> FormatError {
    let (name, hint): (String, String?) =
      switch self {
      case .file: ("a file", nil)
      case .directory: ("a directory", nil)
      case .symbolicLink:
        (
          "a symbolic link",
          "No link is followed. Import a tar made with --dereference, which holds what the link leads to."
        )
      case .hardLink:
        (
          "a hard link",
          "Make the tar with --hard-dereference, so that it holds the file under each of its names."
        )
      case .other: ("a device, pipe or socket", nil)
      }
    return .damaged("\(name) where \(expected) belongs", hint: hint)
  }
}
