import Backup
import Operations
import System

extension ImportCommand {
  private static let defaults = ImportOptions(backup: "", outputDirectory: "")

  static let options: [CommandOption<ImportCommand>] = [
    CommandOption(
      "output", "o", value: "DIR",
      help: "the root of the remote storage; made if it is not there"
    ) { command, value in command.settings.outputDirectory = value.text },

    CommandOption(
      "tenant-id", value: "HEX", help: "the tenant's id, 32 hexadecimal digits (default: random)"
    ) { command, value throws(Failure) in command.settings.tenantID = try value.identifier() },

    CommandOption(
      "timeline-id", value: "HEX",
      help: "the timeline's id, 32 hexadecimal digits (default: random)"
    ) { command, value throws(Failure) in command.settings.timelineID = try value.identifier()
    },

    CommandOption(
      "generation", value: "N",
      help: """
        the pageserver generation to write for, in decimal \
        (default: \(defaults.generation))
        """
    ) { command, value throws(Failure) in
      command.settings.generation = try value.integer(in: 1...UInt32.max)
    },

    CommandOption(
      "force", "f",
      help: "replace a timeline that is there already"
    ) { command, _ in command.settings.force = true },

    CommandOption(
      "strip-components", value: "N",
      help: """
        drop the first N directories of every name in the tar \
        (default: \(defaults.stripComponents))
        """
    ) { command, value throws(Failure) in
      command.settings.stripComponents = try value.integer(in: 0...1000)
    },

    CommandOption(
      "manifest", value: "FILE",
      help: """
        the backup_manifest that the backup must agree with (default: the one beside BACKUP or in \
        it, if there is one)
        """
    ) { command, value throws(Failure) in
      guard !value.text.isEmpty else { throw .usage("'--manifest' lacks its value, FILE") }
      command.settings.manifest = value.text
    },

    CommandOption(
      "page-checksums", value: "MODE", choices: PageChecksumMode.allCases.map(\.rawValue),
      help: """
        what to do where a page does not match its checksum: 'verify' refuses the backup, 'warn' \
        imports the page, 'skip' does not look (default: \(defaults.pageChecksums.rawValue))
        """
    ) { command, value throws(Failure) in
      command.settings.pageChecksums = try value.choice()
    },

    CommandOption(
      "compression-level", value: "N",
      help: """
        the zstd level of what is stored, to 19; 0 for none \
        (default: \(defaults.compressionLevel))
        """
    ) { command, value throws(Failure) in
      command.settings.compressionLevel = try value.integer(in: 0...19)
    },

    CommandOption(
      "image-layer-size", value: "SIZE",
      help: """
        close an image layer at this size \
        (default: \(Quantity.option(defaults.imageLayerSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.imageLayerSize = try value.size(in: 1 << 20...16 << 30)
    },

    CommandOption(
      "chunk-size", value: "SIZE",
      help: """
        small relations gathered for one L0 layer \
        (default: \(Quantity.option(defaults.chunkSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.chunkSize = try value.size(in: 1 << 20...64 << 30)
    },

    CommandOption(
      "small-relation-size", value: "SIZE",
      help: """
        make image layers of segments from this size on \
        (default: \(Quantity.option(defaults.smallRelationSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.smallRelationSize = try value.size(in: 8192...2 << 30)
    },

    CommandOption(
      "jobs", "j", value: "N", help: "batches compressed at once (default: one a processor)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },

    CommandOption(
      "memory", value: "SIZE",
      help: """
        memory that buffers may take together \
        (default: \(Quantity.option(UInt64(defaults.memory))))
        """
    ) { command, value throws(Failure) in
      command.settings.memory = Int(try value.size(in: 16 << 20...1 << 40))
    },

    CommandOption(
      "recover-with", value: "BINDIR",
      help: """
        let the Postgres whose programs are in BINDIR bring the backup of a running cluster to a \
        stop, and empty tablespaces, on a copy
        """
    ) { command, value in command.recovery.programs = value.text },

    CommandOption(
      "scratch", value: "DIR", help: "where that copy is made (default: beside the output)"
    ) { command, value in command.recovery.scratchParent = value.text },

    CommandOption("keep-scratch", help: "leave the copy and the server's log there") {
      command, _ in command.recovery.keepsScratch = true
    },

    CommandOption(
      "recover-as", value: "USER",
      help: "the user that the server runs as, where root imports (default: owner of the scratch)"
    ) { command, value in command.recovery.user = value.text },

    CommandOption(
      "wal", value: "FILE", help: "a tar with the WAL of the backup, where it is not in there"
    ) { command, value in command.recovery.writeAheadLog = value.text },

    CommandOption(
      "restore-command", value: "COMMAND",
      help: "what gets WAL file %f to path %p, as Postgres' setting of that name (default: nothing)"
    ) { command, value in command.recovery.restoreCommand = value.text },

    CommandOption("json", help: "print one JSON object instead of a line, and no notes") {
      command, _ in command.printsJSON = true
    },

    CommandOption("quiet", "q", help: "show no progress, and no note but the timeline's path") {
      command, _ in command.isQuiet = true
    },
  ]
}
