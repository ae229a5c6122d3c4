import PostgresFormat

/// What there is to know of each code: the source of the program's exit codes and of
/// `Docs/errors.md`.
extension ErrorCode {
  /// The exit code of a command that fails with this code.
  public var exitCode: ExitCode { explanation.exitCode }
  /// What the code means, in full sentences.
  public var meaning: String { explanation.meaning }
  /// What to do, in full sentences; the hint of an error is more exact.
  public var action: String { explanation.action }

  private typealias Explanation = (exitCode: ExitCode, meaning: String, action: String)

  private var explanation: Explanation {
    switch self {
    // Verify and inspect
    case .timelineDamaged:
      (
        .difference,
        "'verify' found damage in the timeline.",
        "Read the findings. Import the backup again, or copy the timeline again from where it "
          + "is sound."
      )
    case .timelineDiffers:
      (
        .difference,
        "The timeline does not have the contents of the backup it was compared with.",
        "Read the findings. Compare with the backup that was imported; if it is that one, "
          + "import it again."
      )

    case .keyNotFound:
      (
        .difference,
        "'inspect --key' found the key in no layer of the timeline.",
        "Check the key; 'inspect --layer' lists the keys of a layer."
      )

    // The timeline's directory
    case .timelineBusy:
      (
        .inUse,
        "Another import or publication is writing the same timeline.",
        "Wait for it to end, or import with another '--timeline-id'. In a bucket, do as the error says."
      )
    case .timelineExists:
      (
        .inUse,
        "The timeline directory already has an index.",
        "Import with another '--timeline-id'; or, if no service has the timeline attached, replace it "
          + "with '--force'."
      )

    // The command line
    case .unknownCommand:
      (
        .usage,
        "No command has this name.",
        "Correct it; 'import-backup help' lists the commands."
      )
    case .unknownOption:
      (
        .usage,
        "The command has no such option, or several that begin like this.",
        "Correct it; the command's '--help' lists its options."
      )
    case .badOption:
      (
        .usage,
        "An option has a value that it cannot have, lacks its value, or takes none.",
        "Give a value as the command's '--help' says."
      )
    case .missingArgument:
      (
        .usage,
        "A required operand or option is missing.",
        "Add it; the command's '--help' shows an example."
      )
    case .unexpectedArgument:
      (
        .usage,
        "There are more operands than the command takes.",
        "Remove it; quote names that contain spaces."
      )
    case .conflictingOptions:
      (
        .usage,
        "Two options cannot be used together, or one requires another.",
        "Leave one out, or add the required one."
      )
    case .optionNotApplicable:
      (
        .usage,
        "The option does not apply to this kind of input.",
        "Leave the option out, or give the input that it is for."
      )
    case .argumentNotUTF8:
      (
        .usage,
        "An argument is not valid UTF-8.",
        "Rename the file, or make a link to it with a name in UTF-8."
      )
    case .urlUnsupported:
      (
        .usage,
        "A URL is given in the place of a path.",
        "Copy the files with another program, or pipe a tar to standard input."
      )
    case .terminalRefused:
      (
        .usage,
        "A backup would be read from or written to a terminal.",
        "Redirect it, use a pipe, or give a file."
      )
    case .severalTimelines:
      (
        .usage,
        "A tenant was given that has more than one timeline.",
        "Give one of its timelines."
      )
    case .layerNotFound:
      (
        .usage,
        "The timeline has no layer of this name or number.",
        "Choose one that 'inspect TIMELINE' lists."
      )
    case .unknownUser:
      (
        .usage,
        "The user to run Postgres as does not exist.",
        "Give an existing user with '--recover-as'."
      )
    case .recoveryAsRoot:
      (
        .usage,
        "Postgres cannot run as root.",
        "Give another user with '--recover-as', or run the import as another user."
      )
    case .notRoot:
      (
        .usage,
        "Only root can run Postgres as another user.",
        "Leave '--recover-as' out, or run the import as root."
      )
    case .userOwnsServer:
      (
        .usage,
        "The user to run Postgres as owns a running Postgres server.",
        "Leave '--recover-as' out: Postgres then runs as a user of its own."
      )
    case .scratchNotAccessible:
      (
        .usage,
        "The user who runs Postgres cannot enter the scratch directory.",
        "Choose a directory that this user can enter with '--scratch'."
      )

    // The backup's archive
    case .backupEmpty:
      (
        .damaged,
        "The input has no bytes.",
        "Check the command that writes the backup."
      )
    case .backupTruncated:
      (
        .damaged,
        "The backup ends too early: it was not written or copied completely.",
        "Copy the backup again and compare its size; otherwise take a new one."
      )
    case .compressedStreamDamaged:
      (
        .damaged,
        "The compressed stream is damaged: its data or checksums are wrong.",
        "Copy the backup again; otherwise take a new one."
      )
    case .archiveDamaged:
      (
        .damaged,
        "The tar is damaged.",
        "Copy the backup again; otherwise take a new one."
      )
    case .trailingData:
      (
        .damaged,
        "There are other bytes after the end of the tar.",
        "Give one archive only."
      )
    case .notATar:
      (
        .damaged,
        "The input is not a tar.",
        "Give a tar of a data directory, or the directory itself."
      )
    case .unsupportedCompression:
      (
        .damaged,
        "The input is compressed in a way that this program does not read.",
        "Decompress it, and pipe the tar to standard input."
      )
    case .encryptedBackup:
      (
        .damaged,
        "The input is encrypted.",
        "Decrypt it, and pipe the tar to standard input."
      )
    case .pgDump:
      (
        .damaged,
        "The backup was made by pg_dump, which copies rows and not files.",
        "Restore it to a cluster with pg_restore, and import that cluster."
      )

    // The backup's files
    case .badMemberName:
      (
        .damaged,
        "A name in the tar is empty or absolute, or contains '..' or a NUL.",
        "Make the tar from within the data directory: 'tar -C DIR -cf - .'."
      )
    case .wrongFileType:
      (
        .damaged,
        "A name is of a link, a directory or a device where another kind of file must be.",
        "Make the tar with --dereference and --hard-dereference, or remove what does not belong "
          + "there."
      )
    case .unexpectedFile:
      (
        .damaged,
        "A directory of Postgres contains a file that Postgres does not write.",
        "Move it away, or exclude it from the tar."
      )
    case .duplicateFile:
      (
        .damaged,
        "A file appears twice in the backup.",
        "Take a new backup; do not append to a tar."
      )
    case .missingFile:
      (
        .damaged,
        "The backup or the timeline lacks a file that must exist.",
        "Copy it again; otherwise take a new backup."
      )
    case .fileTruncated:
      (
        .damaged,
        "A file of pages ends within a page, or a segment is short and another one follows.",
        "Take a new backup."
      )
    case .fileTooLarge:
      (
        .damaged,
        "A file is larger than it can be.",
        "Take a new backup, with nothing in Postgres's directories but its own files."
      )
    case .misplacedDataDirectory:
      (
        .damaged,
        "The data directory is not at the top of the tar.",
        "Import with '--strip-components', as the hint says."
      )
    case .missingControlFile:
      (
        .damaged,
        "The backup has no 'global/pg_control'.",
        "Give a complete data directory, or a tar of one."
      )
    case .missingTablespace:
      (
        .damaged,
        "The backup lacks the contents of a tablespace.",
        "Add the tablespace's tar or directory; otherwise take a new backup."
      )
    case .versionMismatch:
      (
        .damaged,
        "Files of the backup are from different versions of Postgres.",
        "Take a new backup of one cluster."
      )
    case .controlFileDamaged:
      (
        .damaged,
        "The file 'pg_control' is damaged or contradicts itself.",
        "Take a new backup; check the cluster with pg_controldata."
      )
    case .versionFileDamaged:
      (
        .damaged,
        "A file 'PG_VERSION' contains no version.",
        "Take a new backup."
      )
    case .relationMapDamaged:
      (
        .damaged,
        "A file 'pg_filenode.map' is damaged.",
        "Take a new backup."
      )
    case .twoPhaseFileDamaged:
      (
        .damaged,
        "A file in 'pg_twophase' is damaged.",
        "Take a new backup."
      )
    case .preparedTransactionMismatch:
      (
        .damaged,
        "A prepared transaction does not fit the name of its file or the checkpoint.",
        "Take a new backup."
      )
    case .replicationOriginsDamaged:
      (
        .damaged,
        "The file 'pg_logical/replorigin_checkpoint' is damaged.",
        "Take a new backup."
      )
    case .signalFileDamaged:
      (
        .damaged,
        "A file 'neon.signal' or 'zenith.signal' is damaged, or they contradict each other.",
        "Take a new fullbackup."
      )
    case .backupLabelDamaged:
      (
        .damaged,
        "The file 'backup_label' is damaged.",
        "Take a new backup."
      )
    case .tablespaceMapDamaged:
      (
        .damaged,
        "The file 'tablespace_map' is damaged.",
        "Take a new backup."
      )
    case .pageTooNew:
      (
        .damaged,
        "A page has an LSN after the end of the backup.",
        "Take a new backup: the files were copied while the cluster was running, or are from "
          + "several clusters. Of a cluster that was stopped soon after a crash, give the directory and not a "
          + "tar of it, or let it write WAL beyond that LSN before it is stopped."
      )
    case .pageChecksum:
      (
        .damaged,
        "Pages have checksums that do not match their contents.",
        "Check the cluster with 'pg_checksums --check', and take a new backup. "
          + "'--page-checksums warn' imports the pages as they are."
      )
    case .manifestMismatch:
      (
        .damaged,
        "The backup is not what its manifest lists.",
        "Read the findings. Files were damaged, lost or changed after the backup was taken: "
          + "copy it again or take a new one."
      )
    case .manifestDamaged:
      (
        .damaged,
        "The manifest is damaged.",
        "Copy the backup again; otherwise take a new one."
      )
    case .manifestOfOtherCluster:
      (
        .damaged,
        "The manifest belongs to another cluster, or to another backup of it.",
        "Give the manifest of this backup with '--manifest'."
      )
    case .directoryChanged:
      (
        .damaged,
        "The data directory changed while it was read.",
        "Make sure that nothing writes to it, and try again."
      )

    // Recovery
    case .walDamaged:
      (
        .damaged,
        "The WAL that the backup needs is damaged.",
        "Give the WAL from an archive with '--wal' or '--restore-command', or take a new backup."
      )
    case .walMissing:
      (
        .damaged,
        "The WAL that the backup needs is missing.",
        "Give it with '--wal' or '--restore-command', or take a new backup with its WAL."
      )
    case .recoveryFailed:
      (
        .damaged,
        "Postgres could not recover the backup.",
        "Read what Postgres says in the error; often WAL is missing."
      )
    case .tornCopy:
      (
        .damaged,
        "The files were copied while the cluster was changing them, and not as a backup: the copy "
          + "lacks changes.",
        "Take a backup with pg_basebackup, or a snapshot of the whole directory at one moment."
      )
    case .recoveryTargetNotReached:
      (
        .damaged,
        "The WAL ends before the target of the recovery.",
        "Give WAL up to the target with '--wal' or '--restore-command', or choose another target."
      )

    // A timeline that is read
    case .indexDamaged:
      (
        .damaged,
        "The index of the timeline is damaged.",
        "Copy the timeline again, or import the backup again."
      )
    case .tenantManifestDamaged:
      (
        .damaged,
        "The manifest of a tenant cannot be read.",
        "Restore it, or import with another '--tenant-id'."
      )
    case .tenantLayoutDiffers:
      (
        .damaged,
        "The output directory has the same tenant with another number of shards.",
        "Import with the '--shards' that the tenant has, or with another '--tenant-id'."
      )
    case .stripeSizeDiffers:
      (
        .damaged,
        "The output directory has the same tenant with another stripe size.",
        "Import with the '--stripe-size' that the tenant has, or with another '--tenant-id'."
      )
    case .shardMissing:
      (
        .damaged,
        "A tenant has shards, but not all of them are there.",
        "Copy the directories of all shards; of an import with '--only-shards', import the others and run "
          + "'import-backup publish'."
      )
    case .shardsDiffer:
      (
        .damaged,
        "The shards of a tenant are not of one import: LSNs, version, generation or stripe size differ.",
        "Copy all shards again, or import the backup again."
      )
    case .layerDamaged:
      (
        .damaged,
        "A layer of the timeline is damaged.",
        "Copy the timeline again, or import the backup again."
      )
    case .timelineInconsistent:
      (
        .damaged,
        "The keys and values of the timeline contradict each other.",
        "Check it with 'verify', and import the backup again."
      )
    case .receiptDamaged:
      (
        .damaged,
        "The receipt is not the JSON object of an import.",
        "Give the file that the import wrote, or copy it again."
      )

    // Input
    case .inputNotFound:
      (
        .cannotOpen,
        "The backup, the timeline or a file that an option names does not exist.",
        "Correct the path."
      )
    case .inputPermissionDenied:
      (
        .cannotOpen,
        "The input may not be read.",
        "Run the command as a user who may read it, or change its permissions."
      )
    case .cannotOpenInput:
      (
        .cannotOpen,
        "The input cannot be opened for another reason, which the error names.",
        "Remove the cause."
      )
    case .inputOfOtherUser:
      (
        .cannotOpen,
        "A link in the backup belongs to another user than the backup, or leads to files of another "
          + "user.",
        "If it is right, name a tablespace's directory with '--tablespace OID=DIR', the WAL with "
          + "'--wal', or put the file there in the place of the link."
      )
    case .notADataDirectory:
      (
        .cannotOpen,
        "The directory is neither a data directory nor a base backup.",
        "Give the directory that contains 'PG_VERSION' or 'base.tar'."
      )
    case .notATimeline:
      (
        .cannotOpen,
        "The directory has no index, so it is not a timeline, or an unfinished one.",
        "Give a directory with 'index_part.json-*'; import the backup again if it is unfinished."
      )

    // What cannot be imported or read as it is
    case .runningCluster:
      (
        .unsupported,
        "The backup was taken from a running cluster.",
        "Import it with '--recover-with', as the hint says."
      )
    case .uncleanShutdown:
      (
        .unsupported,
        "The cluster was running or had crashed when its files were copied.",
        "Stop the cluster cleanly and take a new backup, or import it with '--recover-with'."
      )
    case .serverRunning:
      (
        .unsupported,
        "A server is running in the data directory.",
        "Stop it with 'pg_ctl stop', or import a backup that pg_basebackup takes."
      )
    case .standbyCluster:
      (
        .unsupported,
        "The cluster is a standby that was stopped.",
        "Import it as it is, with '--recover-with'."
      )
    case .tablespacesUnsupported:
      (
        .unsupported,
        "The cluster has tablespaces, which Neon does not support.",
        "Import with '--recover-with', which moves them to the default one."
      )
    case .incrementalBackup:
      (
        .unsupported,
        "The backup is incremental.",
        "Combine it with the earlier backups with pg_combinebackup."
      )
    case .foreignBackup:
      (
        .unsupported,
        "The input is a repository or a format of a backup program, not a copy of a data directory.",
        "Restore it with that program, and import the restored directory with '--recover-with'."
      )
    case .severalClusters:
      (
        .unsupported,
        "The input contains the data directories of several clusters.",
        "Give the data directory of one cluster, or a tar of it."
      )
    case .upgradedCluster:
      (
        .unsupported,
        "The cluster is the old one of 'pg_upgrade --link', whose files the new one uses.",
        "Import the new cluster."
      )
    case .unsupportedVersion:
      (
        .unsupported,
        "The version of Postgres is not supported.",
        "Upgrade the cluster with pg_upgrade first."
      )
    case .unsupportedBuild:
      (
        .unsupported,
        "The cluster belongs to a Postgres that was built with other limits or for another "
          + "machine.",
        "Move its data to a cluster with the default limits with pg_dumpall and psql."
      )
    case .compressionWindow:
      (
        .unsupported,
        "The compressed stream needs more than 128 MiB of memory.",
        "Decompress it, and pipe the tar to standard input."
      )
    case .decompressionMemory:
      (
        .unsupported,
        "There is not enough memory to decompress the stream.",
        "Decompress it elsewhere, or give the import more memory."
      )
    case .manifestUnsupported:
      (
        .unsupported,
        "The manifest has an unknown version or checksum algorithm.",
        "Use the newest release of this program."
      )
    case .manifestTooLate:
      (
        .unsupported,
        "The manifest comes after files whose checksums can no longer be computed.",
        "Extract the manifest from the tar, and give it with '--manifest'."
      )
    case .backupTooLarge:
      (
        .unsupported,
        "The backup unpacks to more than '--max-size' allows.",
        "If it may be that large, give a larger '--max-size'."
      )
    case .tooManyFiles:
      (
        .unsupported,
        "The backup has more files than can be compared with a manifest.",
        "Report it: no real cluster has so many."
      )
    case .smallFilesTooLarge:
      (
        .unsupported,
        "The small files that are kept in memory are too large together.",
        "Look for files in Postgres's directories that do not belong there."
      )
    case .tooManyHoles:
      (
        .unsupported,
        "The files that are not stored have too many holes.",
        "Exclude the sparse files that the error names from the tar."
      )
    case .tooManyChunks:
      (
        .unsupported,
        "The small relations need more L0 layers than can be numbered.",
        "Import with a larger '--chunk-size'."
      )
    case .recoveryNotNeeded:
      (
        .unsupported,
        "The backup is from a pageserver and needs no recovery.",
        "Leave out '--recover-with'."
      )
    case .postgresNotFound:
      (
        .unsupported,
        "There is no 'postgres' in the directory of '--recover-with'.",
        "Give the directory of the programs, such as /usr/lib/postgresql/15/bin."
      )
    case .postgresCannotRun:
      (
        .unsupported,
        "Postgres, or another program that a recovery needs, does not run.",
        "Read the reason in the error; install what is missing."
      )
    case .postgresVersionMismatch:
      (
        .unsupported,
        "The programs of '--recover-with' are not of the backup's version.",
        "Give the directory of the programs of the backup's version."
      )
    case .sandboxUnavailable:
      (
        .unsupported,
        "The sandbox in which Postgres recovers a backup cannot be made.",
        "Install bubblewrap and allow it to create namespaces; for a backup of your own, use "
          + "'--trust-backup'."
      )
    case .newTablespace:
      (
        .unsupported,
        "A tablespace was created during the backup or later.",
        "Take a new backup."
      )
    case .fullCopyNeeded:
      (
        .unsupported,
        "The cluster has tablespaces, which showed only when its backup had been read.",
        "Let Postgres recover a full copy, with '--full-copy'."
      )
    case .partsNotCopied:
      (
        .unsupported,
        "A backup in several parts has to be recovered on a full copy, for its tablespaces or as asked.",
        "Unpack all parts into one directory, and import that."
      )
    case .recoveryTargetInBackup:
      (
        .unsupported,
        "The backup's own settings have a target for its recovery, or include a file that may have one.",
        "Give the target with '--recovery-target', or use '--ignore-recovery-settings'."
      )
    case .onlyShardsRecovered:
      (
        .unsupported,
        "A backup that has to be recovered was to be imported by several imports.",
        "Recover it once, stop the server, and import its data directory."
      )
    case .snapshotUnproved:
      (
        .unsupported,
        "The backup has no 'backup_label', and the WAL that would show whether its files are of one "
          + "moment is missing.",
        "Give older WAL with '--wal', or, if the files are a snapshot, use '--assume-snapshot'."
      )
    case .tablespaceMoveFailed:
      (
        .unsupported,
        "Postgres could not move the tablespaces to the default one.",
        "Read what Postgres says in the error."
      )
    case .timelineDeleted:
      (
        .unsupported,
        "The timeline was deleted.",
        "Choose another timeline."
      )
    case .timelineShard:
      (
        .unsupported,
        "The timeline is one shard of several, or its shards were split by a pageserver.",
        "Name all shards: TENANT without the shard's digits. After a split, take a fullbackup from "
          + "the pageserver."
      )
    case .timelineBranch:
      (
        .unsupported,
        "The timeline is a branch, and part of its data is in its ancestor.",
        "Attach it to a pageserver and take a fullbackup."
      )
    case .needsWALReplay:
      (
        .unsupported,
        "A pageserver has written to the timeline, so WAL would have to be replayed.",
        "Take a fullbackup from the pageserver."
      )
    case .storageFormatUnsupported:
      (
        .unsupported,
        "The index or a layer has a version that is not supported.",
        "Use the newest release of this program."
      )
    case .receiptUnsupported:
      (
        .unsupported,
        "The receipt is of another version of this program, with another 'schema'.",
        "Use the version that wrote it, or 'sha256sum --check' with the table beside it."
      )

    // Servers and object stores
    case .libraryMissing:
      (
        .unsupported,
        "The library that sends requests to servers, libcurl, cannot be loaded.",
        "Install it: the package is 'libcurl4' on Debian."
      )
    case .serverUnreachable:
      (
        .inputOutput,
        "The server cannot be found, or does not accept connections.",
        "Check its address, the network, and whether it is running."
      )
    case .connectionLost:
      (
        .inputOutput,
        "The connection to the server was lost or stood still, also when it was tried again.",
        "Try again, and check the network."
      )
    case .certificateRefused:
      (
        .inputOutput,
        "The server's TLS certificate is not valid, or is from an unknown authority, or the server does "
          + "not speak TLS at this port.",
        "Give the authority's certificate with '--ca-bundle', or check the URL."
      )
    case .serverFailed:
      (
        .inputOutput,
        "The server's answer cannot be used.",
        "Check that the URL is that of the right service."
      )
    case .storeFailed:
      (
        .inputOutput,
        "The object store did not do what it was asked for.",
        "Read the store's own words in the error; check that the endpoint is an S3 service."
      )
    case .storeBusy:
      (
        .inputOutput,
        "The object store asks for fewer requests, also after several attempts.",
        "Try again later."
      )
    case .bucketNotFound:
      (
        .cannotOpen,
        "The bucket does not exist on this server.",
        "Check the bucket's name, '--endpoint-url' and '--region'."
      )
    case .wrongRegion:
      (
        .usage,
        "The bucket is in another region than the one that requests are signed for.",
        "Give the bucket's region with '--region'."
      )
    case .clockSkew:
      (
        .notPermitted,
        "The clock of this machine differs too much from the store's.",
        "Set the clock."
      )
    case .credentialsMissing:
      (
        .notPermitted,
        "There are no credentials for the object store.",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE."
      )
    case .credentialsRefused:
      (
        .notPermitted,
        "The credentials are wrong or have expired.",
        "Check them; fetch new ones if they are valid for a time only."
      )
    case .storeAccessDenied:
      (
        .notPermitted,
        "The credentials do not allow the request.",
        "Allow s3:ListBucket on the bucket and s3:GetObject on its objects; to write, s3:PutObject and "
          + "s3:DeleteObject as well."
      )
    case .storeUnsuitable:
      (
        .unsupported,
        "No pageserver could read a timeline from the object store, or the store cannot hold one.",
        "Change the store's settings as the error says, or write all the same with "
          + "'--allow-any-store'."
      )
    case .layerOfOtherRun:
      (
        .inUse,
        "Another import has written or removed an object of the timeline in the bucket.",
        "Let only one import of the timeline run. Import with another '--timeline-id' or a higher "
          + "'--generation' if it was of another backup or with other options, or is a recovery."
      )
    case .generationTooLow:
      (
        .usage,
        "In a bucket, '--force' replaces a timeline of lower generations only.",
        "Give a higher '--generation'."
      )

    // The service
    case .serviceUnavailable:
      (
        .unsupported,
        "A server of the service cannot be reached, does not answer in time, or cannot do at the "
          + "moment what it was asked for.",
        "Check its URL, the network, and whether it is running; then run the same command again."
      )
    case .serviceNotReady:
      (
        .unsupported,
        "No pageserver has registered with the storage controller yet, or a timeline was not served "
          + "in time.",
        "Run the same command again, with a longer '--wait'."
      )
    case .serviceFailed:
      (
        .unsupported,
        "A server of the service refused a call, or its answer cannot be used.",
        "Read the server's own words in the error; check that the URL is that of the right server."
      )
    case .safekeepersMissing:
      (
        .unsupported,
        "Fewer than half of the safekeepers have the timeline, so no compute can write to it.",
        "Check that the safekeepers are running and that the controller makes timelines on them; then "
          + "run the same command again."
      )
    case .tokenRefused:
      (
        .notPermitted,
        "A server of the service wants a token, or refused the one that was given.",
        "Give a token that allows the call, with '--token-file' or in IMPORT_BACKUP_TOKEN."
      )
    case .notInRemoteStorage:
      (
        .cannotOpen,
        "The service does not find the tenant, or one of its timelines, in its remote storage.",
        "Copy the files to the remote storage of this service first, the index last."
      )
    case .notInService:
      (
        .difference,
        "'status' found that the service does not serve all of it yet.",
        "Take it into service with 'attach'."
      )
    case .timelineConflict:
      (
        .damaged,
        "The service has a timeline of the same id with other data: another LSN or version, on the "
          + "pageserver or on a safekeeper.",
        "Import with other ids. Nothing was changed in the timeline that is there."
      )
    case .shardConflict:
      (
        .damaged,
        "The service has the tenant with another number of shards or another stripe size than the "
          + "files.",
        "Import for the shards that the tenant has, or with another '--tenant-id'."
      )
    case .generationConflict:
      (
        .unsupported,
        "The service has the tenant attached at a generation below that of the files, so its "
          + "pageserver does not see them.",
        "Import again with another '--timeline-id' and with the tenant's generation, or a lower one, "
          + "as '--generation'."
      )
    case .stripeSizeUnknown:
      (
        .damaged,
        "A tenant has shards, but not all of them have a manifest that says the stripe size.",
        "Copy the manifests of all shards, or import the backup again."
      )

    // Bugs
    case .bug:
      (
        .bug,
        "A bug in this program.",
        "Report it with the error's text."
      )

    // Output
    case .outputExists:
      (
        .cannotCreate,
        "The output file already exists.",
        "Choose another name, or replace the file with '--force'."
      )
    case .outputNotFound:
      (
        .cannotCreate,
        "The directory for the output does not exist.",
        "Create it, or correct the path."
      )
    case .outputPermissionDenied:
      (
        .cannotCreate,
        "The output may not be written there.",
        "Choose another directory, or change its permissions."
      )
    case .outputOfOtherUser:
      (
        .cannotCreate,
        "A directory of the output belongs to another user, who could change the timeline.",
        "Choose another directory, or allow it with '--output-owner'."
      )
    case .cannotCreateOutput:
      (
        .cannotCreate,
        "The output cannot be created for another reason, which the error names.",
        "Remove the cause."
      )
    case .noSpace:
      (
        .inputOutput,
        "The disk or the quota is full, or too little is free to begin.",
        "Free space there, or choose another directory."
      )
    case .readFailed:
      (
        .inputOutput,
        "Reading failed.",
        "See the system's log: a disk, a network file system or a device is at fault."
      )
    case .restoreCommandFailed:
      (
        .inputOutput,
        "The command of '--restore-command' failed.",
        "Check the command: it must exit with 1 to 125 if the archive does not have the file."
      )
    case .writeFailed:
      (
        .inputOutput,
        "Writing failed.",
        "See the system's log: a disk, a network file system or a device is at fault."
      )
    case .brokenPipe:
      (
        .inputOutput,
        "The program that reads the output has ended.",
        "Look for the error of that program."
      )
    case .writtenDataChanged:
      (
        .inputOutput,
        "What was written reads back differently.",
        "Check the disk and the memory of the machine."
      )
    case .receiptNotWritten:
      (
        .inputOutput,
        "The timeline is complete, but its receipt could not be given its name.",
        "Use the timeline without a receipt, or import it again with '--force'."
      )
    case .outOfMemory:
      (
        .inputOutput,
        "The system gives no more memory.",
        "Give the import more memory, or lower '--memory' and '--jobs'."
      )
    case .resourceLimit:
      (
        .inputOutput,
        "The system gives no more threads or pipes.",
        "Raise the limits of processes and open files."
      )

    // Signals
    case .hungUp:
      (
        .hungUp,
        "The terminal or session was closed (SIGHUP).",
        "Run long imports in tmux, or as a service."
      )
    case .interrupted:
      (
        .interrupted,
        "Interrupted (SIGINT).",
        "Run the command again."
      )
    case .terminated:
      (
        .terminated,
        "Terminated (SIGTERM).",
        "Run the command again."
      )
    }
  }
}
