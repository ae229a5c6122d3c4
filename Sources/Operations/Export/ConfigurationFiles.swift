import PostgresFormat

/// The configuration that an exported backup gets: a timeline keeps none of the cluster's own.
enum ConfigurationFiles {
  /// Who may connect: over the socket, the operating system's user of the role's name; over TCP
  /// from this machine, whoever knows the role's password.
  ///
  /// `trust`, which a pageserver's own backup has, would make every local user a superuser of
  /// someone's data.
  static let hostBasedAuthentication = """
    # Written by import-backup. Roles and passwords are those of the exported cluster.
    # TYPE  DATABASE     USER  ADDRESS       METHOD
    local   all          all                 peer
    host    all          all   127.0.0.1/32  scram-sha-256
    host    all          all   ::1/128       scram-sha-256
    local   replication  all                 peer

    """

  /// The least that the server starts with: what the control file records, and a slot for each
  /// replication origin and one more.
  static func server(_ controlFile: ControlFile, originCount: Int) -> String {
    var settings = controlFile.settings.map { ($0.name, Int($0.value)) }
    settings.append(("max_replication_slots", max(10, originCount + 1)))
    return "# Written by import-backup: the settings that the cluster needs to start.\n"
      + settings.map { "\($0.0) = \($0.1)\n" }.joined()
  }
}
