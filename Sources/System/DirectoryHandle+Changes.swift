import CGlibc
import Glibc

/// The calls that change what is in a directory. None of them follows a link.
extension DirectoryHandle {
  /// Opens a directory to write into, by its path, which may be a link to it; messages call it by
  /// `name`, if it is for a file of that path.
  package convenience init(
    forWritingTo path: String, named name: String? = nil
  ) throws(Failure) {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    let opened: Int32
    do throws(Failure) {
      opened = try SystemCalls.retrying(.create, name ?? path) { unsafe Glibc.open(path, flags) }
    } catch {
      var error = error
      if error.code == .outputNotFound, let name { error.hint = MissingPath.hint(creating: name) }
      throw error
    }
    self.init(Descriptor(opened, name: path))
  }

  /// Opens a directory in this one, to write into it.
  ///
  /// - Throws: `.cannotCreate` if it does not exist, or is a link or a file.
  package func openForWriting(_ name: String) throws(Failure) -> DirectoryHandle {
    let path = path + "/" + name
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let opened = try SystemCalls.retrying(.create, path) {
      unsafe openat(descriptor.number, name, flags)
    }
    return DirectoryHandle(Descriptor(opened, name: path))
  }

  /// Makes a directory; false if the name already exists.
  package func makeDirectory(_ name: String, mode: mode_t) throws(Failure) -> Bool {
    while unsafe mkdirat(descriptor.number, name, mode) != 0 {
      let reason = errno
      if reason == EEXIST { return false }
      if reason != EINTR { throw SystemCalls.failure(.mkdir, path + "/" + name, reason) }
    }
    return true
  }

  /// Creates a file that is to be written and read; messages call it by `shown`, if its name is one
  /// that the user does not know.
  ///
  /// - Throws: `.cannotCreate` if the name exists, whatever it is.
  func createFile(
    _ name: String, shown: String? = nil, mode: mode_t
  ) throws(Failure) -> Descriptor {
    let shown = shown ?? path + "/" + name
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let opened = try SystemCalls.retrying(.create, shown) {
      unsafe openat(descriptor.number, name, flags, mode)
    }
    return Descriptor(opened, name: shown)
  }

  /// Creates a file that never has a name; nil if the file system knows no such files. (open(2),
  /// `O_TMPFILE`)
  func createUnnamedFile(shown: String) throws(Failure) -> Descriptor? {
    let shown = path + "/" + shown
    while true {
      let opened = unsafe openat(
        descriptor.number, ".", O_RDWR | O_CLOEXEC | open_without_name, 0o600)
      if opened >= 0 { return Descriptor(opened, name: shown) }
      let reason = errno
      // Kernels and file systems differ in how they say so; a reason that is not this comes again.
      if [EOPNOTSUPP, EISDIR, EINVAL, ENOENT].contains(reason) { return nil }
      if reason != EINTR { throw SystemCalls.failure(.create, shown, reason) }
    }
  }

  /// Opens a regular file that exists, to change what is in it; nil if the name does not exist.
  package func openFileForChanges(_ name: String) throws(Failure) -> OutputFile? {
    let bytes = Self.name(name)
    guard let status = try status(of: bytes) else { return nil }
    let flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    var opened = unsafe openat(descriptor.number, name, flags)
    while opened < 0 {
      let reason = errno
      if reason == ENOENT { return nil }  // removed since
      if reason != EINTR { throw SystemCalls.failure(.open, path + "/" + name, reason) }
      opened = unsafe openat(descriptor.number, name, flags)
    }
    let file = OutputFile(Descriptor(opened, name: path + "/" + name), name, in: self)
    guard try file.status().isSameFile(as: status), status.kind == .file else {
      throw Self.changed(file.path)
    }
    return file
  }

  /// Renames a file, also into another directory; one that has the new name already is replaced in the
  /// same step.
  ///
  /// Durable only after the directory is synced.
  package func rename(
    _ old: String, to new: String, in other: DirectoryHandle? = nil
  ) throws(Failure) {
    let target = other ?? self
    _ = try SystemCalls.retrying(.rename, path + "/" + old) {
      unsafe renameat(descriptor.number, old, target.descriptor.number, new)
    }
  }

  /// Renames a file, unless something has the new name already: then it returns false.
  func rename(_ old: String, toFree new: String) throws(Failure) -> Bool {
    while unsafe renameat2(descriptor.number, old, descriptor.number, new, 1) != 0 {
      let reason = errno
      switch reason {
      case EEXIST: return false
      case EINTR: continue
      case EINVAL, ENOSYS:  // the file system cannot
        guard unsafe linkat(descriptor.number, old, descriptor.number, new, 0) == 0 else {
          if errno == EEXIST { return false }
          throw SystemCalls.failure(.rename, path + "/" + old, errno)
        }
        try remove(Self.name(old))
        return true
      default: throw SystemCalls.failure(.rename, path + "/" + old, reason)
      }
    }
    return true
  }

  /// Removes a name; it is not an error if it does not exist.
  package func remove(_ name: Name, isDirectory: Bool = false) throws(Failure) {
    while unsafe unlinkat(descriptor.number, name, isDirectory ? AT_REMOVEDIR : 0) != 0 {
      let reason = errno
      if reason == ENOENT { return }
      if reason != EINTR { throw SystemCalls.failure(.unlink, path(of: name), reason) }
    }
  }

  /// Gives a file, also a link itself, to another user.
  package func give(_ name: Name, to user: uid_t, _ group: gid_t) throws(Failure) {
    _ = try SystemCalls.retrying(.give, path(of: name)) {
      unsafe fchownat(descriptor.number, name, user, group, AT_SYMLINK_NOFOLLOW)
    }
  }

  /// Gives the directory itself to another user.
  package func give(to user: SystemUser) throws(Failure) {
    _ = try SystemCalls.retrying(.give, path) {
      fchown(descriptor.number, user.id, user.group)
    }
  }

  /// Makes the directory's entries durable.
  package func sync() throws(Failure) { try descriptor.sync() }

  /// Takes the directory's lock; false if another process has it.
  package func lock() throws(Failure) -> Bool { try descriptor.lock() }

  /// What the directory itself is now.
  package func status() throws(Failure) -> FileStatus { try descriptor.status() }
}
