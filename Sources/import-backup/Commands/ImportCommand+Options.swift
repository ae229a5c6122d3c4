import Backup
import LayerFormat
import Operations
import Service
import System
import Timeline

extension ImportCommand {
  private static let defaults = ImportOptions(backup: "", outputDirectory: "")

  private static func receiptPlace(_ text: String) throws(Failure) -> ReceiptPlace? {
    switch text {
    case "none": return nil
    case "-":
      throw Failure(
        .badOption, "option '--receipt' must be a file, not standard output",
        hint: "Use '--json' for the same object on standard output.")
    default: return .file(text)
    }
  }

  static let options: [CommandOption<ImportCommand>] =
    ownOptions + bucketOptions
    + recoveryOptions(
      scratch: "directory for Postgres to work in, and for layers on their way to a bucket; 'none' "
        + "for memory (default: next to the output; for a bucket TMPDIR, or /var/tmp)") + [
      CommandOption(
        "attach-to", value: "URL",
        help: """
          take the timeline into service after the import: URL of the storage controller whose remote \
          storage is DIR
          """
      ) { command, value throws(Failure) in
        command.controller = try ServiceURL(try value.nonEmpty(placeholder: "URL"))
      },

      .tokenFile, .serviceCABundle, .wait, .callTimeout,

      CommandOption("json", help: "print the result and the notes as one JSON object") {
        command, _ in command.printsJSON = true
      },

      .progress, .inputSize,
      .quiet("show no progress, and no notes except the timeline's path"),
    ]

  private static let ownOptions: [CommandOption<ImportCommand>] = [
    CommandOption(
      "output", "o", value: "DIR", variable: "IMPORT_BACKUP_OUTPUT", mayBeStored: true,
      help: """
        root directory of the remote storage, created if it does not exist; or s3://BUCKET/PREFIX
        """
    ) { command, value in command.settings.outputDirectory = value.text },

    CommandOption(
      "tenant-id", value: "HEX", help: "tenant id, 32 hexadecimal digits (default: random)"
    ) { command, value throws(Failure) in command.settings.tenantID = try value.identifier() },

    CommandOption(
      "timeline-id", value: "HEX", help: "timeline id, 32 hexadecimal digits (default: random)"
    ) { command, value throws(Failure) in
      command.settings.timelineID = try value.identifier()
    },

    CommandOption(
      "generation", value: "N",
      help: """
        pageserver generation to write for, in decimal \
        (default: \(defaults.generation))
        """
    ) { command, value throws(Failure) in
      command.settings.generation = try value.integer(in: 1...UInt32.max)
    },

    CommandOption(
      "shards", value: "N",
      help: """
        write a tenant of N shards, each with a directory of its own, at most \
        \(ShardLayout.countLimit) (default: \(defaults.shardCount), not sharded)
        """
    ) { command, value throws(Failure) in
      command.settings.shardCount = try value.integer(in: 1...ShardLayout.countLimit)
    },

    CommandOption(
      "stripe-size", value: "PAGES",
      help: """
        consecutive pages of a relation that stay on one shard; of a tenant that is not sharded, what \
        it is split by later (default: \(ShardLayout.usualStripeSize))
        """
    ) { command, value throws(Failure) in
      command.settings.stripeSize = try value.integer(in: 1...UInt32.max)
    },

    CommandOption(
      "only-shards", value: "LIST",
      help: """
        write only these of the --shards, such as 0-3,7; 'publish' completes the tenant when all are \
        written; needs --tenant-id and --timeline-id
        """
    ) { command, value throws(Failure) in
      command.settings.onlyShards = try value.nonEmpty(placeholder: "LIST")
    },

    CommandOption(
      "force", "f", help: "replace an existing timeline, which no service may have attached"
    ) { command, _ in command.settings.force = true },

    CommandOption(
      "receipt", value: "FILE",
      help: """
        file for the result with the hashes of all files, and FILE.sha256 for sha256sum; 'none' \
        for no receipt (default: TENANT-TIMELINE-GENERATION.json in DIR/receipts)
        """
    ) { command, value throws(Failure) in
      command.receipt = try receiptPlace(try value.nonEmpty(placeholder: "FILE"))
    },

    CommandOption(
      "output-owner", value: "USER",
      help: """
        allow directories of the output that belong to USER, such as a pageserver's user, and, as \
        root, give that user what is written (default: only root's and one's own)
        """
    ) { command, value throws(Failure) in
      command.settings.outputOwner = try value.nonEmpty(placeholder: "USER")
    },

    CommandOption(
      "dry-run", "n",
      help: "write nothing; show what an import would do and why it would be refused"
    ) { command, _ in command.isDryRun = true },

    .stripComponents(\.settings.stripComponents), .maxSize(\.settings.sizeLimit),

    CommandOption(
      "manifest", value: "FILE",
      help: """
        backup_manifest to check the backup against, or 'none' (default: the one next to BACKUP or \
        in it, if there is one)
        """
    ) { command, value throws(Failure) in
      let file = try value.nonEmpty(placeholder: "FILE")
      command.settings.manifest = file == "none" ? nil : file
      command.settings.checksManifest = file != "none"
    },

    CommandOption(
      "page-checksums", value: "MODE", choices: PageChecksumMode.allCases.map(\.rawValue),
      help: """
        what to do if a page does not match its checksum: 'verify' refuses the backup, 'warn' \
        imports the page, 'skip' does not check (default: \(defaults.pageChecksums.rawValue))
        """
    ) { command, value throws(Failure) in
      command.settings.pageChecksums = try value.choice()
    },

    CommandOption(
      "compression-level", value: "LEVEL", choices: ["fast"] + (0...19).map { "\($0)" },
      help: """
        zstd compression level, 1 to 19, 'fast', or 0 for no compression \
        (default: \(defaults.compressionLevel))
        """
    ) { command, value throws(Failure) in
      command.settings.compressionLevel = try value.integer(
        in: 0...19, or: "fast", meaning: ImportOptions.fastCompressionLevel)
    },

    CommandOption(
      "image-layer-size", value: "SIZE",
      help: """
        close image layers at this size \
        (default: \(Quantity.option(defaults.imageLayerSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.imageLayerSize = try value.size(in: 1 << 20...16 << 30)
    },

    CommandOption(
      "layout", value: "LAYOUT", choices: LayerLayout.allCases.map(\.rawValue),
      help: """
        layers for small relations: 'fake-l0' for L0 layers, which a pageserver compacts if there are \
        ten or more, 'sorted' for image layers, which it leaves alone, 'auto' for L0 layers as long as \
        they are fewer, and sorted ones for a stopped cluster's directory (default: \(defaults.layout.rawValue))
        """
    ) { command, value throws(Failure) in command.settings.layout = try value.choice() },

    CommandOption(
      "chunk-size", value: "SIZE",
      help: """
        collect small relations into L0 layers of this size \
        (default: \(Quantity.option(defaults.chunkSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.chunkSize = try value.size(in: 1 << 20...64 << 30)
    },

    CommandOption(
      "small-relation-size", value: "SIZE",
      help: """
        write segments of at least this size as image layers \
        (default: \(Quantity.option(defaults.smallRelationSize)))
        """
    ) { command, value throws(Failure) in
      command.settings.smallRelationSize = try value.size(in: 8192...2 << 30)
    },

    CommandOption(
      "jobs", "j", value: "N", help: "number of compression threads (default: one per CPU)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },

    CommandOption(
      "memory", value: "SIZE", variable: "IMPORT_BACKUP_MEMORY",
      help: """
        memory limit of all buffers together \
        (default: \(Quantity.option(UInt64(defaults.memory))))
        """
    ) { command, value throws(Failure) in
      command.settings.memory = Int(try value.size(in: 16 << 20...1 << 40))
    },
  ]
}
