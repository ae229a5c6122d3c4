import Operations
import System

/// A command that can let Postgres recover a backup.
protocol RecoveringCommand: Command {
  var recovery: RecoveryOptions { get set }
  /// Whether the scratch directory's place is from an option, rather than from a variable.
  var isScratchGiven: Bool { get set }
}

extension RecoveringCommand {
  /// The options if there is a recovery; throws if one of them is given without `--recover-with`.
  func recoveryIfAny() throws(Failure) -> RecoveryOptions? {
    guard recovery.programs.isEmpty else { return recovery }
    let lonely: [(name: String, isGiven: Bool)] = [
      ("scratch", isScratchGiven), ("full-copy", recovery.copiesAll),
      ("recovery-target", recovery.target != nil),
      ("recovery-target-exclusive", recovery.isTargetExclusive),
      ("recovery-target-timeline", recovery.targetTimeline != nil),
      ("ignore-recovery-settings", recovery.ignoresSettings),
      ("assume-snapshot", recovery.assumesSnapshot),
      ("keep-scratch", recovery.keepsScratch),
      ("recover-as", recovery.user != nil), ("wal", recovery.writeAheadLog != nil),
      ("restore-command", recovery.restoreCommand != nil),
      ("trust-backup", recovery.trustsBackup),
      ("tablespace", !recovery.tablespaces.isEmpty),
    ]
    if let option = lonely.first(where: \.isGiven) {
      throw Failure(
        .conflictingOptions, "'--\(option.name)' requires '--recover-with'",
        hint: "Give the directory of the Postgres programs with '--recover-with'.")
    }
    return nil
  }

  /// The options of a recovery; `scratch` is what the help says of that directory.
  static func recoveryOptions(scratch: String) -> [CommandOption<Self>] {
    [
      CommandOption(
        "recover-with", value: "BINDIR",
        help: """
          let the Postgres in BINDIR recover the cluster; required for a backup of a running cluster \
          or with tablespaces
          """
      ) { command, value in command.recovery.programs = value.text },

      CommandOption(
        "scratch", value: "DIR", variable: "IMPORT_BACKUP_SCRATCH",
        help: scratch
      ) { command, value in
        command.recovery.scratchParent = value.text
        command.isScratchGiven = value.variable == nil
      },

      CommandOption(
        "full-copy",
        help: "recover a full copy of the backup, as a cluster with tablespaces needs"
      ) { command, _ in command.recovery.copiesAll = true },

      CommandOption(
        "recovery-target", value: "KIND=VALUE",
        help: """
          end the recovery at a time, lsn, xid or name, as in time='2026-01-31 12:00:00+00', or at \
          'immediate', when the backup is consistent (default: the end of the WAL)
          """
      ) { command, value throws(Failure) in
        guard let target = RecoveryTarget(value.text) else {
          throw value.refusal("time=, lsn=, xid= or name= with a value, or 'immediate'")
        }
        guard target.kind != .time || RecoveryTarget.hasZone(target.value) else {
          throw value.refusal(
            "a time with its offset from UTC, as in time='2026-01-31 12:00:00+00'")
        }
        command.recovery.target = target
      },

      CommandOption(
        "recovery-target-exclusive", help: "end just before that target, and not after it"
      ) { command, _ in command.recovery.isTargetExclusive = true },

      CommandOption(
        "recovery-target-timeline", value: "ID",
        help:
          "recover along this timeline of Postgres: latest, current or a number (default: latest)"
      ) { command, value throws(Failure) in
        guard ["latest", "current"].contains(value.text) || UInt32(value.text) ?? 0 > 0 else {
          throw value.refusal("'latest', 'current' or a number")
        }
        command.recovery.targetTimeline = value.text
      },

      CommandOption(
        "ignore-recovery-settings",
        help: "recover all of the WAL, whatever target the backup's own settings have"
      ) { command, _ in command.recovery.ignoresSettings = true },

      CommandOption(
        "assume-snapshot",
        help: """
          the files of BACKUP, which has no backup_label, are of one moment: of a snapshot, or copied \
          while no server ran
          """
      ) { command, _ in command.recovery.assumesSnapshot = true },

      CommandOption("keep-scratch", help: "keep the scratch directory, with the server's log") {
        command, _ in command.recovery.keepsScratch = true
      },

      CommandOption(
        "recover-as", value: "USER",
        help: """
          user to run Postgres as when import-backup runs as root (default: a user that exists for \
          this run only)
          """
      ) { command, value in command.recovery.user = value.text },

      CommandOption(
        "trust-backup",
        help: """
          run Postgres without a sandbox; only for backups of your own, as a backup can contain \
          programs
          """
      ) { command, _ in command.recovery.trustsBackup = true },

      CommandOption(
        "wal", value: "FILE",
        help: "tar or directory with the WAL of the backup, if the backup does not contain it"
      ) { command, value in command.recovery.writeAheadLog = value.text },

      CommandOption(
        "tablespace", value: "OID=DIR",
        help: """
          directory of a tablespace of the backup, if the link 'pg_tblspc/OID' leads to files of \
          another user; may be repeated
          """
      ) { command, value throws(Failure) in
        let tablespace = try value.tablespace()
        command.recovery.tablespaces[tablespace.id] = tablespace.directory
      },

      CommandOption(
        "restore-command", value: "COMMAND",
        help: """
          command that fetches WAL file %f to path %p, like restore_command in Postgres (default: \
          none)
          """
      ) { command, value in command.recovery.restoreCommand = value.text },
    ]
  }
}
