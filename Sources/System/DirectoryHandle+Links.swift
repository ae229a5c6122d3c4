import Glibc
import PostgresFormat

/// What this program finds by its name in the directory of a backup, which somebody else may have
/// filled.
///
/// A link there may lead to anything that the user of this process can read, and a FIFO would be
/// waited for. So only regular files are opened, and a link is followed only if two things hold:
///
/// - it belongs to the backup's owner, to root or to the user of this process: nobody else says where
///   the backup is;
/// - what it leads to belongs to the backup's owner: the backup can name nothing that is not its own.
extension DirectoryHandle {
  /// Opens a regular file of a backup, or one that a link leads to; the owner of this directory is
  /// the backup's.
  ///
  /// - Throws: at once if it is something else, or the link is not to be followed.
  package func openFound(_ name: Name) throws(Failure) -> InputFile {
    let path = path(of: name)
    guard let found = try status(of: name) else {
      throw SystemCalls.failure(.open, path, ENOENT)
    }
    let file: InputFile
    switch found.kind {
    case .file: file = try openFile(name)
    case .symbolicLink:
      do throws(Failure) {
        let owner = try status().owner
        file = InputFile(try follow(name, O_NONBLOCK | O_NOCTTY, ownedBy: owner))
      } catch {
        guard error.code == .inputOfOtherUser else { throw error }
        throw Failure(
          error.code, error.message,
          hint: "If the file belongs to the backup, put it there in the place of the link.")
      }
    default: throw SystemCalls.notRegular(path)
    }
    guard try file.status().kind == .file else { throw SystemCalls.notRegular(path) }
    return file
  }

  /// Opens the directory that a link in a backup leads to; `owner` is the backup's.
  ///
  /// - Throws: `.inputOfOtherUser`, without a hint, if the link is not to be followed; `.missingFile`
  ///   if it leads to no directory.
  package func openLinkedDirectory(
    _ name: Name, ownedBy owner: UInt32
  ) throws(Failure) -> DirectoryHandle {
    DirectoryHandle(try follow(name, O_DIRECTORY, ownedBy: owner))
  }

  /// `O_PATH` of Linux, which Swift's module of glibc leaves out: with `O_NOFOLLOW` it opens a link
  /// itself. (`include/uapi/asm-generic/fcntl.h`)
  private static let linkItself: Int32 = 0o10000000

  /// Looks at the link and at what it led to once both are open: neither can be exchanged after that.
  private func follow(
    _ name: Name, _ flags: Int32, ownedBy owner: UInt32
  ) throws(Failure) -> Descriptor {
    let path = path(of: name)
    let link = DirectoryHandle(try open(name, Self.linkItself))
    let target = try link.targetName(of: [0])
    let opened = try SystemCalls.retrying(.open, path) {
      unsafe openat(descriptor.number, target, O_RDONLY | O_CLOEXEC | flags)
    }
    let file = Descriptor(opened, name: path)
    let linkOwner = try link.status().owner
    guard [owner, 0, SystemUser.ownID].contains(linkOwner) else {
      throw Failure(
        .inputOfOtherUser,
        "link \(path.quoted) belongs to \(Self.words(linkOwner)), but the backup to "
          + Self.words(owner))
    }
    let targetOwner = try file.status().owner
    guard targetOwner == owner else {
      throw Failure(
        .inputOfOtherUser,
        "link \(path.quoted) leads to \(Self.text(target).quoted), which belongs to "
          + "\(Self.words(targetOwner)), but the backup to \(Self.words(owner))")
    }
    return file
  }

  private static func words(_ owner: UInt32) -> String {
    "user \((SystemUser(id: owner)?.name ?? String(owner)).quoted)"
  }
}

extension InputFile {
  /// Opens a file that this program found by its name in the directory of a backup; throws as
  /// `DirectoryHandle.openFound` does.
  package init(foundAt path: String) throws(Failure) {
    self = try DirectoryHandle(path: SystemCalls.parent(of: path))
      .openFound(DirectoryHandle.name(SystemCalls.name(of: path)))
  }
}
