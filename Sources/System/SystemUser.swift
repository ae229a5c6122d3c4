import Glibc

/// A user of the operating system.
package struct SystemUser: Sendable {
  /// The login name.
  package let name: String
  /// The user's number; 0 is root.
  package let id: UInt32
  /// The number of the user's own group.
  package let group: UInt32

  /// The number of the user that this process acts as.
  package static var ownID: UInt32 { geteuid() }

  /// The user of that name; nil if none has it.
  package init?(named name: String) {
    // Invariant: the entry is read before another call replaces it; this program looks up users on
    // one thread. The name in it is a C string.
    guard let entry = unsafe getpwnam(name) else { return nil }
    unsafe self.init(entry.pointee)
  }

  /// The user of that number; nil if it has no name.
  package init?(id: UInt32) {
    // Invariant: as above.
    guard let entry = unsafe getpwuid(id) else { return nil }
    unsafe self.init(entry.pointee)
  }

  /// The user that this process acts as, under its number if it has no name.
  package static var own: SystemUser {
    SystemUser(id: ownID) ?? SystemUser(name: String(ownID), id: ownID, group: getegid())
  }

  /// A user for one run: a number from those that are kept for such users, which has no name and no
  /// process. Only root can act as it.
  ///
  /// Two programs that choose the same number at once are kept apart by their sandboxes. (systemd,
  /// `docs/UIDS-GIDS.md`: 61184 to 65519 are for services that have no user of their own)
  package static func transient() throws(Failure) -> SystemUser {
    let numbers = (61184...65519 as ClosedRange<UInt32>).shuffled()
    let used = try Set(SystemCalls.processes().map(\.owner))
    guard let id = numbers.first(where: { !used.contains($0) && SystemUser(id: $0) == nil }) else {
      throw Failure(.bug, "every number that is kept for a service's user is in use")
    }
    return SystemUser(name: "import-backup", id: id, group: id)
  }

  private init(name: String, id: UInt32, group: UInt32) {
    self.name = name
    self.id = id
    self.group = group
  }

  private init(_ entry: passwd) {
    unsafe name = String(cString: entry.pw_name)
    id = unsafe entry.pw_uid
    group = unsafe entry.pw_gid
  }
}
